"""Reads and writes text files of vectors: one line `word x1 … xD` per word, in word2vec's format
after a first line `V D`, in GloVe's format without it. See `layout` for the other layouts that are
read, and the lines that are rejected.

Only ASCII spaces and tabs are separators: a word may contain U+00A0. Lines are written with single
spaces and nine significant digits, from which every float32 is read back exactly, and without the
space that word2vec.c leaves at the end of a line.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from typing import IO

import numpy as np

from w2v.errors import shown
from w2v.system.fields import BYTE_ORDER_MARK, NUMBER_CHARACTERS, is_number
from w2v.system.limits import MAX_WORD_BYTES
from w2v.vectors.content import (
    MAX_VALUE_BYTES,
    Header,
    Storage,
    VectorStream,
    damaged,
    words_to_read,
)
from w2v.vectors.layout import Layout, cut, word_and_number

WRITE_ROWS = 4096
NUMBER_BYTES = NUMBER_CHARACTERS.encode() + b" \t\n"
# NumPy would skip an empty field, which a surplus one later on could hide.
NO_FIELD = re.compile(rb"(?:^|[,;\n])[ \t]*(?:$|[,;\n])|[^ \t,;\n][ \t]+[^ \t,;\n]")
COMMAS = bytes.maketrans(b",;", b"  ")


def read_text(
    stream: VectorStream, header: Header | None, layout: Layout, position: int
) -> tuple[list[str], np.ndarray]:
    """Reads lines of the given layout from `position` on, which is after the header or the column
    names, if there are any. Returns the words and vectors [V, D] float32."""
    name, limit, n_words = stream.name, stream.limit, 0
    if header is not None:
        n_words = words_to_read(header, stream, 2 * layout.dim + 1)
    storage = Storage(layout.dim, stream, n_words)
    lines = _Lines(layout, name, 2 if position else 1, header is not None)
    for block in _line_blocks(stream, layout.dim, position):
        before = storage.read
        if limit is not None and before >= limit:
            break
        words, starts, values = lines.parse(block)
        within = slice(None if limit is None else limit - before)
        if header is not None and before + len(words[within]) > header.n_words:
            raise damaged(name, f"its header says {header.n_words} words, but more lines follow")
        offsets = [stream.start + position + start for start in starts[within]]
        storage.append(words[within], offsets, values[within])
        position += len(block)
    if header is not None and storage.read < n_words:
        problem = f"its header says {header.n_words} words, but there are only {storage.read}"
        raise damaged(name, problem)
    return storage.finish()


def _line_blocks(stream: VectorStream, dim: int, skip: int) -> Iterator[bytes]:
    """Yields blocks of complete lines, a few MB at a time, each ending with a line end. Blank lines
    at the end of the file are dropped."""
    limit = dim * MAX_VALUE_BYTES + MAX_WORD_BYTES
    buffer = bytearray()
    while chunk := stream.read():
        if skip:
            chunk, skip = chunk[skip:], max(0, skip - len(chunk))
        buffer += chunk
        # Cut before the last line that is not blank, so that only the last block can end with blank
        # lines.
        cut = buffer.rfind(b"\n", 0, len(buffer.rstrip(b" \t\r\n"))) + 1
        if cut:
            yield bytes(buffer[:cut])
            del buffer[:cut]
        if len(buffer) > limit:
            problem = f"a line is longer than {limit} bytes, too long for {dim} numbers"
            raise damaged(stream.name, problem)
    last = buffer.rstrip(b" \t\r\n")
    if last:
        if not buffer.endswith(b"\n"):
            stream.warnings.append(
                f"{stream.name} does not end with a line end, its last number may be incomplete: "
                "compare it with the original"
            )
        yield bytes(last) + b"\n"


class _Lines:
    """Splits blocks of complete lines into words and numbers; `n` numbers the next line."""

    def __init__(self, layout: Layout, name: str, n: int, headed: bool) -> None:
        self._layout, self._name, self._n = layout, name, n
        self._claim = "its header says" if headed else "the first lines have"

    def parse(self, block: bytes) -> tuple[list[bytes], list[int], np.ndarray]:
        """Returns for the n lines of a block the words [n], their approximate offsets in the block,
        and the numbers [n, D]."""
        dim = self._layout.dim
        words, starts, numbers = self._split_at_blanks(block) or self._split_lines(block)
        text = b"\n".join(numbers)
        commas = self._layout.mark != " " or self._layout.quoted
        plain = text.translate(COMMAS) if commas else text
        values = None if commas and NO_FIELD.search(text) else _numbers(plain)
        if values is None or len(values) != len(words) * dim:
            for i, line in enumerate(block.split(b"\n")[:-1]):
                self._check(line, i)
            raise damaged(self._name, f"the numbers from line {self._n} on cannot be read")
        self._n += len(words)
        return words, starts, values.reshape(len(words), dim)

    def _split_at_blanks(self, block: bytes) -> tuple[list[bytes], list[int], list[bytes]] | None:
        """Splits the lines if spaces or tabs separate the fields, else returns None. Returns the
        words, their offsets, and the texts of their numbers."""
        dim, mark, word_end, quoted = self._layout
        if mark != " " or quoted:
            return None
        data = np.frombuffer(block, np.uint8)
        line_ends = np.flatnonzero(data == ord("\n"))
        blank = (data == ord(" ")) | (data == ord("\t"))
        blank[line_ends] = True
        blank[line_ends - 1] |= data[line_ends - 1] == ord("\r")
        first = np.flatnonzero(blank[:-1] > blank[1:]) + 1  # where each field begins
        first = first if blank[0] else np.concatenate([[0], first])
        last = np.flatnonzero(blank[:-1] < blank[1:]) + 1  # where it ends
        after = np.searchsorted(first, line_ends)
        before = np.concatenate([[0], after[:-1]])
        fields = after - before
        line_starts = np.concatenate([[0], line_ends[:-1] + 1])
        # The word is empty if a line has only a space and D numbers.
        empty = (fields == dim) & blank[line_starts]
        self._refuse(block, np.flatnonzero((fields <= dim) & ~empty))
        numbers = first[after - dim]
        ends = np.where(empty, line_starts, last[after - dim - 1])
        starts = np.where(empty, line_starts, first[before])
        if word_end == "\t":  # a word is followed by at least one tab, and contains none
            tabbed = (data[ends] == ord("\t")) | (data[numbers - 1] == ord("\t"))
            self._refuse(block, np.flatnonzero(~tabbed))
        offsets = starts.tolist()
        words = [block[a:b] for a, b in zip(offsets, ends.tolist(), strict=True)]
        for i in np.flatnonzero(fields > dim + 1).tolist():
            inner = words[i].replace(b"\t", b" ").rsplit(b" ", 1)[1:]
            wrong = b"\t" in words[i] if word_end == "\t" else is_number(_text(*inner))
            if wrong:
                self._refuse(block, [i])
        ends_of = zip(numbers.tolist(), last[after - 1].tolist(), strict=True)
        return words, offsets, [block[a:b] for a, b in ends_of]

    def _split_lines(self, block: bytes) -> tuple[list[bytes], list[int], list[bytes]]:
        words, starts, numbers, offset = [], [], [], 0
        dim, mark, word_end, quoted = self._layout
        separator = mark.encode()
        for i, raw in enumerate(block.split(b"\n")[:-1]):
            line = raw.rstrip(b" \t\r" + separator)
            if quoted:
                word, fields = self._check(line, i)
                values = ",".join(fields).encode("latin-1")
            elif mark == word_end:
                first, _, values = line.partition(separator)
                word = first.strip(b" \t")
            else:
                head, *others = line.rsplit(separator, dim - 1)
                word, number = (part.encode("latin-1") for part in word_and_number(_text(head)))
                values = separator.join([number, *others]) if number else b""
            if not quoted and (values.count(separator) != dim - 1 or not values):
                self._refuse(block, [i])
            words.append(word)
            starts.append(offset + max(0, line.find(word)))
            numbers.append(values)
            offset += len(raw) + 1
        return words, starts, numbers

    def _refuse(self, block: bytes, lines: Sequence[int] | np.ndarray) -> None:
        """Raises InputError for the first of these lines, if there are any."""
        if len(lines):
            self._check(block.split(b"\n")[lines[0]], int(lines[0]), refuse=True)

    def _check(self, line: bytes, i: int, refuse: bool = False) -> tuple[bytes, list[str]]:
        """Returns the word and the numbers of line i of the block. Raises InputError if it does not
        fit the layout, and always if `refuse`: the caller has found that it does not."""
        line = line.rstrip(b" \t\r")
        fields, dim = cut(line.decode("latin-1"), self._layout), self._layout.dim
        line_n = f"line {self._n + i}"
        raw_fields = re.split(r"[ \t,;]+", line.strip().decode("utf-8", "replace"))[1:]
        wrong = next((field for field in reversed(raw_fields) if not is_number(field)), "")
        if wrong and (fields is None or len(fields[1]) < dim <= len(raw_fields)):
            raise damaged(self._name, f"{line_n} has {shown(wrong, 40)} in place of a number")
        numbers = raw_fields if fields is None else fields[1]
        if fields is None or refuse or len(numbers) != dim:
            problem = f"has {len(numbers)} numbers after the word, but {self._claim} {dim}"
            raise damaged(self._name, f"{line_n} {problem}")
        return fields[0].encode("latin-1"), fields[1]


def _text(field: bytes = b"") -> str:
    return field.decode("latin-1")


def _numbers(text: bytes) -> np.ndarray | None:
    """Returns the numbers as float32, or None if the text contains anything else."""
    if text.translate(None, NUMBER_BYTES):
        return None
    with warnings.catch_warnings():
        # Older numpy versions warn where newer ones raise.
        warnings.simplefilter("error", DeprecationWarning)
        try:
            return np.fromstring(text, dtype=np.float32, sep=" ")
        except (ValueError, DeprecationWarning):
            return None


def write_text(file: IO[bytes], words: Sequence[str], matrix: np.ndarray, header: bool) -> None:
    """Writes the lines of all words, after a line `V D` if `header`."""
    if not header and words and words[0].startswith("\ufeff"):
        file.write(BYTE_ORDER_MARK)  # because the reader drops the first one
    if header:
        file.write(b"%d %d\n" % matrix.shape)
    line = "%s" + " %.9g" * matrix.shape[1]
    for start in range(0, len(words), WRITE_ROWS):
        rows = np.asarray(matrix[start : start + WRITE_ROWS], np.float32).tolist()
        block = zip(words[start : start + WRITE_ROWS], rows, strict=True)
        lines = [line % (word, *row) for word, row in block]
        file.write(("\n".join(lines) + "\n").encode("utf-8"))
