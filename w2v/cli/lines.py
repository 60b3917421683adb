"""The lines of stdin for verbs that answer each one, in batches of as many as are there already."""

from __future__ import annotations

import io
from collections.abc import Iterator

READ_BYTES = 1 << 16


def batches_of_lines(stream: io.BufferedReader) -> Iterator[list[bytes]]:
    """Yields the lines that are there, without their ends: many at a time from a file, each at once
    when somebody types.

    Empty lines count; what follows the last line end is a line unless it is empty.
    """
    begun: list[bytes] = []
    while data := stream.read1(READ_BYTES):
        first, *others = data.split(b"\n")
        begun.append(first)
        if others:
            yield [b"".join(begun), *others[:-1]]
            begun = [others[-1]]
    if rest := b"".join(begun):
        yield [rest]
