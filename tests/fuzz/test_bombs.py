"""Small files that claim to be large, or stand for more than they hold: refused at once, with
little memory."""

from __future__ import annotations

import gzip
import json
import lzma
import os
import re
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.fuzz.limits import MEGABYTES, little_memory, little_traced, refused
from tests.fuzz.loaders import KEY, LOADERS
from tests.fuzz.loaders_of_vectors import MATRIX, WORD_LIST, _npy
from w2v.corpus import Vocabulary, read_corpus
from w2v.corpus.cache import list_entries, load_entry
from w2v.corpus.phrase_file import Phrases
from w2v.corpus.vocabulary import load_list
from w2v.errors import InputError, RunError
from w2v.settings.groups import CorpusSettings
from w2v.system import memory
from w2v.system.json import read_object
from w2v.vectors import load_vectors


def test_the_limit_works() -> None:
    with little_memory(), pytest.raises(MemoryError):
        bytearray(2 * MEGABYTES << 20)


# --------------------------------------------------------------------------------------------------
# Vectors


@pytest.mark.parametrize("name", ["v.txt", "v.bin"])
@pytest.mark.parametrize(
    "header", ["1000000000000 300", "300 1000000000000", "999999999999999999 1", "100000000 100"]
)
def test_a_header_that_promises_the_sky(name: str, header: str, tmp_path: Path) -> None:
    body = b"a 1 2 3\n" if name == "v.txt" else b"a \0\0\0\0\n"
    (tmp_path / name).write_bytes(header.encode() + b"\n" + body * 100)
    assert "its header says" in refused(lambda: load_vectors(tmp_path / name))


@pytest.mark.parametrize("header", [b"1000000000000 1000000\n", b"1000000000 3\n"])
def test_a_compressed_header_that_promises_the_sky(header: bytes, tmp_path: Path) -> None:
    (tmp_path / "v.bin.gz").write_bytes(gzip.compress(header + b"a \0\0\0\0\0\0\0\0\0\0\0\0\n" * 9))
    assert "its header says" in refused(lambda: load_vectors(tmp_path / "v.bin.gz"))


