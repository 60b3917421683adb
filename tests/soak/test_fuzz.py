"""The fuzzers' long budget: W2V_FUZZ_EXAMPLES damaged files of each kind, and half as many of
random bytes."""

from __future__ import annotations

import os

import pytest

from tests.fuzz.loaders import LOADERS
from tests.fuzz.properties import fuzz

EXAMPLES = int(os.environ.get("W2V_FUZZ_EXAMPLES", "5000"))


@pytest.mark.soak
@pytest.mark.parametrize("name", LOADERS)
def test_whatever_is_in_the_files(name: str) -> None:
    fuzz(LOADERS[name], EXAMPLES, derandomize=False)
