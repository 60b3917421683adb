"""A vector file as one stream of bytes, whatever compressed it, with a look at its beginning
first."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol, cast

from w2v.errors import InputError, RunError
from w2v.system.xz import XzReader

SAMPLE_BYTES = 1 << 20
CHUNK_BYTES = 4 << 20

MAGIC_BYTES = 6
COMPRESSION = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}


class Readable(Protocol):
    """What is needed of a file."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; none only at the end."""
        ...


class VectorStream:
    """The (decompressed) bytes of one vector file.

    Attributes:
        name: the file's name for messages.
        sample: its first bytes, which `read` gives again; the whole file when `sample_is_all`.
        size: bytes in all, or None when that is only known at the end (compressed files, pipes).
        warnings: what its reader found that the user should know, in plain sentences.
    """

    def __init__(self, file: Readable, name: str, size: int | None = None) -> None:
        self.name = name
        self.size = size
        self.warnings: list[str] = []
        self._file = file
        self._pending = b""
        self.sample = self._read(SAMPLE_BYTES)
        self.sample_is_all = len(self.sample) < SAMPLE_BYTES
        self._pending = self.sample

    def read(self, size: int = CHUNK_BYTES) -> bytes:
        """Up to `size` further bytes; none only at the end.

        Raises:
            InputError: the compressed data are damaged or cut short.
        """
        if self._pending:
            chunk, self._pending = self._pending[:size], self._pending[size:]
            return chunk
        return self._read(size)

    def _read(self, size: int) -> bytes:
        parts = []
        missing = size
        try:
            while missing and (part := self._file.read(missing)):
                parts.append(part)
                missing -= len(part)
        except (EOFError, lzma.LZMAError, zlib.error, gzip.BadGzipFile) as error:
            raise self._damaged(error) from None
        except OSError as error:
            # bz2 reports damaged data as an OSError without a number.
            if error.errno is None:
                raise self._damaged(error) from None
            raise RunError(f"cannot read {self.name}: {error.strerror}") from error
        return b"".join(parts)

    def _damaged(self, error: Exception) -> InputError:
        return InputError(
            f"{self.name}: the compressed data are damaged or cut short ({error}); copy the file"
            " again"
        )


@contextmanager
def open_stream(path: Path) -> Iterator[VectorStream]:
    """The file at `path`, decompressed when its first bytes say so.

    Raises:
        InputError: there is no such file, or it may not be read.
        RunError: the device fails.
    """
    try:
        file = open(path, "rb")  # noqa: SIM115 (closed below; only the opening itself may fail here)
    except OSError as error:
        raise InputError(f"cannot open {path}: {error.strerror}; check the path") from None
    with file:
        # Not peek: from a slow pipe it may give a single byte.
        try:
            magic = file.read(MAGIC_BYTES)
        except OSError as error:
            raise RunError(f"cannot read {path}: {error.strerror}") from error
        kind = next((name for start, name in COMPRESSION.items() if magic.startswith(start)), None)
        whole = cast(IO[bytes], _Rejoined(magic, file))
        if kind is None:
            yield VectorStream(whole, str(path), path.stat().st_size if path.is_file() else None)
        else:
            yield VectorStream(_decompressed(whole, kind), str(path))


class _Rejoined(io.RawIOBase):
    """A file together with its first bytes, which have been read already."""

    def __init__(self, head: bytes, file: IO[bytes]) -> None:
        self._head = head
        self._file = file

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        if not self._head:
            return self._file.read(size)
        if size < 0:
            size = len(self._head)
        part, self._head = self._head[:size], self._head[size:]
        return part


def _decompressed(file: IO[bytes], kind: str) -> Readable:
    if kind == "gzip":
        return gzip.open(file)
    if kind == "bzip2":
        return bz2.open(file)
    if kind == "xz":
        return XzReader(file)
    return _zstd_reader(file)


def _zstd_reader(file: IO[bytes]) -> Readable:
    import zstandard

    reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)

    class ZstdFile:
        """Turns zstandard's own exception into one that the other decompressors raise."""

        def read(self, size: int, /) -> bytes:
            try:
                data: bytes = reader.read(size)
            except zstandard.ZstdError as error:
                raise EOFError(str(error)) from None
            return data

    return ZstdFile()
