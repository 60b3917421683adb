"""Reads stdin and other streams by lines, in batches of as many lines as are available."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from typing import cast

from w2v.cli.output import is_terminal
from w2v.errors import InputError

READ_BYTES = 1 << 16
LONGEST_LINE = 64 << 20


def open_stdin(use: str, remedy: str, *, typed: bool = False) -> io.BufferedReader:
    """Returns stdin as a binary stream. Raises InputError if it is closed, or is a terminal unless
    `typed` input is allowed. The message is "`use` stdin, which is closed; `remedy`"."""
    if sys.stdin is None or (is_terminal(sys.stdin) and not typed):
        problem = "closed" if sys.stdin is None else "a terminal"
        raise InputError(f"{use} stdin, which is {problem}; {remedy}")
    return cast(io.BufferedReader, sys.stdin.buffer)


def batches_of_lines(
    read: Callable[[int], bytes], longest: int = LONGEST_LINE
) -> Iterator[list[bytes]]:
    """Yields batches of the lines available so far, without line ends: many lines from a file, one
    at a time if they are typed. `read(n)` returns the available bytes, at most n.

    Empty lines are included; text after the last line end is a line unless it is empty. Raises
    InputError for a line of more than `longest` bytes.
    """
    begun: list[bytes] = []
    length = 0
    while data := read(READ_BYTES):
        first, *others = data.split(b"\n")
        begun.append(first)
        length += len(first)
        if length > longest:
            raise InputError(f"a line is longer than {longest:,} bytes: split it")
        if others:
            yield [b"".join(begun), *others[:-1]]
            begun, length = [others[-1]], len(others[-1])
    if rest := b"".join(begun):
        yield [rest]
