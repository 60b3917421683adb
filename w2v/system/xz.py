"""Reads .xz files within a bounded memory: their headers say how large the decoder's dictionary is,
up to 4 GiB."""

from __future__ import annotations

import lzma
from typing import IO

# xz -9 needs 65 MiB; only dictionaries chosen by hand (--lzma2=dict=1GiB) need more than this.
MEMORY_LIMIT = 512 << 20
INPUT_BYTES = 1 << 18


class XzReader:
    """The decompressed bytes of `file`, all its streams one after the other; what stands behind
    them must be zeros.

    (lzma.LZMAFile takes no limit, and ends in silence where a second stream is damaged.)
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._decoder: lzma.LZMADecompressor | None = None
        self._started = False
        self._input = b""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; none only at the end.

        Raises:
            lzma.LZMAError: damaged data, or a dictionary beyond the limit.
            EOFError: the data are cut short.
        """
        while True:
            if self._decoder is None:
                self._input = self._input or self._file.read(INPUT_BYTES)
                if not self._input and self._started:
                    return b""
                if self._started:  # between streams there may be padding
                    self._input = self._input.lstrip(b"\0")
                    if not self._input:
                        continue
                self._decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MEMORY_LIMIT)
                self._started = True
            if self._decoder.needs_input and not self._input:
                self._input = self._file.read(INPUT_BYTES)
                if not self._input:
                    raise EOFError("the xz stream has no end")
            try:
                data = self._decoder.decompress(self._input, size)
            except lzma.LZMAError as error:
                if "limit" in str(error):
                    needs = (
                        f"its dictionary needs more than {MEMORY_LIMIT >> 20} MiB, compress it"
                        " again with xz -9"
                    )
                    raise lzma.LZMAError(needs) from None
                raise
            self._input = b""
            if self._decoder.eof:
                self._input, self._decoder = self._decoder.unused_data, None
            if data:
                return data
