"""A sample of the fuzzers' budget; the long one is in tests/soak."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.loaders import LOADERS
from tests.fuzz.properties import fuzz

SAMPLE = 40  # damaged files of each kind


@pytest.mark.parametrize("name", LOADERS)
def test_valid_files_are_loaded(name: str, tmp_path: Path) -> None:
    loader = LOADERS[name]
    for file, data in loader.valid.items():
        (tmp_path / file).write_bytes(data)
    loaded = loader.load(tmp_path)
    assert loaded is not None
    loader.check(loaded)


@pytest.mark.parametrize("name", LOADERS)
def test_whatever_is_in_the_files(name: str) -> None:
    fuzz(LOADERS[name], SAMPLE, derandomize=True)
