"""What the text and the binary reader share: the header `V D`, growing storage, and the checks on
words and values.

Files are not trusted: a header is compared with the size of the file before anything is reserved
for it, and storage otherwise grows with what was really read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

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
        sample: its first bytes, which `read` gives again; the whole file when `sample_is_all`.
        size: bytes in all, or None when that is only known at the end (compressed files, pipes).
        limit, errors: how many words to read, None for all, and what becomes of broken ones.
        warnings: what its reader found that the user should know, in plain sentences.
    """

    def __init__(
        self, file: Decompressed, size: int | None, limit: int | None, errors: str
    ) -> None:
        self.name, self.size, self._file = file.name, size, file
        self.limit, self.errors = limit, errors
        self.warnings: list[str] = []
        self._pending = self.sample = file.read(SAMPLE_BYTES)
        self.sample_is_all = len(self.sample) < SAMPLE_BYTES

    def read(self) -> bytes:
        """Returns some further bytes, none only at the end."""
        chunk, self._pending = self._pending, b""
        return chunk or self._file.read(CHUNK_BYTES)


class Header(NamedTuple):
    """The first line of a word2vec file."""

    n_words: int
    dim: int
    length: int  # bytes, with the line end

    def __str__(self) -> str:
        return f"{self.n_words} words of {self.dim} dimensions"


def parse_header(sample: bytes) -> Header | None:
    """The header at the start of `sample`, or None when the first line is not two whole numbers."""
    match = HEADER.match(sample)
    return Header(int(match[1]), int(match[2]), match.end()) if match else None


def words_to_read(header: Header, stream: VectorStream, min_vector_bytes: int) -> int:
    """How many words to read. Refuses a header that promises nothing, more than a file of this size
    can hold (a word and its vector need `min_vector_bytes`), or more than fits the memory."""
    name, n_words = stream.name, header.n_words
    wanted = min(n_words, stream.limit or n_words)
    if n_words < 1 or not 1 <= header.dim <= MAX_DIM:
        raise InputError(
            f"{name}: its header says {header}, which is no set of vectors; save the file again"
        )
    if stream.size is None:  # the memory is checked while the rows come in
        return wanted
    need, left = n_words * min_vector_bytes, stream.size - header.length
    if need > left:
        raise InputError(
            f"{name}: its header says {header}, which need at least {need} bytes, but only {left}"
            " follow; the file is cut short or the header is wrong: copy or save it again"
        )
    check_memory(wanted, header.dim, name)
    return wanted


def check_memory(n_words: int, dim: int, name: str, have: int = 0) -> None:
    """Raises RunError for more words than fit the free memory; `have` of them are there already."""
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


class Storage:
    """The words read so far, and a float32 matrix of their rows that grows in place, by half its
    size at a time."""

    def __init__(self, dim: int, stream: VectorStream) -> None:
        self.words: list[str] = []
        self._matrix = np.empty((0, dim), np.float32)
        self._name, self._errors = stream.name, stream.errors

    def append(self, raw: Sequence[bytes], offsets: Sequence[int], rows: np.ndarray) -> None:
        """Adds words, which start at these `offsets` of the file, with their rows [n, D]; refuses
        what is not UTF-8, NaN and infinity."""
        before, name = len(self.words), self._name
        self.words += decode_words(raw, before, offsets, name, self._errors)
        wrong = np.flatnonzero(~np.isfinite(rows).all(axis=1))
        if len(wrong):
            word = shown(self.words[before + wrong[0]])
            raise InputError(
                f"{name}: the vector of {word} holds NaN or infinity; remove it or save the vectors"
                " again"
            )
        after, (room, dim) = len(self.words), self._matrix.shape
        if after > room:
            room = max(after, room * 3 // 2)
            check_memory(room, dim, name, before)
            self._matrix.resize((room, dim), refcheck=False)
        self._matrix[before:after] = rows

    def finish(self) -> tuple[list[str], np.ndarray]:
        """The words, and the matrix, shrunk to what it holds."""
        self._matrix.resize((len(self.words), self._matrix.shape[1]), refcheck=False)
        return self.words, self._matrix


def decode_words(
    raw: Sequence[bytes], before: int, offsets: Sequence[int], name: str, errors: str
) -> list[str]:
    """The words as text: those behind the first `before`, at these `offsets` of the file; `errors`
    is "strict" or "replace"."""
    words: list[str] = []
    try:
        for word in raw:
            words.append(word.decode("utf-8", errors))
    except UnicodeDecodeError as error:
        place, byte = offsets[len(words)] + error.start, error.object[error.start]
        raise InputError(
            f"{name}: word {before + len(words) + 1} is not valid UTF-8 (byte {place} of the file"
            f" is 0x{byte:02x}); `encoding_errors` replace reads it all the same"
        ) from None
    return words


def check_unique(words: Sequence[str], name: str, errors: str) -> None:
    """Refuses a word that stands there twice. Under "replace" different broken words may become the
    same one; the first then counts."""
    if errors == "replace" or len(set(words)) == len(words):
        return
    first: dict[str, int] = {}
    for i, word in enumerate(words, 1):
        if first.setdefault(word, i) < i:
            raise InputError(
                f"{name}: {shown(word)} is both word {first[word]} and word {i}; remove one of"
                " the two"
            )
