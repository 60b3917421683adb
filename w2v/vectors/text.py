"""word2vec and GloVe text: one line `word x1 … xD` per word; word2vec's has a first line `V D`,
GloVe's has none.

Only single ASCII spaces separate, and the numbers are the last D fields: a word may hold U+00A0 or,
in GloVe's files, even spaces. Written with nine significant digits, which give every float32 back
exactly, and without the space that word2vec.c leaves at the end of a line.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import IO

import numpy as np

from w2v.errors import InputError
from w2v.system.limits import MAX_WORD_BYTES
from w2v.vectors.content import MAX_VALUE_BYTES, Header, Storage, VectorStream, words_to_read

SAMPLE_LINES = 20
WRITE_ROWS = 4096
NUMBER_BYTES = b"0123456789+-.eEnNaAiIfFtTyY "


def is_number(field: bytes) -> bool:
    """Whether the field can be one of a vector's values."""
    if not field or field.strip(NUMBER_BYTES[:-1]):
        return False
    try:
        float(field)
    except ValueError:
        return False
    return True


def count_numbers(sample: bytes, complete: bool) -> list[int]:
    """How many numbers end each of the sample's first whole lines that hold something."""
    lines = sample.split(b"\n", SAMPLE_LINES)
    if not complete or len(lines) > SAMPLE_LINES:
        lines.pop()
    fields = [line.split(b" ")[1:] for line in (line.rstrip(b" \r") for line in lines) if line]
    return [sum(1 for _ in takewhile(is_number, reversed(each))) for each in fields]


def read_text(
    stream: VectorStream, header: Header | None, dim: int
) -> tuple[list[str], np.ndarray]:
    """Words and vectors [V, D] float32, of lines that fit the header and `dim`."""
    name, limit, wanted, position, first_line = stream.name, stream.limit, 0, 0, 1
    if header is not None:
        wanted = words_to_read(header, stream, 2 * dim + 1)
        position, first_line = header.length, 2
        counts = count_numbers(stream.sample[position:], stream.sample_is_all)
        if min(counts, default=0) > dim:  # the surplus would become part of the words
            raise InputError(
                f"{name}: its header says {dim} dimensions, but line 2 has {counts[0]} numbers;"
                " correct the header"
            )
    found = Storage(dim, stream)
    for block in _line_blocks(stream, dim, position):
        before = len(found.words)
        if limit is not None and before >= limit:
            break
        words, starts, values = _parse(_tidy(block), dim, first_line + before, name, header)
        taken = slice(None if limit is None else limit - before)
        if header is not None and before + len(words[taken]) > header.n_words:
            raise InputError(
                f"{name}: its header says {header.n_words} words, but more lines follow; correct"
                " the header"
            )
        offsets = [position + start for start in starts[taken]]
        found.append(words[taken], offsets, values[taken])
        position += len(block)
    if header is not None and len(found.words) < wanted:
        raise InputError(
            f"{name}: its header says {header.n_words} words, but there are only"
            f" {len(found.words)}; the file is cut short or the header is wrong: copy or save it"
            " again"
        )
    return found.finish()


def _line_blocks(stream: VectorStream, dim: int, skip: int) -> Iterator[bytes]:
    """Whole lines, a few MB at a time, each block ending in a line end; empty lines at the file's
    end are dropped."""
    limit = dim * MAX_VALUE_BYTES + MAX_WORD_BYTES
    rest = bytearray()
    while chunk := stream.read():
        if skip:
            chunk, skip = chunk[skip:], max(0, skip - len(chunk))
        rest += chunk
        # Cut before the last line that holds something, so that only the end of the file can end in
        # empty lines.
        cut = rest.rfind(b"\n", 0, len(rest.rstrip(b"\r\n"))) + 1
        if cut:
            yield bytes(rest[:cut])
            del rest[:cut]
        if len(rest) > limit:
            raise InputError(
                f"{stream.name}: a line is longer than {limit} bytes, too long for {dim} numbers; "
                "the file is damaged or holds no vectors"
            )
    last = rest.rstrip(b"\r\n")
    if last:
        if not rest.endswith(b"\n"):
            stream.warnings.append(
                f"{stream.name} does not end with a line end, its last number may be cut short: "
                "compare it with the original"
            )
        yield bytes(last) + b"\n"


def _tidy(block: bytes) -> bytes:
    """The lines without spaces and carriage returns at their ends; same number of lines."""
    while b" \n" in block or b"\r\n" in block:
        block = block.replace(b"\r\n", b"\n").replace(b" \n", b"\n")
    return block


def _parse(
    block: bytes, dim: int, first_line: int, name: str, header: Header | None
) -> tuple[list[bytes], list[int], np.ndarray]:
    """Words [n], their offsets in the block, and the numbers [n, D] of n whole lines."""
    data = np.frombuffer(block, np.uint8)
    ends = np.flatnonzero(data == ord("\n"))
    starts = np.concatenate([[0], ends[:-1] + 1])
    spaces = np.flatnonzero(data == ord(" "))
    # The word ends at the D-th space from the right of its line.
    before_end = np.searchsorted(spaces, ends)
    before_start = np.searchsorted(spaces, starts)
    short = np.flatnonzero(before_end - before_start < dim)
    if len(short):
        i = int(short[0])
        numbers = int(before_end[i] - before_start[i])
        said = "its header says" if header is not None else "the first lines have"
        raise InputError(
            f"{name}: line {first_line + i} has {numbers} numbers after the word, but {said} {dim};"
            " the file is damaged or the header is wrong: copy or save it again"
        )
    first, middle, last = starts.tolist(), spaces[before_end - dim].tolist(), ends.tolist()
    words = [block[a:b] for a, b in zip(first, middle, strict=True)]
    values = _numbers(b"".join([block[a:b] for a, b in zip(middle, last, strict=True)]))
    if values is None or len(values) != len(words) * dim:
        for i, line in enumerate(block.split(b"\n")[:-1], first_line):
            for field in line.rsplit(b" ", dim)[1:]:
                if not is_number(field):
                    text = field[:40].decode("utf-8", "replace")
                    raise InputError(
                        f"{name}: line {i} has {text!r} where a number belongs; the file is"
                        " damaged: copy or save it again"
                    )
        raise InputError(
            f"{name}: the numbers from line {first_line} on cannot be read; copy or save the file"
            " again"
        )
    return words, first, values.reshape(len(words), dim)


def _numbers(text: bytes) -> np.ndarray | None:
    """The space-separated numbers as float32, or None when something else is among them."""
    # An empty field would be skipped by numpy, so that a later one could make up for it.
    if text.translate(None, NUMBER_BYTES) or b"  " in text:
        return None
    with warnings.catch_warnings():
        # Older numpy versions warn where newer ones raise.
        warnings.simplefilter("error", DeprecationWarning)
        try:
            return np.fromstring(text, dtype=np.float32, sep=" ")
        except (ValueError, DeprecationWarning):
            return None


def write_text(file: IO[bytes], words: Sequence[str], matrix: np.ndarray, header: bool) -> None:
    """Writes the lines, after `V D` when `header` is set."""
    if header:
        file.write(b"%d %d\n" % matrix.shape)
    line = "%s" + " %.9g" * matrix.shape[1]
    for start in range(0, len(words), WRITE_ROWS):
        rows = np.asarray(matrix[start : start + WRITE_ROWS], np.float32).tolist()
        block = zip(words[start : start + WRITE_ROWS], rows, strict=True)
        lines = [line % (word, *row) for word, row in block]
        file.write(("\n".join(lines) + "\n").encode("utf-8"))
