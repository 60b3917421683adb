"""What the text and the binary reader share: the header `V D`, growing storage, and the checks on words and values.

Files are not trusted: a header is compared with the size of the file before anything is reserved for it, and storage
otherwise grows with what was really read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from w2v.errors import InputError
from w2v.vectors.streams import VectorStream

# A line longer than this per value, plus room for the word, is no line of numbers.
MAX_VALUE_BYTES = 64
MAX_WORD_BYTES = 1 << 20
# Far beyond every real model; keeps a lying header from making one "vector" of a whole decompressed stream.
MAX_DIM = 1 << 20

HEADER = re.compile(rb"[ \t]*([+-]?[0-9]{1,18})[ \t]+([+-]?[0-9]{1,18})[ \t]*(?:\r?\n|\Z)")


@dataclass(frozen=True)
class Header:
    """The first line of a word2vec file."""

    n_words: int
    dim: int
    length: int  # bytes, with the line end


def parse_header(sample: bytes) -> Header | None:
    """The header at the start of `sample`, or None when the first line is not two whole numbers."""
    match = HEADER.match(sample)
    return Header(int(match[1]), int(match[2]), match.end()) if match else None


def check_header(header: Header, stream: VectorStream, min_vector_bytes: int) -> None:
    """Refuses a header that promises nothing, or more than a file of this size can hold.

    Args:
        min_vector_bytes: what one word and its vector need at least.

    Raises:
        InputError: the header lies.
    """
    if header.n_words < 1 or not 1 <= header.dim <= MAX_DIM:
        raise InputError(
            f"{stream.name}: its header says {header.n_words} words of {header.dim} dimensions, "
            "which is no set of vectors; save the file again"
        )
    need = header.n_words * min_vector_bytes
    if stream.size is not None and need > stream.size - header.length:
        raise InputError(
            f"{stream.name}: its header says {header.n_words} words of {header.dim} dimensions, which need at least "
            f"{need} bytes, but only {stream.size - header.length} follow; "
            "the file is cut short or the header is wrong: copy or save it again"
        )


class RowBuffer:
    """A float32 matrix [n, D] that grows with what is read, in place, by half its size at a time."""

    def __init__(self, dim: int) -> None:
        self._matrix = np.empty((0, dim), np.float32)
        self._rows = 0

    def append(self, rows: np.ndarray) -> None:
        """Adds rows [n, D]."""
        needed = self._rows + len(rows)
        if needed > len(self._matrix):
            self._matrix.resize((max(needed, len(self._matrix) * 3 // 2), self._matrix.shape[1]), refcheck=False)
        self._matrix[self._rows : needed] = rows
        self._rows = needed

    def finish(self) -> np.ndarray:
        """The matrix, shrunk to what it holds."""
        self._matrix.resize((self._rows, self._matrix.shape[1]), refcheck=False)
        return self._matrix


def decode_words(raw: Sequence[bytes], first: int, offsets: Sequence[int], name: str, errors: str) -> list[str]:
    """The words as text.

    Args:
        first: number of the first word, for the message.
        offsets: where each word starts in the file, for the message.
        errors: "strict" or "replace".

    Raises:
        InputError: a word is not UTF-8 and `errors` is "strict".
    """
    try:
        return [word.decode("utf-8", errors) for word in raw]
    except UnicodeDecodeError:
        pass
    for i, word in enumerate(raw):
        try:
            word.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InputError(
                f"{name}: word {first + i} is not valid UTF-8 (byte {offsets[i] + error.start} of the file is "
                f"0x{word[error.start]:02x}); --encoding-errors replace reads it all the same"
            ) from None
    raise AssertionError("the words decoded the second time")


def check_values(words: Sequence[str], rows: np.ndarray, name: str) -> None:
    """Refuses NaN and infinity in rows [n, D].

    Raises:
        InputError: naming the first word whose vector has one.
    """
    if np.isfinite(rows).all():
        return
    word = words[int(np.flatnonzero(~np.isfinite(rows).all(axis=1))[0])]
    raise InputError(f"{name}: the vector of {word!r} holds NaN or infinity; remove it or save the vectors again")


def check_unique(words: Sequence[str], name: str, errors: str) -> None:
    """Refuses a word that stands there twice.

    Under "replace" different broken words may become the same one; the first then counts.

    Raises:
        InputError: naming the first such word.
    """
    if errors == "replace" or len(set(words)) == len(words):
        return
    seen: dict[str, int] = {}
    for i, word in enumerate(words, 1):
        if word in seen:
            raise InputError(f"{name}: {word!r} is both word {seen[word]} and word {i}; remove one of the two")
        seen[word] = i
