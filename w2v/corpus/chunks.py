"""Cuts text at whitespace into chunks of UTF-8, the unit of work of the tokeniser.

A chunk may begin and end inside a line, and may hold many small files; a line end is made only
where a source ends without one. So memory is bounded by the chunk and the longest word, whatever
the length of the lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from w2v.corpus.sources import Advance, Source, read_pieces
from w2v.corpus.tables import read_documents
from w2v.errors import InputError

# Whitespace as in str.split(), and NUL, in UTF-8.
WHITESPACE = re.compile(
    rb"[\x00\t\n\v\f\r\x1c-\x20]|\xc2[\x85\xa0]|\xe1\x9a\x80|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe2\x81\x9f|\xe3\x80\x80"
)
# Arrow's 32-bit offsets hold 2 GiB a chunk: the longest word must leave room for a chunk beside it.
LONGEST_WORD_BYTES = 1 << 30
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

SAMPLE_BYTES = 1 << 16
BINARY_CONTROL_SHARE = 0.1
# Above what Latin-1 text has of invalid bytes (1-10 %), below what random bytes have (about 50 %).
BINARY_INVALID_SHARE = 0.3
BINARY_INVALID_LEAST = 8
CONTROL_CHARACTERS = bytes({*range(32), 127} - set(b"\t\n\v\f\r\x1b\x1c\x1d\x1e\x1f"))


# A name for messages, the bytes that were dropped at the beginning, and what follows.
Text = tuple[str, int, Iterator[bytes]]


@dataclass(frozen=True)
class Chunk:
    """Text that begins and ends at a word's edge. `spans` tells where it comes from: (offset in
    `data`, source name, offset in the source's decompressed text), ascending."""

    data: bytes
    spans: tuple[tuple[int, str, int], ...]

    def locate(self, offset: int) -> tuple[str, int]:
        """Returns the source's name and the offset in it of the byte at `offset` of `data`."""
        start, name, base = next(span for span in reversed(self.spans) if span[0] <= offset)
        return name, base + offset - start


def read_chunks(
    sources: Sequence[Source], column: str, strict: bool, chunk_bytes: int, advance: Advance
) -> Iterator[Chunk]:
    """Yields the text of all sources in order, in chunks of about `chunk_bytes`.

    `column` is the text column of tables; `advance` gets the number of raw bytes of each read. With
    `strict` the tokeniser will refuse invalid UTF-8 and name its place, so that here it is no sign
    of a binary file. Raises InputError if a source cannot be read, is damaged, binary or in UTF-16,
    or has one word of 1 GiB.
    """

    def text(source: Source) -> Text:
        if source.format != "text":
            return source.name, 0, read_documents(source, column, advance)
        pieces = read_pieces(source, max(chunk_bytes, SAMPLE_BYTES), advance)
        first = next(pieces, b"")
        check_text(first[:SAMPLE_BYTES], source.name, strict)
        rest = first.removeprefix(BYTE_ORDER_MARK)
        return source.name, len(first) - len(rest), chain([rest], pieces)

    return cut_chunks(map(text, sources), chunk_bytes)


def cut_chunks(texts: Iterable[Text], chunk_bytes: int) -> Iterator[Chunk]:
    """Yields the texts in order, in chunks of about `chunk_bytes`, with a line end at the end of
    each text. Raises InputError for a word of 1 GiB."""
    buffer = bytearray()
    spans: list[tuple[int, str, int]] = []
    for name, skipped, pieces in texts:
        spans.append((len(buffer), name, skipped))
        searched = len(buffer)
        last = b"\n"
        for piece in _cut(pieces, chunk_bytes):
            buffer += piece
            last = piece[-1:]
            if len(buffer) < chunk_bytes:
                continue
            cut = last_edge(buffer, searched)
            if cut:
                data = bytes(memoryview(buffer)[:cut])
                yield Chunk(data, tuple(spans))
                del buffer[:cut]
                # Cuts lie in the newest source: its newest piece has filled the buffer, and every
                # source before it ends in a line end.
                start, _, base = spans[-1]
                spans = [(0, name, base + cut - start)]
            elif len(buffer) > LONGEST_WORD_BYTES:
                problem = "has no whitespace in 1 GiB of text: is it a plain text corpus?"
                raise InputError(f"{name} {problem}")
            searched = len(buffer)
        if last != b"\n":
            buffer += b"\n"
    if buffer:
        yield Chunk(bytes(buffer), tuple(spans))


def _cut(pieces: Iterable[bytes], size: int) -> Iterator[bytes]:
    for piece in pieces:
        for start in range(0, len(piece), size):
            yield piece[start : start + size]


def last_edge(text: bytes | bytearray, start: int = 0) -> int:
    """Returns the offset behind the last whitespace character of `text`, 0 if there is none from
    `start` on."""
    if edge := max(text.rfind(b" ", start), text.rfind(b"\n", start)) + 1:
        return edge
    # A character may straddle `start`: at most 2 of its bytes lie before.
    ends = [match.end() for match in WHITESPACE.finditer(text, max(start - 2, 0))]
    return ends[-1] if ends else 0


def check_text(sample: bytes, name: str, strict: bool) -> None:
    """Raises InputError when `sample`, the start of a source, is UTF-16 or no text at all."""
    if sample.startswith((b"\xff\xfe", b"\xfe\xff")):
        remedy = "convert it first, e.g. iconv -f UTF-16 -t UTF-8"
        raise InputError(f"{name} is in UTF-16, not UTF-8; {remedy}")
    binary = b"\x00" in sample
    controls = len(sample) - len(sample.translate(None, CONTROL_CHARACTERS))
    binary |= controls > BINARY_CONTROL_SHARE * len(sample)
    if not strict and not binary and not sample.isascii():
        invalid = sample.decode("utf-8", "replace").count("\ufffd") - sample.count(b"\xef\xbf\xbd")
        binary = invalid >= BINARY_INVALID_LEAST and invalid > BINARY_INVALID_SHARE * len(sample)
    if binary:
        problem = "looks like a binary file or another encoding; the corpus must be UTF-8 text"
        raise InputError(f"{name} {problem}")
