"""Writes vectors in the format that the file's extension names. The file is whole or not there, and
holds nothing that would be refused when it is read: words that the format cannot hold are left out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from w2v.errors import InputError, shown
from w2v.system.files import atomic_file
from w2v.vectors.binary import write_binary
from w2v.vectors.text import write_text

FORBIDDEN = re.compile("[\t\n\r\ud800-\udfff]")
FORBIDDEN_OR_BLANK = re.compile("[ \t\n\r\ud800-\udfff]")
WRITE_ROWS = 8192  # rows of a matrix written at a time
# word2vec's text and binary, GloVe's text; a matrix, whose words go to NAME.vocab.tsv beside it
FORMATS = {".txt": "text", ".vec": "text", ".bin": "binary", ".glove": "glove", ".npy": "npy"}


class Content(NamedTuple):
    """What a file holds: the words, their rows, which these are of those given (None for all),
    and what to tell about the others."""

    words: list[str]
    matrix: np.ndarray
    rows: list[int] | None
    warnings: list[str]


def check_format(path: str | Path) -> str:
    """The format that the extension of `path` names: "text", "binary", "glove" or "npy"."""
    name = Path(path).name.lower()
    if name.endswith(".glove.txt"):
        return "glove"
    suffix = Path(name).suffix
    if suffix not in FORMATS:
        raise InputError(
            f"cannot tell the format of {path} from its extension; use one of {', '.join(FORMATS)}"
        )
    return FORMATS[suffix]


def save_vectors(
    path: str | Path,
    words: Sequence[str],
    matrix: np.ndarray,
    counts: np.ndarray | None = None,
    kind: str | None = None,
) -> Content:
    """Writes `words` [V] and `matrix` [V, D] float32 to `path`, in the format `kind` where the
    extension does not say; only .npy keeps the `counts` [V], in its word list. Returns what the
    file holds, with a warning if words had to be left out. Raises InputError where the extension is
    unknown, or the numbers hold NaN or infinity."""
    path = Path(path)
    kind = kind or check_format(path)
    content = storable(list(words), matrix, kind)
    if kind == "npy":
        if counts is not None and content.rows is not None:
            counts = counts[content.rows]
        # neither takes its place before both are written
        with atomic_file(path.with_suffix(".vocab.tsv")) as list_file, atomic_file(path) as file:
            write_words(list_file, content.words, counts)
            list_file.flush()
            write_matrix(file, content.matrix)
    else:
        with atomic_file(path) as file:
            _write(file, content, kind)
    return content


def write_matrix(file: IO[bytes], matrix: np.ndarray) -> None:
    """Writes [V, D] float32 as .npy, in blocks of rows: no copy of a padded matrix, and a full disk
    is told as such."""
    header = {"descr": "<f4", "fortran_order": False, "shape": matrix.shape}
    np.lib.format.write_array_header_1_0(file, header)
    for start in range(0, len(matrix), WRITE_ROWS):
        file.write(np.ascontiguousarray(matrix[start : start + WRITE_ROWS], "<f4").data)


def write_vectors(file: IO[bytes], words: Sequence[str], matrix: np.ndarray, kind: str) -> Content:
    """Writes to an open binary file, such as standard output, as `save_vectors` does; `kind` is
    "text", "binary" or "glove"."""
    content = storable(list(words), matrix, kind)
    _write(file, content, kind)
    return content


def _write(file: IO[bytes], content: Content, kind: str) -> None:
    if kind == "binary":
        write_binary(file, content.words, content.matrix)
    elif kind in ("text", "glove"):
        write_text(file, content.words, content.matrix, header=kind == "text")
    else:
        raise InputError(
            f"{kind} keeps the words in a second file, so it cannot be written to a stream; use"
            " text or binary"
        )


def write_words(file: IO[bytes], words: Sequence[str], counts: np.ndarray | None) -> None:
    """Writes the word list that stands beside a .npy matrix: `word` or `word<TAB>count` lines."""
    if counts is None:
        lines = words
    else:
        lines = [f"{word}\t{count}" for word, count in zip(words, counts.tolist(), strict=True)]
    text = "\n".join(lines)
    mark = "\ufeff" if text.startswith("\ufeff") else ""  # the reader drops one
    file.write(f"{mark}{text}\n".encode())


def storable(words: list[str], matrix: np.ndarray, kind: str) -> Content:
    """Leaves out the words that the format `kind` could not give back: empty ones, those that stand
    there before, hold line ends, tabs or (but in .npy) blanks, or are no valid Unicode. Raises
    InputError for NaN and infinity, and where no word is left."""
    if len(words) != len(matrix):
        raise ValueError(f"{len(words)} words do not fit a matrix of shape {matrix.shape}")
    for start in range(0, len(matrix), WRITE_ROWS):
        wrong = np.flatnonzero(~np.isfinite(matrix[start : start + WRITE_ROWS]).all(axis=1))
        if len(wrong):
            raise InputError(
                f"the vector of {shown(words[start + wrong[0]])} holds NaN or infinity, which no"
                " file of vectors may; remove it"
            )
    forbidden = FORBIDDEN if kind == "npy" else FORBIDDEN_OR_BLANK
    known = set(words)
    if len(known) == len(words) and "" not in known and not forbidden.search("".join(words)):
        return Content(words, matrix, None, [])
    known, rows, left_out = {""}, [], []
    for row, word in enumerate(words):
        if word in known or forbidden.search(word):
            left_out.append(word)
        else:
            known.add(word)
            rows.append(row)
    what = "tabs" if kind == "npy" else "blanks (as .npy can), tabs"
    said = (
        f"{len(left_out):,} of {len(words):,} words, such as {shown(left_out[0])}, were left out:"
        f" the format holds no empty or equal ones, and none with {what} or line ends"
    )
    if not rows:
        raise InputError(f"{said}; no word remains to be written")
    kept = [words[row] for row in rows]
    return Content(kept, np.asarray(matrix)[rows], rows, [said])
