"""Streams that are far larger than what makes them, and what reading them takes."""

from __future__ import annotations

import bz2
import functools
import gzip
import lzma
import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from itertools import repeat
from pathlib import Path
from typing import Any

import zstandard

from tests.forks import forked
from tests.peak import PROGRAM

MEGABYTE = 1_000_000
PIECES = {
    "blanks": b" " * MEGABYTE,
    "lines": b"\n" * MEGABYTE,
    "one word": b"a " * (MEGABYTE // 2),
    "one line": b"a b c d e f g h i j " * (MEGABYTE // 20),
    "no end": b"a" * MEGABYTE,
    "nul": b"a b c \0\0\0 " * (MEGABYTE // 10),
    "not utf-8": b"\xff\xfe a b c d e " * (MEGABYTE // 13),
    "chinese": "妄想女友。".encode() * (MEGABYTE // 15),
    "marks": "\ufeff".encode() * (MEGABYTE // 3),
}
# before and behind the pieces, where they are a value of a table
TABLES = {
    "json text": (b'{"text": "', "one word", b'"}\n'),
    "json nulls": (b"", b'{"text": null}\n' * (MEGABYTE // 15), b""),
    "json list": (b'{"x": [', b"{}," * (MEGABYTE // 3), b'1], "text": "a"}\n'),
    "json depth": (b'{"x": ', b"[" * MEGABYTE, b""),
    "csv text": (b"text\n", "one word", b"\n"),
    "csv quoted": (b'text\n"', "lines", b'"\n'),
    "csv fields": (b"text\n", b"," * MEGABYTE, b"\n"),
    "csv rows": (b"text\n", b"a b c\n" * (MEGABYTE // 6), b""),
}
KINDS = [*PIECES, "long words"]


def stream(kind: str, megabytes: int) -> Iterator[bytes]:
    if kind == "long words":
        numbers = range(megabytes)
        yield from (b"%06d" % number + b"x" * (MEGABYTE - 7) + b" " for number in numbers)
    elif kind in PIECES:
        yield from repeat(PIECES[kind], megabytes)
    else:
        before, pieces, behind = TABLES[kind]
        yield before
        yield from repeat(PIECES[pieces] if isinstance(pieces, str) else pieces, megabytes)
        yield behind


def compressed(pieces: Iterator[bytes], how: str) -> Iterator[bytes]:
    if how == "zst":
        compressor = zstandard.ZstdCompressor().compressobj()
        yield from map(compressor.compress, pieces)
        yield compressor.flush()
        return
    # members, one after another
    compress = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}[how]
    yield from map(functools.cache(compress), pieces)


def read(kind: str, megabytes: int, folder: Path, *options: str, how: str = "") -> tuple[int, str]:
    """Returns by how many bytes resident memory grew and what was said, of `w2v vocab` reading the
    stream; fails unless it succeeds, or refuses in one line."""
    reader, writer = os.pipe()

    def make() -> None:
        pieces = stream(kind, megabytes)
        with suppress(BrokenPipeError), open(writer, "wb") as pipe:  # broken: it was refused
            for piece in compressed(pieces, how) if how else pieces:
                pipe.write(piece)

    maker = threading.Thread(target=make)
    maker.start()
    try:
        peak = told_by(reader, folder, "-", *options)
    finally:
        os.close(reader)
    maker.join()
    return peak


def told_by(stdin: int | None, folder: Path, *arguments: str) -> tuple[int, str]:
    verb = ["vocab", *arguments, "--min-count", "1", "--max-vocab", "20", "--no-cache", "--quiet"]
    where: Any = {"folder": folder, "changes": {"TMPDIR": str(folder)}}
    streams = (stdin, None, None)
    with forked(str(folder / "peak"), *verb, code=PROGRAM, streams=streams, **where) as process:
        _, told = process.communicate(timeout=600)
    assert process.returncode in (0, 1, 2), told
    errors = [line for line in told.splitlines() if not line.startswith("warning: ")]
    assert len(errors) == (process.returncode != 0), told
    assert "internal error" not in told and "Traceback" not in told
    return int((folder / "peak").read_text()) * 1024, told
