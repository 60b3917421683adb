"""Tests for the day a GPU is there: `make gpu`. Where TRITON_INTERPRET=1 is set, the same tests run
on the CPU in tiny sizes, so that they do not fail for silly reasons on that day."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from tests.gpu.conftest import INTERPRETED


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """They import Triton: only who asks for them has to have it."""
    return True if "not gpu" in config.option.markexpr else None


@pytest.fixture(scope="session")
def device() -> str:
    """Where the tensors are."""
    if INTERPRETED:
        return "cpu"
    if not torch.cuda.is_available():
        pytest.skip("there is no GPU with CUDA here")
    return "cuda"


@pytest.fixture(autouse=True, scope="package")
def exact_products() -> Iterator[None]:
    """What is compared with the CPU is multiplied in float32."""
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    yield
    torch.backends.cuda.matmul.allow_tf32 = before
