"""What the text and the binary reader share: the header `V D`, growing storage, and the checks on
words and values.

Files are not trusted: a header is compared with the size of the file before anything is reserved
for it, and storage otherwise grows with what was really read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from w2v.errors import InputError, RunError, shown
from w2v.system.compression import Decompressed
from w2v.system.limits import MAX_DIM
from w2v.system.memory import available_memory

SAMPLE_BYTES = 1 << 20
CHUNK_BYTES = 4 << 20
# A line longer than this per value, plus room for the word, is no line of numbers.
MAX_VALUE_BYTES = 64
# A word in memory beside its row: a Python string, and its places in a list and in a dictionary.
WORD_BYTES = 160
# Memory is asked for only where it could be short.
CHECKED_BYTES = 64 << 20

HEADER = re.compile(rb"[ \t]*([+-]?[0-9]{1,18})[ \t]+([+-]?[0-9]{1,18})[ \t]*(?:\r?\n|\Z)")


class VectorStream:
    """The (decompressed) bytes of one vector file, with a look at its beginning first.

    Attributes:
        name: the file's name for messages.
        sample: its first bytes, which `read` gives again; the whole file when `sample_is_all`.
        size: bytes in all, or None when that is only known at the end (compressed files, pipes).
        warnings: what its reader found that the user should know, in plain sentences.
    """

    def __init__(self, file: Decompressed, size: int | None) -> None:
        self.name = file.name
        self.size = size
        self.warnings: list[str] = []
        self._file = file
        self._pending = self.sample = file.read(SAMPLE_BYTES)
        self.sample_is_all = len(self.sample) < SAMPLE_BYTES

    def read(self, size: int = CHUNK_BYTES) -> bytes:
        """Returns up to `size` further bytes, none only at the end.

        Raises:
            InputError: the compressed data are damaged or cut short.
            RunError: the device fails.
        """
        if self._pending:
            chunk, self._pending = self._pending[:size], self._pending[size:]
            return chunk
        return self._file.read(size)


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


def check_header(
    header: Header, stream: VectorStream, min_vector_bytes: int, limit: int | None
) -> None:
    """Refuses a header that promises nothing, more than a file of this size can hold, or more than
    fits the memory.

    Args:
        min_vector_bytes: what one word and its vector need at least.
        limit: words that will be read, None for all.

    Raises:
        InputError: the header lies.
        RunError: there is not enough memory.
    """
    if header.n_words < 1 or not 1 <= header.dim <= MAX_DIM:
        raise InputError(
            f"{stream.name}: its header says {header.n_words} words of {header.dim} dimensions, "
            "which is no set of vectors; save the file again"
        )
    need = header.n_words * min_vector_bytes
    if stream.size is not None and need > stream.size - header.length:
        raise InputError(
            f"{stream.name}: its header says {header.n_words} words of {header.dim} dimensions,"
            f" which need at least {need} bytes, but only {stream.size - header.length} follow; the"
            " file is cut short or the header is wrong: copy or save it again"
        )
    # else the header is all we know: the memory is checked while the rows come in
    if stream.size is not None:
        check_memory(min(header.n_words, limit or header.n_words), header.dim, stream.name)


def check_memory(n_words: int, dim: int, name: str, have: int = 0) -> None:
    """Refuses to read what does not fit the free memory, before it is allocated.

    Args:
        have: words that are in memory already.

    Raises:
        RunError: saying how much is needed and how much is free.
    """
    needed = (n_words - have) * (4 * dim + WORD_BYTES)
    if needed < CHECKED_BYTES:
        return
    available = available_memory()
    if available is not None and needed > available:
        more = " more" if have else ""
        raise RunError(
            f"{name}: reading {n_words:,} words x {dim} needs {needed / 1e9:.1f} GB{more} of"
            f" memory, {available / 1e9:.1f} GB are free; read fewer of its words with `limit`"
        )


class RowBuffer:
    """A float32 matrix [n, D] that grows with what is read, in place, by half its size at a
    time."""

    def __init__(self, dim: int, name: str) -> None:
        self._matrix = np.empty((0, dim), np.float32)
        self._rows = 0
        self._name = name

    def append(self, rows: np.ndarray) -> None:
        """Adds rows [n, D].

        Raises:
            RunError: there is no memory for them.
        """
        needed = self._rows + len(rows)
        if needed > len(self._matrix):
            size, dim = max(needed, len(self._matrix) * 3 // 2), self._matrix.shape[1]
            check_memory(size, dim, self._name, self._rows)
            self._matrix.resize((size, dim), refcheck=False)
        self._matrix[self._rows : needed] = rows
        self._rows = needed

    def finish(self) -> np.ndarray:
        """The matrix, shrunk to what it holds."""
        self._matrix.resize((self._rows, self._matrix.shape[1]), refcheck=False)
        return self._matrix


def decode_words(
    raw: Sequence[bytes], first: int, offsets: Sequence[int], name: str, errors: str
) -> list[str]:
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
                f"{name}: word {first + i} is not valid UTF-8 (byte {offsets[i] + error.start} of"
                f" the file is 0x{word[error.start]:02x}); `encoding_errors` replace reads it all"
                " the same"
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
    raise InputError(
        f"{name}: the vector of {shown(word)} holds NaN or infinity; remove it or save the vectors"
        " again"
    )


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
            raise InputError(
                f"{name}: {shown(word)} is both word {seen[word]} and word {i}; remove one of"
                " the two"
            )
        seen[word] = i
