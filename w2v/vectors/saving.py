"""Writes vectors in the format that the file's extension names. The file is whole or not there.

.txt, .vec      word2vec text: a line `V D`, then one line per word
.bin            word2vec binary, as word2vec.c writes it
.glove          GloVe text: as .txt without the first line
.npy            NumPy matrix [V, D]; the words go to NAME.vocab.tsv beside it
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np

from w2v.errors import InputError
from w2v.system.files import atomic_file
from w2v.vectors.binary import write_binary
from w2v.vectors.text import write_text

WRITE_ROWS = 8192  # rows of a matrix written at a time
FORMATS = {".txt": "text", ".vec": "text", ".bin": "binary", ".glove": "glove", ".npy": "npy"}


def check_format(path: str | Path) -> str:
    """The format that the extension of `path` names: "text", "binary", "glove" or "npy".

    Raises:
        InputError: no format has this extension.
    """
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
) -> None:
    """Writes `words` [V] and `matrix` [V, D] float32 to `path`, in the format `kind` where the
    extension does not say; only .npy keeps the `counts` [V], in its word list.

    Raises:
        InputError: the extension is unknown, or the format cannot hold one of the words.
        RunError: the file cannot be written.
    """
    path = Path(path)
    kind = kind or check_format(path)
    words = list(words)
    check_words(words, kind)
    if kind == "npy":
        # neither takes its place before both are written
        with atomic_file(path.with_suffix(".vocab.tsv")) as list_file, atomic_file(path) as file:
            write_words(list_file, words, counts)
            list_file.flush()
            write_matrix(file, matrix)
    else:
        with atomic_file(path) as file:
            write_vectors(file, words, matrix, kind)


def write_matrix(file: IO[bytes], matrix: np.ndarray) -> None:
    """Writes [V, D] float32 as .npy, in blocks of rows: no copy of a padded matrix, and a full disk
    is told as such."""
    np.lib.format.write_array_header_1_0(
        file, {"descr": "<f4", "fortran_order": False, "shape": matrix.shape}
    )
    for start in range(0, len(matrix), WRITE_ROWS):
        file.write(np.ascontiguousarray(matrix[start : start + WRITE_ROWS], "<f4").data)


def write_vectors(file: IO[bytes], words: Sequence[str], matrix: np.ndarray, kind: str) -> None:
    """Writes to an open binary file, such as standard output; `kind` is "text", "binary" or
    "glove".

    Raises:
        InputError: the format cannot hold one of the words, or needs a second file.
    """
    words = list(words)
    if len(words) != len(matrix):
        raise ValueError(f"{len(words)} words do not fit a matrix of shape {matrix.shape}")
    check_words(words, kind)
    if kind == "binary":
        write_binary(file, words, matrix)
    elif kind in ("text", "glove"):
        write_text(file, words, matrix, header=kind == "text")
    else:
        raise InputError(
            f"{kind} keeps the words in a second file, so it cannot be written to a stream; use"
            " text or binary"
        )


def write_words(file: IO[bytes], words: Sequence[str], counts: np.ndarray | None) -> None:
    """Writes the word list that stands beside a .npy matrix: `word` or `word<TAB>count` lines."""
    if counts is None:
        lines = list(words)
    else:
        lines = [f"{word}\t{count}" for word, count in zip(words, counts.tolist(), strict=True)]
    file.write(("\n".join(lines) + "\n").encode("utf-8"))


def check_words(words: Sequence[str], kind: str) -> None:
    """Raises InputError for the first word that the format `kind` could not give back."""
    forbidden = "\t\n" if kind == "npy" else " \n"
    try:
        joined = "".join(words)
        joined.encode("utf-8")
    except UnicodeEncodeError as error:
        word = next(word for word in words if joined[error.start] in word)
        raise InputError(
            f"the word {word!r} is not valid Unicode, so it cannot be saved; remove it"
        ) from None
    if "" in words or any(mark in joined for mark in forbidden):
        word = next(word for word in words if not word or any(mark in word for mark in forbidden))
        what = "tab" if kind == "npy" else "space"
        raise InputError(
            f"the word {word!r} is empty or contains a {what} or a line break, which this format"
            " cannot hold; use another format or remove the word"
        )
