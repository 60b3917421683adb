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
import re
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import IO, Any, Protocol

import zstandard

from w2v.errors import InputError, RunError

SUFFIXES = (".gz", ".bz2", ".xz", ".zst")
MAGIC_BYTES = 6
RAW_BUFFER_BYTES = 1 << 18
# xz -9 needs 65 MiB, zstd -19 8 MiB and zstd --long 128 MiB; only windows chosen by hand
# (--lzma2=dict=1GiB, --long=31) need more than this.
WINDOW_LIMIT = 256 << 20
TOO_LARGE = ("usage limit exceeded", "requires too much memory")  # as the two libraries say it
XZ_INPUT_BYTES = 1 << 18
# zstd gives all output of one input at once, at most 32 kB per byte.
ZSTD_INPUT_BYTES = 1 << 10


def compressed(file: IO[bytes], suffix: str) -> AbstractContextManager[IO[bytes]]:
    """Returns a file whose content goes, compressed as one of `SUFFIXES` says, into the open one;
    the same content gives the same bytes."""
    return _WRITERS[suffix](file)


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Decompressed:
    """The bytes of an open file, decompressed if its first bytes say so: `compression` is "gzip",
    "bzip2", "xz", "zstd", or None for a file that is read as it is.

    Args:
        name: the file's name for messages.
        advance: gets the number of raw bytes of each read.
        size: how many raw bytes there are; a file that grows while it is read might never end.
        plain: whether they are taken as they are, whatever they begin with.
    """

    def __init__(
        self,
        file: IO[bytes],
        name: str,
        advance: Callable[[int], None] | None = None,
        size: int | None = None,
        *,
        plain: bool = False,
    ) -> None:
        self.name = name
        raw = io.BufferedReader(_RawInput(file, advance, size), RAW_BUFFER_BYTES)
        with _reported(name):
            self.compression = None if plain else compression(raw.peek(MAGIC_BYTES))
        self._file: Readable = _READERS[self.compression](raw) if self.compression else raw

    def read(self, size: int) -> bytes:
        """Returns `size` further bytes, fewer only at the end. Raises InputError for data that are
        damaged or cut short, RunError when the device fails."""
        parts = []
        with _reported(self.name):
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
    return "zstd" if re.match(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18", head) else None


@contextmanager
def _reported(name: str) -> Iterator[None]:
    """Turns what readers raise into sentences."""
    try:
        yield
    except EOFError:
        problem = f"{name} is cut short: its compressed data end too early"
        raise InputError(f"{problem}; get it again") from None
    except (lzma.LZMAError, zlib.error, zstandard.ZstdError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise RunError(f"reading {name} failed: {error.strerror}") from error
        if any(words in str(error) for words in TOO_LARGE):
            problem = f"{name}: to decompress it takes more than {WINDOW_LIMIT >> 20} MiB of memory"
            remedy = "compress it again, with xz -9 or zstd without --long, or pipe its text in"
            raise InputError(f"{problem}; {remedy}") from None
        # gzip and bz2 report damaged data by an OSError too
        problem = f"{name} is damaged: its compressed data cannot be read ({error})"
        raise InputError(f"{problem}; get it again") from None


class _RawInput(io.RawIOBase):
    """A raw file of which at most `size` bytes are read, and each one is reported."""

    def __init__(
        self, file: IO[bytes], advance: Callable[[int], None] | None, size: int | None
    ) -> None:
        self._file, self._advance = file, advance
        self._left = sys.maxsize if size is None else size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._file.read(min(len(buffer), self._left, RAW_BUFFER_BYTES))
        self._left -= len(data)
        buffer[: len(data)] = data
        if self._advance is not None:
            self._advance(len(data))
        return len(data)


class _Members:
    """The members of a compressed file, xz streams or zstd frames, one after the other.

    (lzma.LZMAFile takes no limit of memory, though a file may ask for 4 GiB, and ends in silence
    where a second stream is damaged; zstd's own reader takes a file that is cut short for a whole
    one.) `make` gives the decoder of a member; where it cannot limit its output, `step`, the bytes
    read at a time, does. `padding` may stand between and behind members.
    """

    def __init__(self, file: Readable, make: Callable[[], Any], step: int, padding: bytes) -> None:
        self._file, self._make, self._step, self._padding = file, make, step, padding
        self._decoder = make()
        self._output = b""

    def read(self, size: int, /) -> bytes:
        while not self._output:
            if self._decoder.eof:
                data = self._decoder.unused_data.lstrip(self._padding)
                while not data:
                    if not (data := self._file.read(self._step)):
                        return b""
                    data = data.lstrip(self._padding)
                self._decoder = self._make()
            elif not getattr(self._decoder, "needs_input", True):
                data = b""
            elif not (data := self._file.read(self._step)):
                raise EOFError
            limits = (size,) if hasattr(self._decoder, "needs_input") else ()
            self._output = self._decoder.decompress(data, *limits)
        data, self._output = self._output[:size], self._output[size:]
        return data


_xz = partial(lzma.LZMADecompressor, lzma.FORMAT_XZ, memlimit=WINDOW_LIMIT)
_zstd = zstandard.ZstdDecompressor(max_window_size=WINDOW_LIMIT).decompressobj
_READERS: dict[str, Callable[[Any], Readable]] = {
    "gzip": lambda file: gzip.GzipFile(fileobj=file),
    "bzip2": bz2.BZ2File,
    "xz": lambda file: _Members(file, _xz, XZ_INPUT_BYTES, padding=b"\0"),
    "zstd": lambda file: _Members(file, _zstd, ZSTD_INPUT_BYTES, padding=b""),
}
_WRITERS: dict[str, Callable[[Any], AbstractContextManager[Any]]] = {
    ".gz": lambda file: gzip.GzipFile("", "wb", 6, file, mtime=0),
    ".bz2": lambda file: bz2.BZ2File(file, "wb"),
    ".xz": lambda file: lzma.LZMAFile(file, "wb"),  # noqa: SIM115 (closed by the block)
    ".zst": lambda file: zstandard.ZstdCompressor().stream_writer(file, closefd=False),
}
