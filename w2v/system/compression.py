"""Compressed files as plain streams of bytes.

The compression is known by its magic bytes, not by the file's name, so that a mis-named or
extension-less file and a compressed pipe are read rightly too. Concatenated members (gzip, bzip2,
xz) and frames (zstd) are one stream. However little a file holds, reading it takes bounded memory.
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
from typing import IO, Any, Protocol

from w2v.errors import InputError, RunError

SUFFIXES = (".gz", ".bz2", ".xz", ".zst")
MAGIC_BYTES = 6
RAW_BUFFER_BYTES = 1 << 18
# xz -9 needs 65 MiB; only dictionaries chosen by hand (--lzma2=dict=1GiB) need more than this.
XZ_MEMORY_LIMIT = 512 << 20
XZ_INPUT_BYTES = 1 << 18
# zstd gives all output of one input at once, at most 32 kB per byte.
ZSTD_INPUT_BYTES = 1 << 10
# The library's own limit of 128 MiB refuses files made with zstd --long.
ZSTD_WINDOW_LIMIT = 1 << 31


class Readable(Protocol):
    def read(self, size: int, /) -> bytes:
        """Returns up to `size` bytes, none only at the end."""
        ...


class Decompressed:
    """The bytes of an open file, decompressed if its first bytes say so.

    Attributes:
        name: the file's name for messages.
        compression: "gzip", "bzip2", "xz", "zstd", or None for a file that is read as it is.

    Args:
        advance: gets the number of raw bytes of each read.
        size: raw bytes to read, None for all: a file that grows as fast as it is read would never
            end.

    Raises:
        RunError: the device fails.
    """

    def __init__(
        self,
        file: IO[bytes],
        name: str,
        advance: Callable[[int], None] | None = None,
        size: int | None = None,
    ) -> None:
        self.name = name
        with _told(name):
            head = file.read(MAGIC_BYTES)
        self.compression = compression(head)
        raw = io.BufferedReader(_RawInput(file, head, advance, size), RAW_BUFFER_BYTES)
        self._file: Readable = _READERS[self.compression](raw) if self.compression else raw

    def read(self, size: int) -> bytes:
        """Returns `size` further bytes, fewer only at the end.

        Raises:
            InputError: the compressed data are damaged or cut short.
            RunError: the device fails.
        """
        parts = []
        with _told(self.name):
            while size and (part := self._file.read(size)):
                parts.append(part)
                size -= len(part)
        return b"".join(parts)


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


class _Damaged(Exception):
    pass


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Turns what readers raise into sentences."""
    damaged: Exception
    try:
        yield
        return
    except EOFError:
        raise InputError(
            f"{name} is cut short: its compressed data end too early; get it again"
        ) from None
    except (_Damaged, lzma.LZMAError, zlib.error) as error:
        damaged = error
    except OSError as error:
        if error.errno is not None:
            raise RunError(f"reading {name} failed: {error.strerror}") from error
        damaged = error  # gzip and bz2 report damaged data so
    raise InputError(
        f"{name} is damaged: its compressed data cannot be read ({damaged}); get it again"
    )


class _RawInput(io.RawIOBase):
    """A raw file that gives back `head`, bytes already taken off it, and reports every byte passed
    on."""

    def __init__(
        self, file: IO[bytes], head: bytes, advance: Callable[[int], None] | None, size: int | None
    ) -> None:
        self._file = file
        self._head = head
        self._advance = advance
        self._left = sys.maxsize if size is None else size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size = min(len(buffer), self._left, RAW_BUFFER_BYTES)
        if self._head:
            data, self._head = self._head[:size], self._head[size:]
        else:
            data = self._file.read(size)
        self._left -= len(data)
        buffer[: len(data)] = data
        if self._advance is not None:
            self._advance(len(data))
        return len(data)


class _XzReader:
    """All streams of an .xz file, one after the other; what stands behind them must be zeros.

    (lzma.LZMAFile takes no limit of memory, though a file may ask for 4 GiB, and ends in silence
    where a second stream is damaged.)
    """

    def __init__(self, file: Readable) -> None:
        self._file = file
        self._decoder: lzma.LZMADecompressor | None = None
        self._started = False
        self._input = b""

    def read(self, size: int, /) -> bytes:
        while True:
            if self._decoder is None:
                self._input = self._input or self._file.read(XZ_INPUT_BYTES)
                if not self._input and self._started:
                    return b""
                if self._started:  # between streams there may be padding
                    self._input = self._input.lstrip(b"\0")
                    if not self._input:
                        continue
                self._decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY_LIMIT)
                self._started = True
            if self._decoder.needs_input and not self._input:
                self._input = self._file.read(XZ_INPUT_BYTES)
                if not self._input:
                    raise EOFError
            try:
                data = self._decoder.decompress(self._input, size)
            except lzma.LZMAError as error:
                if "limit" in str(error):
                    raise _Damaged(
                        f"its dictionary needs more than {XZ_MEMORY_LIMIT >> 20} MiB, compress it"
                        " again with xz -9"
                    ) from None
                raise
            self._input = b""
            if self._decoder.eof:
                self._input, self._decoder = self._decoder.unused_data, None
            if data:
                return data


class _ZstdReader:
    """All frames of a .zst file. (The library's own reader takes a file that is cut short for a
    whole one.)"""

    def __init__(self, file: Readable) -> None:
        import zstandard

        self._file = file
        self._error = zstandard.ZstdError
        self._decoder = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_LIMIT)
        self._frame = self._decoder.decompressobj()
        self._input = self._output = b""

    def read(self, size: int, /) -> bytes:
        while not self._output:
            if not self._input:
                self._input = self._file.read(ZSTD_INPUT_BYTES)
            if not self._input:
                if not self._frame.eof:
                    raise EOFError
                return b""
            if self._frame.eof:
                self._frame = self._decoder.decompressobj()
            try:
                self._output = self._frame.decompress(self._input)
            except self._error as error:
                raise _Damaged(error) from None
            self._input = self._frame.unused_data if self._frame.eof else b""
        data, self._output = self._output[:size], self._output[size:]
        return data


_READERS: dict[str, Callable[[Any], Readable]] = {
    "gzip": lambda file: gzip.GzipFile(fileobj=file),
    "bzip2": bz2.BZ2File,
    "xz": _XzReader,
    "zstd": _ZstdReader,
}
