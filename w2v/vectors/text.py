"""word2vec and GloVe text: one line `word x1 … xD` per word; word2vec's has a first line `V D`,
GloVe's has none.

Only single ASCII spaces separate, and the numbers are the last D fields: a word may hold U+00A0 or,
in GloVe's files, even spaces. Written with nine significant digits, which give every float32 back
exactly, and without the space that word2vec.c leaves at the end of a line.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import IO, NoReturn

import numpy as np

from w2v.errors import InputError
from w2v.system.limits import MAX_WORD_BYTES
from w2v.vectors.content import (
    MAX_VALUE_BYTES,
    Header,
    RowBuffer,
    VectorStream,
    check_header,
    check_values,
    decode_words,
)

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


def sample_lines(sample: bytes, complete: bool) -> list[bytes]:
    """The first whole lines of a sample, without their ends and without empty ones."""
    lines = sample.split(b"\n", SAMPLE_LINES)
    if not complete or len(lines) > SAMPLE_LINES:
        lines.pop()
    return [line for line in (line.rstrip(b" \r") for line in lines) if line]


def guess_dim(sample: bytes, complete: bool) -> int | None:
    """D of text without a header: how many numbers end most of the first lines; None when it is no
    such text."""
    counts = [_trailing_numbers(line) for line in sample_lines(sample, complete)]
    if not counts:
        return None
    dim = max(counts, key=lambda count: (counts.count(count), count))
    return dim if dim > 0 and 2 * counts.count(dim) >= len(counts) else None


def _trailing_numbers(line: bytes) -> int:
    fields = line.split(b" ")[1:]
    return next(
        (n for n, field in enumerate(reversed(fields)) if not is_number(field)), len(fields)
    )


def fits_text(sample: bytes, complete: bool, dim: int) -> bool:
    """Whether the first lines of `sample` all end in `dim` numbers."""
    lines = sample_lines(sample, complete)
    fields = [line.rsplit(b" ", dim) for line in lines]
    return bool(lines) and all(
        len(field) == dim + 1 and all(map(is_number, field[1:])) for field in fields
    )


def read_text(
    stream: VectorStream, header: Header | None, dim: int, limit: int | None, errors: str
) -> tuple[list[str], np.ndarray]:
    """Words and vectors [V, D] float32; `header` is None for GloVe's form.

    Raises:
        InputError: the lines do not keep to the header or to `dim`, or hold something that is no
            number.
        RunError: there is not enough memory.
    """
    name = stream.name
    position = 0
    line_number = 1
    if header is not None:
        check_header(header, stream, 2 * header.dim + 1, limit)
        _check_dim(stream, header)
        position, line_number = header.length, 2
    promised = header.n_words if header is not None else None
    wanted = min(x for x in (promised, limit, 1 << 62) if x is not None)
    words: list[str] = []
    rows = RowBuffer(dim, name)
    for block in _line_blocks(stream, dim, position):
        if len(words) >= wanted:
            if limit is not None and len(words) >= limit:
                break
            raise InputError(
                f"{name}: its header says {promised} words, but more lines follow; correct the"
                " header"
            )
        tidy = _tidy(block)
        raw, starts, values = _parse(tidy, dim, line_number, name, header)
        surplus = len(words) + len(raw) - wanted
        if surplus > 0 and not (limit is not None and wanted == limit):
            raise InputError(
                f"{name}: its header says {promised} words, but more lines follow; correct the"
                " header"
            )
        if surplus > 0:
            raw, values = raw[:-surplus], values[:-surplus]
        new = decode_words(
            raw, len(words) + 1, [position + start for start in starts], name, errors
        )
        check_values(new, values, name)
        words.extend(new)
        rows.append(values)
        line_number += len(raw)
        position += len(block)
    if promised is not None and len(words) < wanted:
        raise InputError(
            f"{name}: its header says {promised} words, but there are only {len(words)}; "
            "the file is cut short or the header is wrong: copy or save it again"
        )
    return words, rows.finish()


def _check_dim(stream: VectorStream, header: Header) -> None:
    """Refuses a header whose D is smaller than the lines' (the surplus numbers would become part of
    the words)."""
    lines = sample_lines(stream.sample[header.length :], stream.sample_is_all)
    fields = [line.rsplit(b" ", header.dim) for line in lines]
    spare = [field[0].split(b" ") for field in fields if len(field) == header.dim + 1]
    if (
        lines
        and len(spare) == len(lines)
        and all(len(part) > 1 and is_number(part[-1]) for part in spare)
    ):
        raise InputError(
            f"{stream.name}: its header says {header.dim} dimensions, but line 2 has"
            f" {lines[0].count(b' ')} numbers; correct the header"
        )


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
        found = int(before_end[i] - before_start[i])
        said = "its header says" if header is not None else "the first lines have"
        raise InputError(
            f"{name}: line {first_line + i} has {found} numbers after the word, but {said} {dim}; "
            "the file is damaged or the header is wrong: copy or save it again"
        )
    word_ends = spaces[before_end - dim]
    first, middle, last = starts.tolist(), word_ends.tolist(), ends.tolist()
    words = [block[a:b] for a, b in zip(first, middle, strict=True)]
    numbers = b"".join([block[a:b] for a, b in zip(middle, last, strict=True)])
    values = _numbers(numbers)
    if values is None or len(values) != len(words) * dim:
        _raise_wrong_number(block, dim, first_line, name)
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


def _raise_wrong_number(block: bytes, dim: int, first_line: int, name: str) -> NoReturn:
    for i, line in enumerate(block.split(b"\n")[:-1]):
        for field in line.rsplit(b" ", dim)[1:]:
            if not is_number(field):
                shown = field[:40].decode("utf-8", "replace")
                raise InputError(
                    f"{name}: line {first_line + i} has {shown!r} where a number belongs; "
                    "the file is damaged: copy or save it again"
                )
    raise InputError(
        f"{name}: the numbers from line {first_line} on cannot be read; copy or save the file again"
    )


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
