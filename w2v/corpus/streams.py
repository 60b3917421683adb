"""A source's bytes: opened, decompressed, handed on in pieces of bounded size.

The compression is known by its magic bytes, not by the file's name, so that a mis-named or
extension-less file and a compressed pipe are read rightly too. Concatenated members (gzip, bzip2,
xz) and frames (zstd) are one stream.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any, cast

from w2v.corpus.sources import Source
from w2v.errors import InputError, RunError
from w2v.system.xz import XzReader

Advance = Callable[[int], None]

RAW_BUFFER_BYTES = 1 << 20
# zstd gives all output of one input at once, at most 32 kB per byte: this bounds the memory of a
# hostile file.
ZSTD_INPUT_BYTES = 1 << 14
MAGIC_BYTES = 6


class _CountedInput(io.RawIOBase):
    """A raw file that gives back `head`, bytes already taken off `file`, and reports every byte
    passed on.

    It ends after `size` bytes, if given: a file that grows as fast as it is read would never end.
    """

    def __init__(self, file: IO[bytes], head: bytes, size: int | None, advance: Advance) -> None:
        self._file = file
        self._left = sys.maxsize if size is None else size
        self._head = head
        self._advance = advance

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size = min(len(buffer), self._left)
        if self._head:
            data, self._head = self._head[:size], self._head[size:]
        else:
            data = self._file.read(size)
        self._left -= len(data)
        buffer[: len(data)] = data
        self._advance(len(data))
        return len(data)


@contextmanager
def opened(source: Source) -> Iterator[IO[bytes]]:
    """The source's raw file, closed afterwards unless it is standard input.

    Raises:
        InputError: it cannot be opened.
    """
    if source.path is None:
        if sys.stdin is None:
            raise InputError("standard input (-) is closed; name a file, or pipe the text in")
        yield sys.stdin.buffer
        return
    try:
        file = open(source.path, "rb", buffering=0 if source.lasting else RAW_BUFFER_BYTES)  # noqa: SIM115
    except OSError as error:
        raise InputError(f"{source.name} cannot be read: {error.strerror}") from None
    with file:
        yield cast(IO[bytes], file)


def read_pieces(source: Source, piece_bytes: int, advance: Advance) -> Iterator[bytes]:
    """The decompressed bytes of `source` in pieces of about `piece_bytes`; `advance` gets the raw
    bytes of each read.

    Raises:
        InputError: the source cannot be opened, or its compressed data are damaged or cut short.
        RunError: the device fails while reading.
    """
    with opened(source) as file:
        try:
            head = file.read(MAGIC_BYTES)
            stream = io.BufferedReader(
                _CountedInput(file, head, source.size, advance), RAW_BUFFER_BYTES
            )
            kind = compression(head)
            if kind == "zstd":
                yield from _zstd_pieces(stream, source.name, piece_bytes)
                return
            plain = _DECOMPRESSORS[kind](stream) if kind else stream
            while piece := plain.read(piece_bytes):
                yield piece
        except EOFError:
            raise InputError(
                f"{source.name} is cut short: its compressed data end too early; get it again"
            ) from None
        except (gzip.BadGzipFile, lzma.LZMAError, zlib.error) as error:
            raise _damaged(source.name, error) from None
        except OSError as error:
            if error.errno is None:  # bz2 reports damaged data so
                raise _damaged(source.name, error) from None
            raise RunError(f"reading {source.name} failed: {error.strerror}") from error


def compression(head: bytes) -> str | None:
    """The compression that a file's first bytes show, None for none."""
    if head.startswith(b"\x1f\x8b"):
        return "gzip"
    if head.startswith(b"BZh") and head[3:4].isdigit():
        return "bzip2"
    if head.startswith(b"\xfd7zXZ\x00"):
        return "xz"
    # The second form is a skippable frame, with which pzstd's files begin.
    if head.startswith(b"\x28\xb5\x2f\xfd") or (
        head[:1] and 0x50 <= head[0] <= 0x5F and head[1:4] == b"\x2a\x4d\x18"
    ):
        return "zstd"
    return None


_DECOMPRESSORS: dict[str, Callable[[Any], Any]] = {
    "gzip": lambda stream: gzip.GzipFile(fileobj=stream),
    "bzip2": bz2.BZ2File,
    "xz": XzReader,
}


def _damaged(name: str, error: object) -> InputError:
    return InputError(
        f"{name} is damaged: its compressed data cannot be read ({error}); get it again"
    )


def _zstd_pieces(stream: IO[bytes], name: str, piece_bytes: int) -> Iterator[bytes]:
    import zstandard

    # The default limit of 128 MiB refuses files made with zstd --long.
    decompressor = zstandard.ZstdDecompressor(max_window_size=1 << 31)
    frame = decompressor.decompressobj()
    gathered: list[bytes] = []
    size = 0
    try:
        while data := stream.read(ZSTD_INPUT_BYTES):
            while data:
                if frame.eof:
                    frame = decompressor.decompressobj()
                gathered.append(frame.decompress(data))
                size += len(gathered[-1])
                data = frame.unused_data if frame.eof else b""
            if size >= piece_bytes:
                yield b"".join(gathered)
                gathered, size = [], 0
    except zstandard.ZstdError as error:
        raise _damaged(name, error) from None
    if not frame.eof:
        raise EOFError
    if gathered:
        yield b"".join(gathered)
