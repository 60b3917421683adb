"""Cuts text at whitespace into chunks of UTF-8, the unit of work of the tokeniser.

A chunk may begin and end inside a line, and may hold many small files; a line end is made only
where a source ends without one. So memory is bounded by the chunk and the longest word, whatever
the length of the lines.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from w2v.corpus.reading import Notices, Reading
from w2v.corpus.sources import EXTRACTED, Advance, Source, opened, read_pieces
from w2v.corpus.tables import read_documents
from w2v.corpus.texts import SAMPLE_BYTES, NoTextError, check_text, in_utf8
from w2v.errors import InputError
from w2v.system.limits import MAX_WORD_BYTES

# Whitespace as in str.split(), and NUL, in UTF-8.
WHITESPACE = re.compile(
    rb"[\x00\t\n\v\f\r\x1c-\x20]|\xc2[\x85\xa0]|\xe1\x9a\x80|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe2\x81\x9f|\xe3\x80\x80"
)
NEAR_BYTES = 1 << 10
LINES_BYTES = 1 << 18  # of lines that a file says how to cut, which takes 100 times as much
# Where a word ends in scripts that have no blanks: 。！？
STOPS = [mark.encode() for mark in "\u3002\uff01\uff1f"]

# What WikiExtractor puts around a document
TAG, TAGS = b"<doc ", re.compile(rb"^(?:<doc [^\n]*>|</doc>)[ \t\r]*(?:\n|\Z)", re.MULTILINE)
LONGEST_TAG = 1 << 16

# A name for messages, the place in the source where its text begins, and the pieces of that.
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
    sources: Sequence[Source],
    reading: Reading,
    chunk_bytes: int,
    advance: Advance,
    notices: Notices,
) -> Iterator[Chunk]:
    """Yields the text of all sources in order, in chunks of about `chunk_bytes`. Of a text whose
    first line is such a tag, lines that are <doc …> or </doc> are left out.

    `advance` gets the number of raw bytes of each read. A file that is no text is passed over and
    noted, unless the user named it. Raises InputError if a source cannot be read, is damaged or no
    text, or has a word of more than 1 MiB.
    """

    def text(source: Source) -> Iterator[bytes]:
        try:
            if source.format == EXTRACTED:
                source = replace(source, format="json" if _is_json(source) else "text")
            if source.format != "text":
                yield from read_documents(source, reading, advance, notices)
                return
            raw = read_pieces(source, max(chunk_bytes, SAMPLE_BYTES), advance)
            pieces = in_utf8(raw, source.name, reading, notices)
            first = next(pieces, b"")
            sample = first[:SAMPLE_BYTES]
            if source.begin:
                with opened(source) as file:
                    sample = file.read(SAMPLE_BYTES)
            check_text(sample, source.name, reading.strict)
            if sample.removeprefix(BOM_UTF8).startswith(TAG):
                begun = first if source.begin else first.removeprefix(BOM_UTF8)
                yield from without_tags(chain([begun], pieces), reading, notices)
            else:
                yield from chain([first], pieces)
        except NoTextError as error:
            if source.named:
                raise
            if not source.begin:  # once for the file
                notices.passed_over.append(str(error))

    texts = ((source.name, source.begin, text(source)) for source in sources)
    return cut_chunks(texts, reading, chunk_bytes)


def _is_json(source: Source) -> bool:
    return next(read_pieces(source, 2, lambda size: None), b"") == b'{"'


def without_tags(pieces: Iterable[bytes], reading: Reading, notices: Notices) -> Iterator[bytes]:
    """Yields a text without the lines that are tags, which are counted; a document ends a
    paragraph."""
    rest, inside = b"", False  # inside: whether the rest goes on with a line
    for piece in chain(pieces, [b""]):
        text = rest + piece
        end = text.rfind(b"\n") + 1
        if not piece or len(text) - end > LONGEST_TAG:
            end = len(text)
        text, rest = text[:end], text[end:]
        begin = (text.find(b"\n") + 1 or len(text)) if inside else 0
        kept, count = TAGS.subn(b"\n" if reading.paragraphs else b"", text[begin:])
        notices.tags += count
        inside = text[-1:] != b"\n" if text else inside
        yield text[:begin] + kept


def cut_chunks(texts: Iterable[Text], reading: Reading, chunk_bytes: int) -> Iterator[Chunk]:
    """Yields the texts in order, in chunks of about `chunk_bytes`, with a line end at the end of
    each text, or the end of a paragraph. Raises InputError for a word of more than 1 MiB."""
    buffer = bytearray()
    spans: list[tuple[int, str, int]] = []
    edge: Callable[[bytearray, int], int] = last_stop if reading.words else last_edge
    if reading.cutter is not None:
        edge, chunk_bytes = last_line, min(chunk_bytes, LINES_BYTES)
    for name, place, pieces in texts:
        begun = searched = len(buffer)
        spans.append((begun, name, place))
        last = b"\n"
        for piece in _cut(pieces, chunk_bytes):
            buffer += piece
            last = piece[-1:]
            if len(buffer) < chunk_bytes:
                continue
            cut = edge(buffer, searched)
            if cut:
                data = bytes(memoryview(buffer)[:cut])
                yield Chunk(data, tuple(spans))
                del buffer[:cut]
                # Most cuts lie in the newest source: its newest piece has filled the buffer.
                first = max(place for place, span in enumerate(spans) if span[0] <= cut)
                spans = [
                    (max(0, start - cut), source, base + max(0, cut - start))
                    for start, source, base in spans[first:]
                ]
                begun = max(0, begun - cut)
            elif len(buffer) - begun > MAX_WORD_BYTES:
                raise InputError(
                    f"{name} has no whitespace in {MAX_WORD_BYTES >> 20} MiB of text, and words are"
                    " shorter: is it plain text? In a script without blanks take `tokenizer` words"
                )
            searched = len(buffer)
        if reading.paragraphs:
            buffer += b"\n\n"
        elif last != b"\n":
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
    # A character may straddle `start`: at most 2 of its bytes lie before. Most often it is near the
    # end, and looking through all of the text takes longer.
    for begin in (len(text) - NEAR_BYTES, 0):
        edge = 0
        for match in WHITESPACE.finditer(text, max(start - 2, begin, 0)):
            edge = match.end()
        if edge:
            return edge
    return 0


def last_stop(text: bytes | bytearray, start: int = 0) -> int:
    """Returns the same or, if there is none, the offset behind the last full stop of a script that
    has no blanks: a word's edge, too, where words are found by Unicode's boundaries."""
    if edge := last_edge(text, start):
        return edge
    places = [text.rfind(stop, max(start - 2, 0)) for stop in STOPS]
    return max(places) + 3 if max(places) >= 0 else 0


def last_line(text: bytes | bytearray, start: int = 0) -> int:
    """Returns the offset behind the last line end; in a longer line that of the last blank, which
    for many tokenizers is part of the word behind it, or the offset behind a full stop."""
    if end := text.rfind(b"\n") + 1:
        return end
    edge = last_stop(text, start)
    return edge - 1 if edge > 1 and text[edge - 1] == ord(" ") else edge
