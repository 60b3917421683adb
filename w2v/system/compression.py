"""Reads compressed files as plain streams of bytes, and writes them.

The compression is recognized by magic bytes, not by the file's name, so that compressed pipes and
files with a wrong or no extension are read correctly too. Concatenated members (gzip, bzip2, xz)
and frames (zstd) are one stream. Reading takes bounded memory, however far the data expand.
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
# xz -9 needs 65 MiB, zstd -19 8 MiB and zstd --long 128 MiB; only explicit window sizes
# (--lzma2=dict=1GiB, --long=31) exceed this limit.
WINDOW_LIMIT = 256 << 20
TOO_LARGE = ("usage limit exceeded", "requires too much memory")  # in the libraries' messages
XZ_INPUT_BYTES = 1 << 18
# zstd returns all output for an input at once, at most 32 kB per byte of input.
ZSTD_INPUT_BYTES = 1 << 10


def compressed(file: IO[bytes], suffix: str) -> AbstractContextManager[IO[bytes]]:
    """Returns a file object that writes to the open `file`, compressed in the format of `suffix`
    (one of SUFFIXES). The output is deterministic."""
    return _WRITERS[suffix](file)


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Decompressed:
    """The bytes of an open file, decompressed if its first bytes show a compression. The attribute
    `compression` is "gzip", "bzip2", "xz", "zstd", or None for a file that is not compressed.

    Args:
        name: the file's name for messages.
        advance: called with the number of raw bytes of each read.
        size: read at most this many raw bytes; a file that keeps growing might never end.
        plain: never decompress.
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
        """Returns the next `size` bytes, fewer only at the end. Raises InputError if the data are
        damaged or truncated, and RunError if the device fails."""
        parts = []
        with _reported(self.name):
            while size and (part := self._file.read(size)):
                parts.append(part)
                size -= len(part)
        return b"".join(parts)


def compression(head: bytes) -> str | None:
    """Returns the compression that a file's first bytes show, or None."""
    if head.startswith(b"\x1f\x8b"):
        return "gzip"
    if head.startswith(b"BZh") and head[3:4].isdigit():
        return "bzip2"
    if head.startswith(b"\xfd7zXZ\x00"):
        return "xz"
    # The second alternative is a skippable frame, with which files of pzstd begin.
    return "zstd" if re.match(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18", head) else None


@contextmanager
def _reported(name: str) -> Iterator[None]:
    """Turns the errors of the decompressors into InputError and RunError."""
    try:
        yield
    except EOFError:
        problem = f"{name} is truncated: its compressed data end too early"
        raise InputError(f"{problem}; download or copy it again") from None
    except (lzma.LZMAError, zlib.error, zstandard.ZstdError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise RunError(f"reading {name} failed: {error.strerror}") from error
        if any(words in str(error) for words in TOO_LARGE):
            problem = f"decompressing {name} takes more than {WINDOW_LIMIT >> 20} MiB of memory"
            remedy = "compress it again with xz -9 or zstd without --long, or pipe its text in"
            raise InputError(f"{problem}; {remedy}") from None
        # gzip and bz2 also raise OSError, without errno, for damaged data
        problem = f"{name} is damaged: its compressed data cannot be read ({error})"
        raise InputError(f"{problem}; download or copy it again") from None


class _RawInput(io.RawIOBase):
    """A raw file that reads at most `size` bytes and reports them to `advance`."""

    def __init__(
        self, file: IO[bytes], advance: Callable[[int], None] | None, size: int | None
    ) -> None:
        self._file, self._advance = file, advance
        self._remaining = sys.maxsize if size is None else size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._file.read(min(len(buffer), self._remaining, RAW_BUFFER_BYTES))
        self._remaining -= len(data)
        buffer[: len(data)] = data
        if self._advance is not None:
            self._advance(len(data))
        return len(data)


class _Members:
    """Decompresses the members of a file, xz streams or zstd frames, one after another.

    It replaces lzma.LZMAFile, which has no memory limit although a file may require 4 GiB, and
    silently stops at a damaged second stream, and zstd's own reader, which accepts truncated files.
    `make` returns a decoder for a member. `step` is the number of bytes read at a time, which also
    bounds the output of decoders that cannot limit it. `padding` may follow each member.
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
