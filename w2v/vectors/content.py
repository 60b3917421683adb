"""Code shared by the readers: the header `V D` of text and binary files, growing storage, and
checks of words and values.

Files are not trusted: a header is compared with the size of the file before memory is allocated for
it; if the size is unknown, storage grows with the data actually read.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from w2v.errors import InputError, shown
from w2v.system.compression import Decompressed
from w2v.system.fields import without_mark
from w2v.system.limits import MANY_WORD_BYTES, MAX_DIM, MEAN_WORD_BYTES
from w2v.system.memory import check_free
from w2v.vectors.precision import check_finite

SAMPLE_BYTES = 1 << 20
CHUNK_BYTES = 1 << 20
# A line with more bytes per value, besides the word, is not a line of numbers.
MAX_VALUE_BYTES = 64
# Memory for a word besides its row: a Python string, and entries in a list and a dictionary.
WORD_BYTES = 160

HEADER = re.compile(rb"[ \t]*([+-]?[0-9]{1,18})[ \t,;]+([+-]?[0-9]{1,18})[ \t,;]*(?:\r?\n|\Z)")
CONTROL_BYTES = bytes(set(range(32)) - set(b"\t\n\r"))
# Reject files with too many repetitions of the same words.
MANY_REPEATED = 10_000


class VectorStream:
    """The (decompressed) bytes of one vector file, with its first bytes available beforehand.

    Attributes:
        sample: its first bytes, which `read` returns again; the whole file if `sample_is_all`.
        start: length in bytes of the byte-order mark before them.
        size: total bytes, or None if known only at the end (compressed files, pipes).
        limit: how many words to read; None: all.
        errors: how to handle words that are not UTF-8, "strict" or "replace".
        warnings: sentences for the user about the file, added by its reader.
    """

    def __init__(
        self, file: Decompressed, size: int | None, limit: int | None, errors: str
    ) -> None:
        self.name, self.size, self._file = file.name, size, file
        self.limit, self.errors = limit, errors
        self.warnings: list[str] = []
        data = file.read(SAMPLE_BYTES)
        self.sample_is_all = len(data) < SAMPLE_BYTES
        sample = without_mark(data, self.name)
        self.start = len(data) - len(sample)
        # In a text without any LF, each CR is a line end.
        self._with_cr = b"\r" in sample and b"\n" not in sample and is_text(sample)
        self.sample = self._pending = self._with_line_ends(sample)

    def read(self) -> bytes:
        """Returns the next bytes; empty only at the end."""
        chunk, self._pending = self._pending, b""
        return chunk or self._with_line_ends(self._file.read(CHUNK_BYTES))

    def _with_line_ends(self, data: bytes) -> bytes:
        return data.replace(b"\r", b"\n") if self._with_cr else data


def is_text(data: bytes) -> bool:
    """Returns whether the bytes contain no control characters except tabs and line ends."""
    return len(data.translate(None, CONTROL_BYTES)) == len(data)


def damaged(name: object, problem: str) -> InputError:
    """Returns the error to raise if the content of a file contradicts its header or beginning."""
    cause = "the file is truncated or damaged, or its header is wrong"
    return InputError(f"{name}: {problem}; {cause}: copy or save it again")


class Header(NamedTuple):
    """The first line of a word2vec file."""

    n_words: int
    dim: int
    length: int  # in bytes, including the line end

    def __str__(self) -> str:
        return f"{self.n_words} words of {self.dim} dimensions"


def parse_header(sample: bytes) -> Header | None:
    """Returns the header at the start of `sample`; None if its first line is not two integers."""
    match = HEADER.match(sample)
    return Header(int(match[1]), int(match[2]), match.end()) if match else None


def words_to_read(header: Header, stream: VectorStream, min_vector_bytes: int) -> int:
    """Returns how many words to read. Raises InputError if the header claims no words, or more than
    a file of this size can hold (a word and its vector need at least `min_vector_bytes`), and
    RunError if they do not fit the free memory."""
    name, n_words = stream.name, header.n_words
    to_read = min(n_words, stream.limit or n_words)
    if n_words < 1 or not 1 <= header.dim <= MAX_DIM:
        raise damaged(name, f"its header says {header}, which is impossible")
    if stream.size is None:  # memory is then checked while the rows are read
        return to_read
    need, available = n_words * min_vector_bytes, stream.size - stream.start - header.length
    if need > available:
        problem = f"its header says {header}, which need at least {need} bytes"
        raise damaged(name, f"{problem}, but only {available} follow")
    check_memory(to_read, header.dim, name)
    return to_read


def check_memory(n_words: int, dim: int, name: str, have: int = 0) -> None:
    """Raises RunError if `n_words` words, `have` of them read already, exceed the free memory."""
    needed, size = (n_words - have) * (4 * dim + WORD_BYTES), f"{n_words:,} words x {dim}"
    check_free(f"{name}: reading {size}", needed, "read fewer of its words with `limit`")


class Storage:
    """Collects the distinct words read so far, and a float32 matrix of their rows that grows in
    place, by 1/32 of its size at a time, but not beyond `n_words` rows if that is given.

    Attributes:
        words: the distinct words.
        read: how many words have been read, including repetitions.
    """

    def __init__(self, dim: int, stream: VectorStream, n_words: int = 0) -> None:
        self.words: list[str] = []
        self._n_words = n_words or stream.limit or sys.maxsize
        self.read = self._word_bytes = 0
        self._seen: set[str] = set()
        self._repeated = ""
        self._matrix = np.empty((0, dim), np.float32)
        self._counts: list[np.ndarray] = []
        self._stream, self._name = stream, stream.name

    def append(
        self,
        raw: Sequence[bytes],
        offsets: Sequence[int] | None,
        rows: np.ndarray,
        counts: np.ndarray | None = None,
    ) -> None:
        """Adds words with their rows [n, D] and counts [n]. `offsets` are their positions in the
        file, for messages. Raises InputError for invalid UTF-8, NaN and infinity."""
        before, name = len(self.words), self._name
        words = decode_words(raw, self.read, offsets, name, self._stream.errors)
        remedy = "remove it or save the vectors again"
        check_finite(rows, words, f"{name}: the vector of", remedy)
        self.read += len(words)
        if (new := self._new(words)) is not None:
            words, rows = [words[i] for i in new], rows[new]
            counts = None if counts is None else counts[new]
        if counts is not None:
            self._counts.append(counts)
        self._word_bytes += sum(map(len, words))
        if self._word_bytes > MANY_WORD_BYTES + MEAN_WORD_BYTES * (before + len(words)):
            problem = f"more than {MEAN_WORD_BYTES} bytes on average"
            word = shown(max(words, key=len), 20)
            raise InputError(f"{name}: its words have {problem} ({word}): is it a file of vectors?")
        self.words += words
        after, (room, dim) = len(self.words), self._matrix.shape
        if after > room:
            # Grow only a little: new rows are zeroed and thus take memory. Resizing a large matrix
            # does not copy it.
            room = max(after, min(room * 33 // 32, self._n_words))
            check_memory(room, dim, name, before)
            self._matrix.resize((room, dim), refcheck=False)
        self._matrix[before:after] = rows

    def _new(self, words: Sequence[str]) -> list[int] | None:
        """Returns the positions of the words that are new, or None if all are."""
        n_before = len(self._seen)
        fresh = set(words)
        if len(fresh) == len(words) and self._seen.isdisjoint(fresh):
            self._seen |= fresh
            return None
        positions = []
        for i, word in enumerate(words):
            if word in self._seen:
                self._repeated = self._repeated or word
            else:
                self._seen.add(word)
                positions.append(i)
        if self.read - n_before - len(positions) > max(MANY_REPEATED, n_before):
            problem = f"most of its words occur more than once, such as {shown(self._repeated)}"
            raise InputError(f"{self._name}: {problem}; is it a file of word vectors?")
        return positions

    def finish(self) -> tuple[list[str], np.ndarray]:
        """Returns the words and the matrix, without its spare rows."""
        if (repeated := self.read - len(self.words)) > 0:
            self._stream.warnings.append(say_repeated(repeated, self._repeated, self._name))
        self._matrix.resize((len(self.words), self._matrix.shape[1]), refcheck=False)
        return self.words, self._matrix

    def counts(self) -> np.ndarray | None:
        """Returns the counts [V] int64 if every word has one, else None. Raises InputError unless
        they and their sum fit int64 and are not negative."""
        counts = np.concatenate([np.empty(0, np.int64), *self._counts])
        if len(counts) < len(self.words):
            return None
        if counts.min() < 0 or counts.sum(dtype=np.float64) >= 2**63:
            problem = "are negative, or add up to more than 64 bits hold"
            raise InputError(f"{self._name}: its counts {problem}; leave them out")
        return counts.astype(np.int64)


class Part(NamedTuple):
    """Words in UTF-8, their rows [n, D] float32, and their counts [n] if known."""

    raw: Sequence[bytes]
    rows: np.ndarray
    counts: np.ndarray | None


def gather(
    parts: Iterable[Part], stream: VectorStream
) -> tuple[list[str], np.ndarray, np.ndarray | None]:
    """Joins parts: returns words, matrix [V, D] float32, and counts [V] if all parts have them."""
    storage = None
    for raw, rows, counts in parts:
        dim = rows.shape[1]
        if storage is None:
            if not 1 <= dim <= MAX_DIM:
                raise InputError(f"{stream.name} has vectors of {dim:,} values: save it again")
            storage, first = Storage(dim, stream), dim
        elif dim != first:
            problem = f"{first:,} values, then {dim:,}; they must be equally long"
            raise InputError(f"{stream.name} has vectors of {problem}")
        room = None if stream.limit is None else stream.limit - storage.read
        storage.append(raw[:room], None, rows[:room], None if counts is None else counts[:room])
        if storage.read == stream.limit:
            break
    if storage is None:
        raise InputError(f"{stream.name} has no rows; give a file of word vectors")
    return (*storage.finish(), storage.counts())


def decode_words(
    raw: Sequence[bytes], before: int, offsets: Sequence[int] | None, name: str, errors: str
) -> list[str]:
    """Decodes words from UTF-8; `errors` is "strict" (raise InputError) or "replace". For messages,
    `before` is the number of words before these, and `offsets` their positions in the file."""
    words: list[str] = []
    try:
        for word in raw:
            words.append(word.decode("utf-8", errors))
    except UnicodeDecodeError as error:
        offset, byte = error.start, error.object[error.start]
        where = f"its byte {offset}"
        if offsets is not None:
            where = f"byte {offsets[len(words)] + offset} of the file"
        raise InputError(
            f"{name}: word {before + len(words) + 1} is not valid UTF-8 ({where}"
            f" is 0x{byte:02x}); `encoding_errors` replace reads it nevertheless"
        ) from None
    return words


def say_repeated(count: int, word: str, name: str) -> str:
    """Returns the warning about `count` repetitions of words in a file, such as `word`."""
    words = "word was" if count == 1 else "words were"
    repeated = f"{count:,} repeated {words} left out, such as {shown(word)}"
    return f"{name}: {repeated}; the first vector of each is used"