def test_a_matrix_that_is_not_there(tmp_path: Path) -> None:
    with open(tmp_path / "v.npy", "wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (10**12, 300)}
        np.lib.format.write_array_header_1_0(file, header)
    (tmp_path / "v.vocab.tsv").write_bytes(WORD_LIST)
    assert "its header says 1000000000000 x 300" in refused(
        lambda: load_vectors(tmp_path / "v.npy")
    )


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_a_matrix_cut_anywhere(version: tuple[int, int], tmp_path: Path) -> None:
    data = _npy(MATRIX, version)
    (tmp_path / "v.vocab.tsv").write_bytes(WORD_LIST)
    for size in range(1, len(data)):
        (tmp_path / "v.npy").write_bytes(data[:size])
        assert "v.npy" in refused(
            lambda: load_vectors(tmp_path / "v.npy"), lambda: little_traced(2)
        )


def test_an_npy_header_of_gigabytes(tmp_path: Path) -> None:
    with open(tmp_path / "v.npy", "wb") as file:
        file.write(b"\x93NUMPY\x02\x00" + (3 << 30).to_bytes(4, "little"))
        file.truncate(4 << 30)
    assert "header cannot be read" in refused(
        lambda: load_vectors(tmp_path / "v.npy"), little_traced
    )


def test_values_that_float32_cannot_hold(tmp_path: Path) -> None:
    (tmp_path / "v.npy").write_bytes(_npy(MATRIX.astype(np.float64) * 1e300))
    (tmp_path / "v.vocab.tsv").write_bytes(WORD_LIST)
    assert "beyond the range of float32" in refused(lambda: load_vectors(tmp_path / "v.npy"))


def huge_dictionary(data: bytes) -> bytes:
    """The xz file with a header that asks for a dictionary of 4 GiB, its checksum put right."""
    size = (data[12] + 1) * 4
    assert data[14:16] == b"\x21\x01", (
        "one filter, LZMA2, with one byte of properties: the dictionary's size"
    )
    header = data[12:16] + bytes([40]) + data[17 : 12 + size - 4]
    return data[:12] + header + zlib.crc32(header).to_bytes(4, "little") + data[12 + size :]


@pytest.mark.skipif(
    os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGESIZE") < 1 << 30, reason="needs 1 GiB"
)
def test_an_xz_dictionary_of_gigabytes(tmp_path: Path) -> None:
    (tmp_path / "v.txt.xz").write_bytes(huge_dictionary(lzma.compress(b"1 1\na 1\n")))
    assert "more than 256 MiB of memory" in refused(lambda: load_vectors(tmp_path / "v.txt.xz"))
    (tmp_path / "c.txt").write_bytes(huge_dictionary(lzma.compress(b"some text\n" * 100)))
    corpus = [str(tmp_path / "c.txt")]
    with pytest.raises(InputError, match="more than 256 MiB of memory"):
        read_corpus(corpus, CorpusSettings(), use_cache=False, threads=1)


def test_more_than_the_memory_is_said_before_it_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = b"".join(b"w%d 1 2 3\n" % i for i in range(5000))
    (tmp_path / "v.txt").write_bytes(b"5000 3\n" + text)
    (tmp_path / "v.txt.gz").write_bytes(gzip.compress(b"5000 3\n" + text))
    (tmp_path / "v.glove").write_bytes(text)
    (tmp_path / "v.npy").write_bytes(_npy(np.ones((5000, 3))))
    (tmp_path / "v.vocab.tsv").write_bytes(b"".join(b"w%d\n" % i for i in range(5000)))
    monkeypatch.setattr(memory, "CHECKED_BYTES", 0)
    names = ["v.txt", "v.txt.gz", "v.glove", "v.npy"]
    for free in (10_000, 1 << 30, None):
        monkeypatch.setattr(memory, "available_memory", lambda free=free: free)
        for name in names:
            if free != 10_000:
                assert len(load_vectors(tmp_path / name)) == 5000
                continue
            with pytest.raises(
                RunError,
                match=(
                    r"v\..*: reading [45],\d+ words x 3 needs 0\.0 GB more memory, 0\.0 GB are free"
                ),
            ):
                load_vectors(tmp_path / name)
    monkeypatch.setattr(memory, "available_memory", lambda: 100_000)
    assert len(load_vectors(tmp_path / "v.txt", limit=10)) == 10


@pytest.mark.parametrize("name", ["vocab.tsv", "format_version"])
@pytest.mark.parametrize("kind", ["endless", "pipe", "folder"])
def test_a_run_directory_with_a_device_in_it(name: str, kind: str, tmp_path: Path) -> None:
    for file, data in LOADERS["run directory"].valid.items():
        (tmp_path / file).write_bytes(data)
    (tmp_path / name).unlink()
    if kind == "endless":
        (tmp_path / name).symlink_to("/dev/zero")
    else:
        (os.mkfifo if kind == "pipe" else os.mkdir)(tmp_path / name)
    answer = refused(lambda: load_vectors(tmp_path))
    assert re.search(f"{name}: (it is not a file|Is a directory)", answer)


# --------------------------------------------------------------------------------------------------
# JSON, the cache, vocabularies


def test_json_that_is_more_than_it_seems(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    for text in (
        "[" * 100_000,
        '{"a": ' * 100_000,
        '{"a": ' * 60 + "1" + "}" * 60,
        "[1]",
        "7",
        "",
        '{"a": 1',
        "\xff",
    ):
        path.write_text(text, encoding="latin-1")
        with pytest.raises(ValueError):
            read_object(path)
    with open(path, "wb") as file:
        file.truncate(1 << 30)
    with little_memory(), pytest.raises(OSError, match="larger than 16 MiB"):
        read_object(path)
    path.unlink()
    path.symlink_to("/dev/zero")
    with little_memory(), pytest.raises(OSError, match="is not a file"):
        read_object(path)
    path.unlink()
    path.write_text('{"a": [1, {"b": null}]}')
    assert read_object(path) == {"a": [1, {"b": None}]}


@pytest.mark.parametrize(
    "change",
    [
        {"distinct": 10**12},
        {"n_words": 10**15},
        {"n_lines": 10**15},
        {"n_words": -1, "n_lines": 13},
        {"n_words": 9.0},
        {"format": True},
        {"warnings": "abc"},
        {"warnings": [1]},
        {"sources": None},
        {"checksum": 10**400},
        {"more": 1},
        {"n_words": 0, "n_lines": 0, "distinct": 0},
    ],
)
def test_a_manifest_that_lies(
    change: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = tmp_path / "corpora" / KEY
    entry.mkdir(parents=True)
    monkeypatch.setenv("W2V_CACHE_DIR", str(tmp_path))
    for name, data in LOADERS["cache entry"].valid.items():
        (entry / name).write_bytes(data)
    with little_memory():
        (listed,) = list_entries()
        assert listed.words == 9
        manifest = json.loads((entry / "manifest.json").read_text())
        (entry / "manifest.json").write_text(json.dumps({**manifest, **change}))
        assert load_entry(KEY) is None
        assert not entry.exists()


def test_a_single_wrong_id_in_the_cache_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = tmp_path / "corpora" / KEY
    monkeypatch.setenv("W2V_CACHE_DIR", str(tmp_path))
    for change in (0, 1):
        entry.mkdir(parents=True, exist_ok=True)
        for name, data in LOADERS["cache entry"].valid.items():
            (entry / name).write_bytes(data)
        ids = np.fromfile(entry / "ids.i32", np.int32)
        ids[2] += change
        ids.tofile(entry / "ids.i32")
        store = load_entry(KEY)
        assert (store is None) == bool(change)


@pytest.mark.parametrize("count", ["9" * 5000, "9223372036854775808", "1" * 19])
def test_counts_beyond_64_bits(count: str, tmp_path: Path) -> None:
    path = tmp_path / "v.vocab.tsv"
    path.write_text(f"a\t{count}\nb\t1\n")
    assert "line 1" in refused(lambda: Vocabulary.load(path))
    (tmp_path / "v.npy").write_bytes(_npy(MATRIX[:2]))
    assert "line 1" in refused(lambda: load_vectors(tmp_path / "v.npy"))


def test_counts_whose_sum_is_beyond_64_bits(tmp_path: Path) -> None:
    path = tmp_path / "v.vocab.tsv"
    path.write_text("".join(f"{i}\t{'9' * 18}\n" for i in range(10)))
    assert "add up to more than" in refused(lambda: Vocabulary.load(path))
    (tmp_path / "v.npy").write_bytes(_npy(np.ones((10, 2), np.float32)))
    assert "add up to more than" in refused(lambda: load_vectors(tmp_path / "v.npy"))


@pytest.mark.parametrize(
    ("load", "end"),
    [
        (Vocabulary.load, b"\t1\n"),
        (Vocabulary.load, b" 1\n"),
        (load_list, b"\n"),
        (Phrases.load, b"\ta b\t1\t1.0\t1\n"),
    ],
)
def test_lists_of_what_are_not_words(
    load: Callable[[Path], object], end: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "v.tsv"
    with path.open("wb") as file:
        for number in range(600):
            file.write(b"%d" % number + b"x" * 500_000 + end)
    refused(lambda: load(path), lambda: little_memory(200))
    for start in (b"", b"word" + end):
        path.write_bytes(start)
        os.truncate(path, 1 << 30)  # one long line follows
        refused(lambda: load(path))
    path.write_bytes(b"word" + end + b"one two three\n" * 10_000_000)
    assert "line 2" in refused(lambda: load(path))
