"""Writes vectors in the format that the file's extension names. The file, or folder, is written
atomically and contains nothing that the reader would reject: words that the format cannot represent
are left out.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

import numpy as np

from w2v.errors import InputError, shown
from w2v.system import compression
from w2v.system.files import atomic_directory, atomic_file
from w2v.vectors import hub, projector
from w2v.vectors.binary import write_binary
from w2v.vectors.columns import write_table
from w2v.vectors.fasttext import write_fasttext
from w2v.vectors.hub import Card
from w2v.vectors.layout import DECIDING_LINES
from w2v.vectors.precision import DTYPES, check_finite, reduced
from w2v.vectors.streams import reads_back
from w2v.vectors.tensors import write_tensors
from w2v.vectors.text import write_text

if TYPE_CHECKING:
    from w2v.vectors.word_vectors import WordVectors

LOOKED_AT = DECIDING_LINES + 1  # rows by which a reader decides on the layout of a text
WRITE_ROWS = 8192  # rows of a matrix written at a time
# word2vec's text and binary, GloVe's text; a matrix, with its words in NAME.vocab.tsv; tables;
# tensors
FORMATS = {".txt": "text", ".vec": "text", ".bin": "binary", ".glove": "glove", ".npy": "npy"}
FORMATS |= {".parquet": "parquet", ".arrow": "arrow", ".feather": "arrow"}
FORMATS |= {".safetensors": "safetensors"}
# Formats that are folders, which no extension names, and their files.
FOLDERS = {"projector": projector.FILES, "sentence-transformers": hub.FILES}
# fastText's format is not in FORMATS: its extension, .bin, stands for word2vec's binary format.
KINDS = (*dict.fromkeys(FORMATS.values()), "fasttext", *FOLDERS)
COMPRESSED = ("text", "binary", "glove")  # also as .gz, .bz2, .xz, .zst
SMALLER: dict[str, Sequence[str]] = {  # the formats that support other types than float32
    **dict.fromkeys(("npy", "sentence-transformers"), DTYPES[:2]),
    **dict.fromkeys(("parquet", "arrow", "safetensors"), DTYPES),
}


class Held(NamedTuple):
    """A pattern of the words that a format can represent, and a description of the others."""

    words: re.Pattern[str]
    but: str


NO_BLANKS = "empty ones and those with spaces, tabs or line ends"
SURROGATES = "\ud800-\udfff"  # halves of characters, which UTF-8 cannot represent
ANY = f"[^{SURROGATES}]*"
HELD = {
    **dict.fromkeys(COMPRESSED, Held(re.compile(f"[^ \t\n\r{SURROGATES}]+"), NO_BLANKS)),
    "npy": Held(re.compile(f"[^\t\n\r{SURROGATES}]+"), "empty ones and those with tabs, line ends"),
    **dict.fromkeys(("parquet", "arrow"), Held(re.compile(ANY), "invalid Unicode")),
    "fasttext": Held(re.compile(f"[^\\0 \t-\r{SURROGATES}]+"), NO_BLANKS),
    "safetensors": Held(re.compile(f"[^\n{SURROGATES}]*"), "those with line ends"),
    # the projector skips lines that JavaScript considers blank
    "projector": Held(re.compile(rf"{ANY}[^\s\ufeff{SURROGATES}]{ANY}"), "blank ones"),
    "sentence-transformers": Held(re.compile(rf"[^\s{SURROGATES}]+"), NO_BLANKS),
}


class Content(NamedTuple):
    """The content of a file to be written."""

    words: list[str]
    matrix: np.ndarray  # [V, D]
    counts: np.ndarray | None  # [V]
    kind: str  # the format, one of KINDS
    dtype: str
    beside: WordVectors | None  # the complete vectors: n-grams, settings and model card
    warnings: list[str]  # about words left out


def check_format(path: str | Path) -> str:
    """Returns the format that the extension of `path` names, one of the values of `FORMATS`. Raises
    InputError if it names none."""
    kind = named_format(path)
    if kind is None:
        raise InputError(
            f"cannot tell the format of {path} from its extension; use one of {', '.join(FORMATS)}"
            f" (text also with {', '.join(compression.SUFFIXES)} after it), or give a `format`"
        )
    return kind


def named_format(path: str | Path) -> str | None:
    """Returns the format that the extension of `path` names, or None."""
    name, packed = _unpacked(path)
    kind = "glove" if name.endswith(".glove.txt") else FORMATS.get(Path(name).suffix)
    return None if packed and kind not in COMPRESSED else kind


def _unpacked(path: str | Path) -> tuple[str, str]:
    """Returns the lower-case name without its compression suffix, and that suffix, "" if none."""
    name = Path(path).name.lower()
    packed = next((suffix for suffix in compression.SUFFIXES if name.endswith(suffix)), "")
    return name.removesuffix(packed), packed


def file_suffix(path: str | Path) -> str:
    """Returns the extensions of a vector file, such as ".txt.gz": a number that makes its name
    unique can be inserted before them."""
    name, packed = _unpacked(path)
    inner = Path(name).suffix
    return Path(path).name[-len(inner + packed) :]


def check_output(path: str | Path, kind: str, dtype: str = "float32") -> None:
    """Raises InputError if the format `kind` does not fit the path or the type of the numbers."""
    path = Path(path)
    allowed = SMALLER.get(kind, DTYPES[:1])
    if dtype not in allowed:
        formats = ", ".join(name for name in SMALLER if dtype in SMALLER[name])
        remedy = f"use {' or '.join(allowed)}, or one of the formats {formats}"
        raise InputError(f"the format {kind} cannot hold `dtype` {dtype}; {remedy}")
    packed = _unpacked(path)[1]
    if packed and kind not in COMPRESSED:
        raise InputError(f"{path}: the format {kind} cannot be compressed; leave {packed} out")
    if kind == "npy" and path.suffix.lower() != ".npy":
        raise InputError(f"`format` npy needs a file name ending in .npy, not {path}")
    if kind in FOLDERS and os.path.lexists(path):
        names = {entry.name for entry in path.iterdir()} if path.is_dir() else {""}
        if names - set(FOLDERS[kind]):
            problem = f"exists, and only a folder of the format {kind} would be replaced"
            raise InputError(f"{path} {problem}; choose another name")


def save_vectors(
    path: str | Path,
    words: Sequence[str],
    matrix: np.ndarray,
    counts: np.ndarray | None = None,
    kind: str | None = None,
    dtype: str = "float32",
    beside: WordVectors | None = None,
) -> Content:
    """Writes `words` [V] and `matrix` [V, D] float32 to `path` with numbers of type `dtype`, and
    `counts` [V] if the format has room for them. Returns the content written, with a warning if
    words had to be left out. Raises InputError if the format is unknown, or a number is NaN or
    infinite.

    Args:
        kind: the format; None: the one that the extension names.
        beside: the complete vectors, for the formats that store more: n-grams and settings
            (fasttext) or a model card (sentence-transformers).
    """
    path = Path(path)
    kind = kind or check_format(path)
    check_output(path, kind, dtype)
    content = storable(Content([*words], matrix, counts, kind, dtype, beside, []))
    _check_read_back(content, path)
    if kind in FOLDERS:
        with atomic_directory(path, replace=True) as folder:
            if kind == "projector":
                projector.write_projector(folder, content.words, content.matrix, content.counts)
            else:
                card = Card("") if beside is None else beside.card()
                hub.write_hub(folder, content.words, content.matrix, dtype, card)
        return content
    with ExitStack() as stack:
        if kind == "npy":  # neither file is renamed to its final name before both are written
            list_file = stack.enter_context(atomic_file(path.with_suffix(".vocab.tsv")))
            write_words(list_file, content.words, content.counts)
            list_file.flush()
        file = stack.enter_context(atomic_file(path))
        if packed := _unpacked(path)[1]:
            file = stack.enter_context(compression.compressed(file, packed))
        _write(file, content)
    return content


def write_matrix(file: IO[bytes], matrix: np.ndarray, dtype: str = "float32") -> None:
    """Writes [V, D] float32 as .npy, in blocks of rows, which avoids a copy of a padded matrix, and
    makes a full disk raise an error that says so."""
    descr = "<f2" if dtype == "float16" else "<f4"
    header = {"descr": descr, "fortran_order": False, "shape": matrix.shape}
    np.lib.format.write_array_header_1_0(file, header)
    for start in range(0, len(matrix), WRITE_ROWS):
        rows, _ = reduced(matrix[start : start + WRITE_ROWS], dtype)
        file.write(np.ascontiguousarray(rows, descr).data)


def write_vectors(
    file: IO[bytes],
    words: Sequence[str],
    matrix: np.ndarray,
    kind: str,
    counts: np.ndarray | None = None,
    dtype: str = "float32",
    beside: WordVectors | None = None,
) -> Content:
    """Writes to an open binary file, such as standard output, as `save_vectors` does. Raises
    InputError if the format `kind` consists of several files."""
    if kind == "npy" or kind in FOLDERS:
        problem = f"{kind} consists of several files, so it cannot be written to a stream"
        raise InputError(f"{problem}; use text, binary or parquet")
    check_output("", kind, dtype)
    content = storable(Content([*words], matrix, counts, kind, dtype, beside, []))
    _check_read_back(content, Path())
    _write(file, content)
    return content


def check_words(path: Path, words: Sequence[str], dim: int) -> None:
    """Raises the InputError that `save_vectors` would raise for these words with any vectors."""
    ones = np.ones((len(words), 1), np.float32)
    unfiltered = Content([*words], ones, None, check_format(path), "float32", None, [])
    content = storable(unfiltered)
    rows = np.random.default_rng(1).standard_normal((min(len(content.words), LOOKED_AT), dim))
    _check_read_back(content._replace(matrix=rows.astype(np.float32)), path)


def _check_read_back(content: Content, path: Path) -> None:
    """Raises InputError for words that would not be read back unchanged: a reader detects the
    layout of a text from its first lines, which unusual words may mislead."""
    if content.kind not in COMPRESSED:
        return
    words, matrix = content.words[:LOOKED_AT], np.asarray(content.matrix[:LOOKED_AT])
    file = io.BytesIO()
    _write(file, content._replace(words=words, matrix=matrix))
    if not reads_back(file.getvalue(), path, words, matrix):
        examples = ", ".join(map(shown, words[:2]))
        problem = f"the format {content.kind} would not give back words such as {examples}"
        raise InputError(f"{problem}: use another one, such as parquet or npy")


def _write(file: IO[bytes], content: Content) -> None:
    words, matrix, counts, kind, dtype, beside, _ = content
    if kind == "npy":
        write_matrix(file, matrix, dtype)
    elif kind == "binary":
        write_binary(file, words, matrix)
    elif kind in ("text", "glove"):
        write_text(file, words, matrix, header=kind == "text")
    elif kind == "fasttext":
        ngrams, config = (None, None) if beside is None else (beside.ngrams, beside.config)
        write_fasttext(file, words, matrix, counts, ngrams, config)
    elif kind == "safetensors":
        write_tensors(file, words, matrix, counts, dtype)
    else:
        write_table(file, words, matrix, counts, kind, dtype)


def write_words(file: IO[bytes], words: Sequence[str], counts: np.ndarray | None) -> None:
    """Writes the word list of a .npy matrix: `word` or `word<TAB>count` lines."""
    if counts is None:
        lines = words
    else:
        lines = [f"{word}\t{count}" for word, count in zip(words, counts.tolist(), strict=True)]
    text = "\n".join(lines)
    mark = "\ufeff" if text.startswith("\ufeff") else ""  # because the reader drops the first one
    file.write(f"{mark}{text}\n".encode())


def storable(content: Content) -> Content:
    """Returns the content without the words that the format cannot represent: repeated ones, those
    with surrogates, and those that `HELD` excludes. Raises InputError for NaN and infinity, and if
    no word is left."""
    words, matrix, counts, kind, _, beside, _ = content
    if len(words) != len(matrix):
        raise ValueError(f"{len(words)} words do not fit a matrix of shape {matrix.shape}")
    for start in range(0, len(matrix), WRITE_ROWS):
        part, remedy = slice(start, start + WRITE_ROWS), "remove the word"
        check_finite(matrix[part], words[part], "the vector of", remedy)
    limits, seen = HELD[kind], set[str]()
    rows, left_out = [], []
    for row, word in enumerate(words):
        if word in seen or not limits.words.fullmatch(word):
            left_out.append(word)
        else:
            seen.add(word)
            rows.append(row)
    warnings = []
    if left_out:
        lost = f"{len(left_out):,} of {len(words):,} words, such as {shown(left_out[0])},"
        why = f"the format {kind} cannot hold repeated words, nor {limits.but}"
        warnings.append(f"{lost} were left out: {why}")
        if not rows:
            raise InputError(f"{warnings[0]}; no word remains to be written")
        words, matrix = [words[row] for row in rows], np.asarray(matrix)[rows]
        counts = None if counts is None else counts[rows]
    if kind != "fasttext" and beside is not None and beside.ngrams is not None:
        ngrams_lost = "the n-grams, and with them the vectors of unknown words, were left out"
        warnings.append(f"{ngrams_lost}: {kind} cannot hold them, but `format` fasttext can")
    return content._replace(words=words, matrix=matrix, counts=counts, warnings=warnings)
