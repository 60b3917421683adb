"""Cuts text at whitespace into chunks of UTF-8, the tokenizer's unit of work.

A chunk may begin and end inside a line, and may hold many small files; a line end is added only
where a source ends without one. Memory is therefore bounded by the chunk size and the longest word,
whatever the length of the lines.
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

# The whitespace of str.split(), and NUL, in UTF-8.
WHITESPACE = re.compile(
    rb"[\x00\t\n\v\f\r\x1c-\x20]|\xc2[\x85\xa0]|\xe1\x9a\x80|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe2\x81\x9f|\xe3\x80\x80"
)
NEAR_BYTES = 1 << 10
LINES_BYTES = 1 << 18  # a chunk for a tokenizer file, which takes 100 times its size in memory
# The marks after which a word ends in scripts written without spaces: 。！？
STOPS = [mark.encode() for mark in "\u3002\uff01\uff1f"]

# The lines that WikiExtractor puts around each document.
TAG, TAGS = b"<doc ", re.compile(rb"^(?:<doc [^\n]*>|</doc>)[ \t\r]*(?:\n|\Z)", re.MULTILINE)
LONGEST_TAG = 1 << 16

# A name for messages, the offset in the source where its text begins, and the text in pieces.
Text = tuple[str, int, Iterator[bytes]]


@dataclass(frozen=True)
class Chunk:
    """A piece of text that begins and ends at a word boundary. `spans` holds its origin: (offset
    in `data`, source name, offset in the source's decompressed text), ascending."""

    data: bytes
    spans: tuple[tuple[int, str, int], ...]

    def locate(self, offset: int) -> tuple[str, int]:
        """Returns the source's name and the offset in it for the byte of `data` at `offset`."""
        start, name, base = next(span for span in reversed(self.spans) if span[0] <= offset)
        return name, base + offset - start


def read_chunks(
    sources: Sequence[Source],
    reading: Reading,
    chunk_bytes: int,
    advance: Advance,
    notices: Notices,
) -> Iterator[Chunk]:
    """Yields the text of all sources in order, in chunks of about `chunk_bytes`. If a text begins
    with a <doc …> tag, its lines that are <doc …> or </doc> tags are left out.

    `advance` is called with the number of raw bytes of each read. A file that is not text is
    skipped and noted in `notices`, unless the user named it. Raises InputError if a source cannot
    be read, is damaged, is not text, or has a word of more than 1 MiB.
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
            if not source.begin:  # note a file once, not once for each of its parts
                notices.passed_over.append(str(error))

    texts = ((source.name, source.begin, text(source)) for source in sources)
    return cut_chunks(texts, reading, chunk_bytes)


def _is_json(source: Source) -> bool:
    return next(read_pieces(source, 2, lambda size: None), b"") == b'{"'


def without_tags(pieces: Iterable[bytes], reading: Reading, notices: Notices) -> Iterator[bytes]:
    """Yields the text without its tag lines, which are counted in `notices`; the end of a document
    also ends a paragraph."""
    rest, inside = b"", False  # inside: whether `rest` continues a line
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
    """Yields the texts in order, in chunks of about `chunk_bytes`; each text ends with a line end,
    or a paragraph end if paragraphs are read. Raises InputError for a word of more than 1 MiB."""
    buffer = bytearray()
    spans: list[tuple[int, str, int]] = []
    edge: Callable[[bytearray, int], int] = last_stop if reading.words else last_edge
    if reading.cutter is not None:
        edge, chunk_bytes = last_line, min(chunk_bytes, LINES_BYTES)
    for name, offset, pieces in texts:
        begun = searched = len(buffer)
        spans.append((begun, name, offset))
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
                # Keep only the spans of the text that is still in the buffer.
                first = max(i for i, span in enumerate(spans) if span[0] <= cut)
                spans = [
                    (max(0, start - cut), source, base + max(0, cut - start))
                    for start, source, base in spans[first:]
                ]
                begun = max(0, begun - cut)
            elif len(buffer) - begun > MAX_WORD_BYTES:
                raise InputError(
                    f"{name} has no whitespace in {MAX_WORD_BYTES >> 20} MiB of text: is it plain"
                    " text? For a script without spaces, use `tokenizer` words"
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
    """Returns the offset after the last whitespace of `text`, 0 if none from `start` on."""
    if edge := max(text.rfind(b" ", start), text.rfind(b"\n", start)) + 1:
        return edge
    # A character may straddle `start`, with at most 2 of its bytes before it. The last whitespace
    # is usually near the end, so the end is searched first: searching everything is slower.
    for begin in (len(text) - NEAR_BYTES, 0):
        edge = 0
        for match in WHITESPACE.finditer(text, max(start - 2, begin, 0)):
            edge = match.end()
        if edge:
            return edge
    return 0


def last_stop(text: bytes | bytearray, start: int = 0) -> int:
    """Returns `last_edge` or, if that is 0, the offset just after the last full stop of a script
    written without spaces, which is also a word boundary under Unicode's rules."""
    if edge := last_edge(text, start):
        return edge
    positions = [text.rfind(stop, max(start - 2, 0)) for stop in STOPS]
    return max(positions) + 3 if max(positions) >= 0 else 0


def last_line(text: bytes | bytearray, start: int = 0) -> int:
    """Returns the offset just after the last line end. Inside a long line: the offset of the last
    space, which many tokenizers attach to the following word, or just after the last full stop."""
    if end := text.rfind(b"\n") + 1:
        return end
    edge = last_stop(text, start)
    return edge - 1 if edge > 1 and text[edge - 1] == ord(" ") else edge
