"""Valid files of vectors in every format, how each is loaded, and what a loaded one must be."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zstandard

from tests.fuzz import loaders_of_tables
from w2v.errors import InputError, RunError
from w2v.vectors import WordVectors, load_vectors, write_vectors

WORDS = ["the", "of", "naïve", "日本", "a.b", "x"]
COUNTS = [90, 40, 7, 7, 2, 1]
MATRIX = np.random.default_rng(3).standard_normal((6, 3)).astype(np.float32)
WORD_LIST = "".join(
    f"{word}\t{count}\n" for word, count in zip(WORDS, COUNTS, strict=True)
).encode()


@dataclass(frozen=True)
class Loader:
    """`valid`: by file name, files that `load` (given their folder) accepts; `check` fails on an
    inconsistent result. Messages of errors, one of `refusals`, are at most `longest` characters
    beyond the folder's name. `forge` makes the checksums of damaged files right again, as somebody
    who wants them to be read would."""

    name: str
    valid: Mapping[str, bytes]
    load: Callable[[Path], Any]
    check: Callable[[Any], None]
    longest: int = 400
    refusals: tuple[type[Exception], ...] = (InputError, RunError)
    forge: Callable[[Mapping[str, bytes]], dict[str, bytes]] | None = None


def _vectors(kind: str) -> bytes:
    file = io.BytesIO()
    write_vectors(file, WORDS, MATRIX, kind)
    return file.getvalue()


def _npy(matrix: np.ndarray, version: tuple[int, int] = (1, 0)) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, matrix, version)
    return file.getvalue()


def check_vectors(vectors: WordVectors) -> None:
    assert vectors.matrix.shape == (len(vectors.words), vectors.dim)
    assert len(vectors) > 0 and vectors.dim > 0
    assert vectors.matrix.dtype == np.float32
    assert all(type(word) is str for word in vectors.words)
    assert vectors.words[vectors.index(vectors.words[-1])] == vectors.words[-1]
    if vectors.counts is not None:
        assert vectors.counts.shape == (len(vectors),)
        assert vectors.counts.min() >= 0 and int(vectors.counts.sum()) == sum(
            vectors.counts.tolist()
        )
    try:
        assert np.isfinite(vectors.norms).all()
    except InputError as error:  # a memory-mapped matrix is looked at when it is used
        assert isinstance(vectors.matrix, np.memmap) and "holds NaN or infinity" in str(error)


def _file(name: str, **options: Any) -> Callable[[Path], WordVectors]:
    return lambda folder: load_vectors(folder / name, **options)


def _vector_loaders() -> Iterator[Loader]:
    text, binary, glove = (_vectors(kind) for kind in ("text", "binary", "glove"))
    gensim = b"6 3\n" + b"".join(
        word.encode() + b" " + row.tobytes() for word, row in zip(WORDS, MATRIX, strict=True)
    )
    windows = text.replace(b"\n", b" \r\n")
    plain = {
        "text.txt": text,
        "windows.vec": windows,
        "nameless": binary,
        "v.bin": binary,
        "gensim.bin": gensim,
        "glove.glove": glove,
    }
    for name, data in plain.items():
        yield Loader(f"vectors {name}", {name: data}, _file(name), check_vectors)
    yield Loader(
        "vectors replace",
        {"v.bin": binary},
        _file("v.bin", encoding_errors="replace"),
        check_vectors,
    )
    yield Loader("vectors limit", {"v.txt": text}, _file("v.txt", limit=2), check_vectors)
    compressors = {
        "gz": gzip.compress,
        "bz2": bz2.compress,
        "xz": lzma.compress,
        "zst": zstandard.compress,
    }
    for suffix, compress in compressors.items():
        name = f"v.bin.{suffix}"
        yield Loader(f"vectors {suffix}", {name: compress(binary)}, _file(name), check_vectors)
    matrices = {
        "float32": _npy(MATRIX),
        "float64": _npy(MATRIX.astype(np.float64)),
        "float16": _npy(MATRIX.astype(np.float16)),
        "Fortran": _npy(np.asfortranarray(MATRIX)),
        "version 2": _npy(MATRIX, (2, 0)),
        "Python 2": _npy(MATRIX).replace(b"(6, 3), }  ", b"(6L, 3L), }"),
    }
    for kind, data in matrices.items():
        files = {"v.npy": data, "v.vocab.tsv": WORD_LIST}
        yield Loader(f"npy {kind}", files, _file("v.npy"), check_vectors)
    bare = "".join(f"{word}\n" for word in WORDS).encode()
    yield Loader(
        "npy words only",
        {"v.npy": _npy(MATRIX), "v.vocab.tsv": bare},
        _file("v.npy"),
        check_vectors,
    )
    run = {"vectors.npy": _npy(MATRIX), "vocab.tsv": WORD_LIST, "format_version": b"1\n"}
    yield Loader("run directory", run, load_vectors, check_vectors)
    for name, loaded, files in loaders_of_tables.files():
        yield Loader(f"vectors {name}", files, _file(loaded), check_vectors, 600)
