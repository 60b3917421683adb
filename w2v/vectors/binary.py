"""word2vec's binary format: a line `V D`, then for each word the word, a space, and D little-endian
float32.

word2vec.c writes a line end after each vector, gensim does not; the reader accepts both. The writer
follows word2vec.c, whose form both can read. The end of a word that holds a space cannot be told;
files with such words are recognised by what follows them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO

import numpy as np

from w2v.errors import InputError, shown
from w2v.system.limits import MAX_WORD_BYTES
from w2v.vectors.content import Header, Storage, VectorStream, damaged, words_to_read

WRITE_ROWS = 8192
NEXT_BYTES = 256  # enough for nearly every word
SANE = 1e-12, 1e6  # absolute values of the numbers in a vector, but for 0


def walk(
    data: bytes | bytearray, position: int, dim: int, n_words: int
) -> tuple[list[int], list[int], int]:
    """Finds at most `n_words` complete records from `position` on. Returns the offsets at which
    their words start and end, and the offset of the next record."""
    starts: list[int] = []
    ends: list[int] = []
    size, newline = len(data), ord("\n")
    while len(starts) < n_words:
        start = position
        while start < size and data[start] == newline:
            start += 1
        end = data.find(b" ", start)
        if end < 0 or end + 1 + 4 * dim > size:
            break
        starts.append(start)
        ends.append(end)
        position = end + 1 + 4 * dim
    return starts, ends, position


def fits_binary(sample: bytes, header: Header) -> bool:
    """Returns whether `sample`, a whole file, consists of exactly the records its header claims."""
    starts, _, position = walk(sample, header.length, header.dim, header.n_words)
    return len(starts) == header.n_words and not sample[position:].strip(b"\n")


def read_binary(stream: VectorStream, header: Header) -> tuple[list[str], np.ndarray]:
    """Returns the words and vectors [V, D] float32. Raises InputError if the records do not match
    the header."""
    dim, name, skip = header.dim, stream.name, header.length
    n_words = words_to_read(header, stream, 4 * dim + 1)
    storage = Storage(dim, stream, n_words)
    buffer, row = bytearray(), b""  # the row: of the last record before `buffer`
    passed = 0  # bytes of the file before `buffer`
    while (before := storage.read) < n_words:
        chunk = stream.read()
        if not chunk:
            raise damaged(name, f"its header says {header}, but it ends after {before} words")
        buffer += chunk
        starts, ends, position = walk(buffer, skip, dim, n_words - before)
        raw = [bytes(buffer[a:b]) for a, b in zip(starts, ends, strict=True)]
        for start, word in zip(starts, raw, strict=True):
            if not _is_plain(word):
                before_it = buffer[start - 4 * dim : start] if start >= 4 * dim else row
                _check_spaces(before_it, buffer[start : start + 4 * dim + NEXT_BYTES], name)
        data = b"".join([buffer[b + 1 : b + 1 + 4 * dim] for b in ends])
        wrong = (i for i, word in enumerate(raw) if b"\n" in word or len(word) > MAX_WORD_BYTES)
        no_word = next(wrong, None)  # index of the first record that is not one
        if no_word is None:
            offsets = [stream.start + passed + start for start in starts]
            storage.append(raw, offsets, np.frombuffer(data, "<f4").reshape(len(raw), dim))
            # more than the longest record, including line end and space, is left without a record
            endless = len(buffer) - position > 4 * dim + MAX_WORD_BYTES + 2
            if endless and storage.read < n_words:
                no_word = len(raw)
        if no_word is not None:
            problem = f"there is no word after vector {before + no_word}, as its header requires"
            raise damaged(name, problem)
        row = bytes(buffer[position - 4 * dim : position]) if raw else row
        del buffer[:position]
        passed, skip = passed + position, 0
    while stream.limit is None or stream.limit > header.n_words:
        if buffer.strip(b"\n"):
            raise damaged(name, f"more data follow the {header} of its header")
        if not (buffer := bytearray(stream.read())):
            break
    return storage.finish()


def _is_plain(word: bytes | bytearray) -> bool:
    """Returns whether `word` is UTF-8 without control characters."""
    try:
        return word.decode().isprintable()
    except UnicodeDecodeError:
        return False


def _check_spaces(row: bytes | bytearray, following: bytes | bytearray, name: str) -> None:
    """Raises InputError if the word whose vector was taken to be `row` holds a space: the rest of
    the word then begins `row`, and the end of its vector begins the bytes that follow."""
    end = 0
    while (end := row.find(b" ", end) + 1) and end < len(following):
        rest = row[:end]
        if end == 1 or not _is_plain(rest):
            return
        size = np.abs(np.frombuffer(row[end:] + following[:end], "<f4"))
        word = bytes(following[end:]).lstrip(b"\n").partition(b" ")[0]
        sane = np.all((size == 0) | ((size > SANE[0]) & (size < SANE[1])))
        if sane and word and _is_plain(word):
            raise InputError(
                f"{name}: a word ends in {shown(rest.decode().rstrip())} after a space, which this"
                " format cannot represent: replace the spaces in words, such as by _, and save it"
                " again"
            )


def write_binary(file: IO[bytes], words: Sequence[str], matrix: np.ndarray) -> None:
    n_words, dim = matrix.shape
    file.write(b"%d %d\n" % (n_words, dim))
    for start in range(0, n_words, WRITE_ROWS):
        data = np.ascontiguousarray(matrix[start : start + WRITE_ROWS], "<f4").tobytes()
        parts = []
        for i, word in enumerate(words[start : start + WRITE_ROWS]):
            parts += [word.encode("utf-8"), b" ", data[4 * dim * i : 4 * dim * (i + 1)], b"\n"]
        file.write(b"".join(parts))
