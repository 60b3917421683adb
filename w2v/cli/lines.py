"""Reads stdin and other streams by lines, in batches of as many lines as are available. Invalid
UTF-8 is never replaced unless the user asks for it."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, cast

from w2v.cli.output import is_terminal
from w2v.errors import InputError
from w2v.system.fields import BYTE_ORDER_MARK

if TYPE_CHECKING:
    from w2v.corpus.reading import Notices

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


def batches_of_text(
    read: Callable[[int], bytes], name: str, errors: str, notices: Notices
) -> Iterator[list[str]]:
    """Yields the lines of the text `name` in the batches of `batches_of_lines`, without "\\r" at
    their ends. Raises InputError if it is not text or, with the `errors` "strict", for a line that
    is not UTF-8; with "replace", invalid bytes are replaced and counted in `notices`."""
    past = 0
    for raw in batches_of_lines(read):
        if not past:
            raw[0] = checked_start(raw, name, errors)
        data = b"\n".join(raw)  # decoding a batch at once is faster than line by line
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            if errors == "strict":
                number = past + 1 + data.count(b"\n", 0, error.start)
                problem = f"line {number:,} of {name} is not UTF-8"
                remedy = "correct it, or use `encoding_errors` replace"
                raise InputError(f"{problem}; {remedy}") from None
            text = data.decode("utf-8", "replace")
            notices.invalid += text.count("\ufffd") - data.count("\ufffd".encode())
        notices.nul += data.count(0)
        past += len(raw)
        yield [line.removesuffix("\r") for line in text.split("\n")]


def checked_start(lines: list[bytes], name: str, errors: str) -> bytes:
    """Returns the first line of a source, without a byte-order mark. Raises InputError if the
    lines, its start, are not text."""
    from w2v.corpus.texts import SAMPLE_BYTES, check_text  # imports NumPy

    check_text(b"\n".join(lines)[:SAMPLE_BYTES], name, errors == "strict", remedy="")
    return lines[0].removeprefix(BYTE_ORDER_MARK)
