"""Stdin for the verbs that read it, and its lines, in batches of as many as are there already."""

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
    """Returns stdin for bytes. Raises InputError if it is closed, or a terminal where nobody is
    expected to type; `use` says what is read from it, `remedy` what else to do."""
    if sys.stdin is None or (is_terminal(sys.stdin) and not typed):
        what = "closed" if sys.stdin is None else "a terminal"
        raise InputError(f"{use} stdin, which is {what}; {remedy}")
    return cast(io.BufferedReader, sys.stdin.buffer)


def batches_of_lines(
    read: Callable[[int], bytes], longest: int = LONGEST_LINE
) -> Iterator[list[bytes]]:
    """Yields the lines that are there, without their ends: many at a time from a file, each at once
    when somebody types. `read` gives as many bytes as there are, up to a number.

    Empty lines count; what follows the last line end is a line unless it is empty. Raises
    InputError for a line of more than `longest` bytes.
    """
    begun: list[bytes] = []
    length = 0
    while data := read(READ_BYTES):
        first, *others = data.split(b"\n")
        begun.append(first)
        length += len(first)
        if length > longest:
            raise InputError(f"a line is longer than {longest:,} bytes: break it")
        if others:
            yield [b"".join(begun), *others[:-1]]
            begun, length = [others[-1]], len(others[-1])
    if rest := b"".join(begun):
        yield [rest]
