"""The lines of stdin for verbs that answer each one, in batches of as many as are there already."""

from __future__ import annotations

import io
from collections.abc import Iterator

from w2v.errors import InputError

READ_BYTES = 1 << 16
LONGEST_LINE = 64 << 20


def batches_of_lines(
    stream: io.BufferedReader, longest: int = LONGEST_LINE
) -> Iterator[list[bytes]]:
    """Yields the lines that are there, without their ends: many at a time from a file, each at once
    when somebody types.

    Empty lines count; what follows the last line end is a line unless it is empty. Raises
    InputError for a line of more than `longest` bytes.
    """
    begun: list[bytes] = []
    length = 0
    while data := stream.read1(READ_BYTES):
        first, *others = data.split(b"\n")
        begun.append(first)
        length += len(first)
        if length > longest:
            raise InputError(f"a line on stdin is longer than {longest:,} bytes: break it")
        if others:
            yield [b"".join(begun), *others[:-1]]
            begun, length = [others[-1]], len(others[-1])
    if rest := b"".join(begun):
        yield [rest]
