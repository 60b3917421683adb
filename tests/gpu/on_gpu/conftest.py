"""Tests that need a GPU: `make gpu`. If TRITON_INTERPRET=1 is set, the same tests run on the CPU in
tiny sizes, so that mistakes in the tests themselves are found without a GPU."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from tests.gpu.conftest import INTERPRETED


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """Ignores these files unless they are asked for, because they import Triton."""
    return True if "not gpu" in config.option.markexpr else None


@pytest.fixture(scope="session")
def device() -> str:
    """Returns the device of the tensors."""
    if INTERPRETED:
        return "cpu"
    if not torch.cuda.is_available():
        pytest.skip("there is no GPU with CUDA here")
    return "cuda"


@pytest.fixture(autouse=True, scope="package")
def exact_products() -> Iterator[None]:
    """Makes products float32 if they are compared with those of a CPU."""
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    yield
    torch.backends.cuda.matmul.allow_tf32 = before
