"""Corpora that claim to be large, or are: read, or refused in a line, with bounded memory. The
long versions are in tests/soak."""

from __future__ import annotations

import lzma
import re
from pathlib import Path

import pyarrow as pa
import pytest
import zstandard
from pyarrow import parquet

from tests.fuzz.corpus_bombs import KINDS, TABLES, read, told_by

MEGABYTES = 48
PEAK = 320 << 20  # beyond what the modules take

REFUSED = {
    "no end": "no whitespace in 1 MiB",
    "chinese": "no whitespace in 1 MiB.*--tokenizer words",
    "blanks": "contains no words",
    "lines": "contains no words",
    "marks": "no whitespace in 1 MiB",
    "long words": "bytes on average|no whitespace",
    "json text": "line 1: .* 16 MiB",
    "json list": "line 1: .* 16 MiB",
    "json depth": "line 1: ",
    "json nulls": "contains no words: .* rows without a text",
    "csv text": "line 2 has more than 16 MiB",
    "csv fields": "line 2 has more than 16 MiB",
    "csv quoted": "line .*: field larger than",
}


@pytest.mark.parametrize("kind", [*KINDS, *TABLES])
def test_a_stream(kind: str, tmp_path: Path) -> None:
    column = ["--column", "text"] if kind in TABLES else []
    megabytes = {"long words": 200, "csv rows": 8, "json nulls": 8}.get(kind, MEGABYTES)
    peak, told = read(kind, megabytes, tmp_path, *column)
    assert peak < {"json list": 600 << 20, "long words": 400 << 20}.get(kind, PEAK)
    assert bool(told) == (kind in REFUSED or kind in ("nul", "not utf-8"))
    assert re.search(REFUSED.get(kind, ""), told), told


@pytest.mark.parametrize("how", ["gz", "bz2", "xz", "zst"])
def test_a_compressed_stream(how: str, tmp_path: Path) -> None:
    peak, told = read("one line", MEGABYTES, tmp_path, how=how)
    assert peak < PEAK and told == ""


@pytest.mark.parametrize("options", [["--tokenizer", "words"], ["--sentences", "paragraph"]])
@pytest.mark.parametrize("kind", ["one line", "chinese", "lines"])
def test_with_other_words_and_sentences(kind: str, options: list[str], tmp_path: Path) -> None:
    pytest.importorskip("regex")
    peak, told = read(kind, MEGABYTES // 3, tmp_path, *options)
    assert peak < PEAK
    unspaced = kind == "chinese" and options[0] == "--sentences"
    assert bool(told) == (kind == "lines" or unspaced)


@pytest.mark.parametrize("dictionary", [True, False])
def test_kilobytes_of_parquet(dictionary: bool, tmp_path: Path) -> None:
    """A dictionary stands for all rows; without one, the page itself shrinks to nothing."""
    table = pa.table({"text": ["a " * 50_000] * 1000})
    options = {"use_dictionary": dictionary, "compression": "zstd"}
    parquet.write_table(table, tmp_path / "a.parquet", **options)
    assert (tmp_path / "a.parquet").stat().st_size < 200_000
    peak, told = told_by(None, tmp_path, "a.parquet")
    assert peak < PEAK
    assert bool(told) != dictionary and ("impossible compression" in told or dictionary)


def test_windows_of_gigabytes(tmp_path: Path) -> None:
    def zstd(log: int) -> bytes:
        given = zstandard.ZstdCompressionParameters.from_level(3, window_log=log, enable_ldm=True)
        compressor = zstandard.ZstdCompressor(compression_params=given).compressobj()
        return compressor.compress(b"some text " * 100) + compressor.flush()

    def xz(size: int) -> bytes:
        filters = [{"id": lzma.FILTER_LZMA2, "preset": 1, "dict_size": size}]
        return lzma.compress(b"some text " * 100, filters=filters)

    for name, data, fits in [
        ("a.zst", zstd(27), True),
        ("b.zst", zstd(31), False),
        ("a.xz", xz(64 << 20), True),
        ("b.xz", xz(1 << 30), False),
    ]:
        (tmp_path / name).write_bytes(data)
        peak, told = told_by(None, tmp_path, name)
        assert peak < PEAK
        assert ("256 MiB of memory; compress it again" in told) != fits, name
        assert (told == "") == fits
