"""A gigabyte of each, and a record of two and a half: at most 700 MB."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.fuzz.corpus_bombs import KINDS, TABLES, read, told_by

PEAK = 700_000_000

pytestmark = pytest.mark.soak


@pytest.mark.parametrize("kind", KINDS)
def test_a_gigabyte(kind: str, tmp_path: Path) -> None:
    megabytes = 6000 if kind == "long words" else 1000
    assert read(kind, megabytes, tmp_path)[0] < PEAK


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_of_gigabytes(kind: str, tmp_path: Path) -> None:
    assert read(kind, 2500, tmp_path, "--column", "text")[0] < PEAK


@pytest.mark.parametrize("how", ["gz", "bz2", "xz", "zst"])
@pytest.mark.parametrize("kind", ["blanks", "one line"])
def test_a_compressed_gigabyte(kind: str, how: str, tmp_path: Path) -> None:
    assert read(kind, 1000, tmp_path, how=how)[0] < PEAK


def test_gigabytes_of_parquet(tmp_path: Path) -> None:
    table = pa.table({"text": pa.array(["a " * 500_000]).take(pa.array([0] * 1000))})
    with parquet.ParquetWriter(tmp_path / "a.parquet", table.schema) as writer:
        for _ in range(6):
            writer.write_table(table)
    assert told_by(None, tmp_path, "a.parquet")[0] < PEAK
