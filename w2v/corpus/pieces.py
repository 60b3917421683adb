"""Cuts a corpus into pieces that can be read independently: several small files, a part of a large
plain-text file that ends at a line end, or a whole file of any other kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import IO

from w2v.corpus.reading import UTF_8, Reading
from w2v.corpus.sources import Source, opened
from w2v.system.compression import MAGIC_BYTES, compression

PIECE_BYTES, SMALLEST_PIECE = 64 << 20, 1 << 20
PIECES_PER_RANK = 4  # at least, so that no rank gets much more than another
LOOKED_AT = 1 << 16  # bytes read at a time while searching for a line end

Piece = list[Source]  # whole files, or a part of one


def cut_pieces(sources: Sequence[Source], reading: Reading, ranks: int) -> list[Piece]:
    """Returns the pieces for `ranks` ranks, of about equal size, in the order of the text."""
    total = sum(source.size or 0 for source in sources)
    size = max(SMALLEST_PIECE, min(PIECE_BYTES, total // (PIECES_PER_RANK * ranks)))
    pieces: list[Piece] = []
    room = 0
    for source in sources:
        for part in _parts(source, reading, size):
            length = (part.size or 0) - part.begin if part.end is None else part.end - part.begin
            if not pieces or room < length or part.begin:
                pieces.append([])
                room = size
            pieces[-1].append(part)
            room -= length
    return pieces


def _parts(source: Source, reading: Reading, size: int) -> Iterator[Source]:
    """Yields the parts of a file, cut after line ends if it is plain text in UTF-8, else whole."""
    begin, length = 0, source.size or 0
    plain = source.format == "text" and reading.encoding == UTF_8 and not reading.paragraphs
    if plain and length > size:
        with opened(source) as file:
            if compression(file.read(MAGIC_BYTES)) is None:
                while (end := _line_end(file, begin + size, length)) is not None:
                    yield replace(source, begin=begin, end=end)
                    begin = end
    yield replace(source, begin=begin) if begin else source


def _line_end(file: IO[bytes], start: int, length: int) -> int | None:
    """Returns the offset after the first line end from `start` on, None at the file's end."""
    file.seek(start)
    while start < length and (block := file.read(LOOKED_AT)):
        if (index := block.find(b"\n")) >= 0:
            return start + index + 1 if start + index + 1 < length else None
        start += len(block)
    return None
