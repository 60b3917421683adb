"""word2vec's binary form: a line `V D`, then for every word `word`, a space, and D little-endian
float32.

word2vec.c puts a line end after each vector, gensim does not; the reader takes both. The writer
writes word2vec.c's form, which both read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO

import numpy as np

from w2v.errors import InputError
from w2v.system.limits import MAX_WORD_BYTES
from w2v.vectors.content import (
    Header,
    RowBuffer,
    VectorStream,
    check_header,
    check_values,
    decode_words,
)

WRITE_ROWS = 8192


def walk(
    data: bytes | bytearray, position: int, dim: int, n_words: int
) -> tuple[list[int], list[int], int]:
    """Whole records from `position` on, at most `n_words`: starts and ends of their words, start of
    the next record."""
    starts: list[int] = []
    ends: list[int] = []
    vector_bytes = 4 * dim
    size = len(data)
    newline = ord("\n")
    while len(starts) < n_words:
        start = position
        while start < size and data[start] == newline:
            start += 1
        end = data.find(b" ", start)
        if end < 0 or end + 1 + vector_bytes > size:
            break
        starts.append(start)
        ends.append(end)
        position = end + 1 + vector_bytes
    return starts, ends, position


def fits_binary(sample: bytes, header: Header) -> bool:
    """Whether `sample`, a whole file, is exactly the binary records that its header says."""
    starts, _, position = walk(sample, header.length, header.dim, header.n_words)
    return len(starts) == header.n_words and not sample[position:].strip(b"\n")


def read_binary(
    stream: VectorStream, header: Header, limit: int | None, errors: str
) -> tuple[list[str], np.ndarray]:
    """Words and vectors [V, D] float32.

    Raises:
        InputError: the records do not fit the header.
        RunError: there is not enough memory.
    """
    dim, name = header.dim, stream.name
    check_header(header, stream, 4 * dim + 1, limit)
    wanted = header.n_words if limit is None else min(header.n_words, limit)
    words: list[str] = []
    rows = RowBuffer(dim, name)
    rest = bytearray()
    passed = 0  # bytes of the file before `rest`
    skip = header.length
    while len(words) < wanted:
        chunk = stream.read()
        if not chunk:
            raise InputError(
                f"{name}: its header says {header.n_words} words of {dim} dimensions, but it ends"
                f" after {len(words)} words; the file is cut short or the header is wrong: copy or"
                " save it again"
            )
        rest += chunk
        starts, ends, position = walk(rest, skip, dim, wanted - len(words))
        raw = [bytes(rest[a:b]) for a, b in zip(starts, ends, strict=True)]
        values = np.frombuffer(
            b"".join([rest[b + 1 : b + 1 + 4 * dim] for b in ends]), "<f4"
        ).reshape(len(raw), dim)
        new = _checked_words(
            raw, values, len(words), [passed + start for start in starts], name, errors
        )
        words.extend(new)
        rows.append(values)
        del rest[:position]
        passed += position
        skip = 0
        # a line end and the space
        if len(words) < wanted and len(rest) > 4 * dim + MAX_WORD_BYTES + 2:
            _raise_no_word(name, len(words))
    if limit is None or limit > header.n_words:
        _check_end(stream, rest, header)
    return words, rows.finish()


def _checked_words(
    raw: list[bytes], values: np.ndarray, n_before: int, offsets: list[int], name: str, errors: str
) -> list[str]:
    for i, word in enumerate(raw):
        if b"\n" in word or len(word) > MAX_WORD_BYTES:
            _raise_no_word(name, n_before + i)
    words = decode_words(raw, n_before + 1, offsets, name, errors)
    check_values(words, values, name)
    return words


def _raise_no_word(name: str, n_before: int) -> None:
    raise InputError(
        f"{name}: no word stands after vector {n_before} where its header says one should; "
        "the dimension in the header is wrong or the file is damaged: copy or save it again"
    )


def _check_end(stream: VectorStream, rest: bytearray, header: Header) -> None:
    while not rest.strip(b"\n"):
        rest = bytearray(stream.read())
        if not rest:
            return
    raise InputError(
        f"{stream.name}: more data follow the {header.n_words} words of {header.dim} dimensions"
        " that its header says; the header is wrong or the file is damaged: copy or save it again"
    )


def write_binary(file: IO[bytes], words: Sequence[str], matrix: np.ndarray) -> None:
    """Writes word2vec.c's form."""
    n_words, dim = matrix.shape
    file.write(b"%d %d\n" % (n_words, dim))
    for start in range(0, n_words, WRITE_ROWS):
        data = np.ascontiguousarray(matrix[start : start + WRITE_ROWS], "<f4").tobytes()
        parts = []
        for i, word in enumerate(words[start : start + WRITE_ROWS]):
            parts += [word.encode("utf-8"), b" ", data[4 * dim * i : 4 * dim * (i + 1)], b"\n"]
        file.write(b"".join(parts))
