"""Text columns of .jsonl, .json, .csv, .tsv, .parquet and .arrow files, read as streams.

A value of the column is one document: its own newlines are line ends, and its end is a line end. A
list of words, or of integers, is a line of them. Missing values (null, a row that ends before the
column) are no documents; they are counted. A record of JSON and a row of CSV may have 16 MiB. A
table of parquet or Arrow from a pipe, or a compressed one, is spooled to a temporary file first.
"""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections.abc import Iterator
from itertools import chain
from typing import Any

from w2v.corpus.columns import (
    ARROW_MARK,
    PARQUET_MARK,
    STREAM_MARK,
    Value,
    is_plain,
    no_column,
    read_arrow,
    read_hub,
    read_parquet,
)
from w2v.corpus.reading import UTF_8, Notices, Reading
from w2v.corpus.sources import ON_HUB, Advance, Source, read_pieces
from w2v.corpus.texts import SAMPLE_BYTES, check_text, in_utf8, invalid_utf8
from w2v.errors import InputError, shown
from w2v.system.files import temporary_file

PIECE_BYTES = 1 << 20
GATHERED_BYTES = 1 << 16  # of short documents, handed on together
RECORD_BYTES = 16 << 20
SNIFF_BYTES = 1 << 12
SOUGHT_ROWS = 1000  # of JSON, after which a column that none of them has is missing
BETWEEN = re.compile(r"[\s,\[\]\ufeff]*")  # records of JSON; an array of them is as good as lines

BINARY = {"parquet": read_parquet, "arrow": read_arrow, ON_HUB: read_hub}

Row = tuple[int, Any]  # the number of its line from 1, and its value


def read_documents(
    source: Source, reading: Reading, advance: Advance, notices: Notices
) -> Iterator[bytes]:
    """Yields the documents of one table in UTF-8, each ended by a newline. Raises InputError if the
    file is no such table, or has no such column, or the column holds no text, and RunError if a
    pipe's content does not fit the temporary folder."""
    end, gathered, size = b"\n\n" if reading.paragraphs else b"\n", [], 0
    for document in _documents(source, reading, advance, notices):
        if document is None:
            notices.missing += 1
            continue
        gathered.append(document)
        if reading.paragraphs or not document.endswith(b"\n"):
            gathered.append(end)
        size += len(document) + 1
        if size >= GATHERED_BYTES:
            yield b"".join(gathered)
            gathered, size = [], 0
    yield b"".join(gathered)


def _documents(
    source: Source, reading: Reading, advance: Advance, notices: Notices
) -> Iterator[bytes | None]:
    name, kind, column = source.name, source.format, reading.column
    if kind == ON_HUB or (kind in BINARY and source.lasting and is_plain(source)):
        for value in BINARY[kind](str(source.path), source, column, advance):
            yield _line(value, f"column {column!r} of {name}", reading)
        return
    pieces = read_pieces(source, PIECE_BYTES, advance)
    first = next(pieces, b"")
    if not first:
        return
    if kind == "sniff":
        kind = _sniffed(first)
        if kind not in BINARY and reading.encoding != UTF_8:
            kind = _sniffed(first.decode(reading.encoding, "ignore").encode("utf-8", "ignore"))
    if kind in BINARY:
        with temporary_file(named=True) as spool:
            spool.writelines(chain([first], pieces))
            spool.flush()
            for value in BINARY[kind](spool.name, source, column, lambda size: None):
                yield _line(value, f"column {column!r} of {name}", reading)
        return
    pieces = in_utf8(chain([first], pieces), name, reading, notices)
    first = next(pieces, b"")
    check_text(first[:SAMPLE_BYTES], name, reading.strict)
    texts = _decoded(chain([first], pieces), name, reading.strict)
    rows = _json if kind == "json" else _csv
    kind_of_all: type | None = None
    for line, value in rows(texts, name, column, "\t" if kind == "tsv" else ","):
        where = f"column {column!r} of {name}, line {line}"
        if isinstance(value, (str, list)):
            kind_of_all = kind_of_all or type(value)
            if not isinstance(value, kind_of_all):
                what = f"holds {shown(value)}; texts and lists cannot be mixed"
                raise InputError(f"{where}, {what}")
        if isinstance(value, str):
            yield _encoded(value, f"{name} line {line}", reading.strict)
        elif value is None or isinstance(value, list):
            yield _line(value, where, reading)
        else:
            what = f"holds {shown(value)}, not text; choose another one with `column`"
            raise InputError(f"{where}, {what}")


def _line(value: Value, where: str, reading: Reading) -> bytes | None:
    """Returns a document in UTF-8; of a list of words a line, which is cut into these again."""
    if not isinstance(value, list):
        return value
    if reading.cuts:
        remedy = "leave out `tokenizer`"
        raise InputError(f"{where} holds lists of words, which are not cut again: {remedy}")
    if sound := all(type(word) in (bytes, str, int) for word in value):
        line = b" ".join([_word(word, where, reading.strict) for word in value])
        text = line.replace(b"\0", b"\n").decode("utf-8", "replace")
        parts = text.split()
        sound = not value or (len(parts) == len(value) and parts == text.split(" "))
    if not sound:
        shape = "words are texts that are not empty and hold no blanks, or integers"
        raise InputError(f"{where} holds the list {shown(value)}: {shape}")
    return line


def _word(word: bytes | str | int, where: str, strict: bool) -> bytes:
    return word if isinstance(word, bytes) else _encoded(str(word), where, strict)


def _sniffed(data: bytes) -> str:
    """Returns the format of what came through a pipe without a telling name, by its content."""
    head = data[:SNIFF_BYTES].removeprefix(codecs.BOM_UTF8).lstrip()
    if head.startswith(PARQUET_MARK):
        return "parquet"
    if head.startswith((ARROW_MARK, STREAM_MARK)):
        return "arrow"
    if head.startswith((b"{", b"[")):
        return "json"
    return "tsv" if b"\t" in head.split(b"\n", 1)[0] else "csv"


def _decoded(pieces: Iterator[bytes], name: str, strict: bool) -> Iterator[str]:
    """Yields UTF-8 as text, in which surrogates stand for invalid bytes."""
    decoder = codecs.getincrementaldecoder("utf-8")("strict" if strict else "surrogateescape")
    begun = 0
    for piece in chain(pieces, [b""]):
        pending = len(decoder.getstate()[0])
        try:
            text = decoder.decode(piece, not piece)
        except UnicodeDecodeError as error:
            raise invalid_utf8(name, begun - pending + error.start, error.reason) from None
        yield text if begun else text.removeprefix("\ufeff")
        begun += len(piece)


def _encoded(value: str, where: str, strict: bool) -> bytes:
    """Returns the bytes of the file; JSON can spell half a character as well, which is invalid."""
    try:
        return value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        if strict:
            raise invalid_utf8(where, error.start, "half a character") from None
        return value.encode("utf-8", "surrogatepass")


# --------------------------------------------------------------------------------------------------
# JSON


def _json(texts: Iterator[str], name: str, column: str, _: str) -> Iterator[Row]:
    names: dict[str, None] = {}
    rows = 0
    for rows, (line, record) in enumerate(_records(texts, name), 1):
        if not isinstance(record, dict):
            problem = f"line {line}: {shown(record)} is no object"
            raise InputError(f"{name} cannot be read as json: {problem}")
        if rows <= SOUGHT_ROWS:
            names |= dict.fromkeys(record)
        elif column not in names:
            break
        yield line, record.get(column)
    if rows and column not in names:
        raise no_column(name, column, list(names))


def _records(texts: Iterator[str], name: str) -> Iterator[Row]:
    """Yields the values of lines of JSON, or of an array."""
    decode = json.JSONDecoder().raw_decode
    text, at, line, complete = "", 0, 1, False
    while True:
        begin = _end(BETWEEN, text, at)
        line += text.count("\n", at, begin)
        at, problem, place = begin, "", begin
        try:
            value, end = decode(text, at) if at < len(text) else (None, at)
            if at < end <= at + RECORD_BYTES and (complete or end < len(text)):
                yield line, value
                line += text.count("\n", at, end)
                at = end
                continue
        except json.JSONDecodeError as error:
            problem, place = error.msg, error.pos
        except RecursionError:
            problem = "it is nested too deeply"
        except ValueError:
            problem = "a number has too many digits"
        if at == len(text) and complete:
            return
        too_long = len(text) - at > RECORD_BYTES
        if too_long and (not problem or place >= len(text) or problem.startswith("Unterminated")):
            problem = f"a record has more than {RECORD_BYTES >> 20} MiB: cut its text into several"
        if complete or too_long:
            lines = text[at:place].rstrip().count("\n")  # not that of what should not follow
            where = f"line {line + lines}: {problem}"
            raise InputError(f"{name} cannot be read as json: {where}")
        # twice as much each time, since the record is read from its beginning again
        parts = [text[at:]]
        for part in texts:
            parts.append(part)
            if sum(map(len, parts)) > min(2 * len(parts[0]), RECORD_BYTES):
                break
        else:
            complete = True
        text, at = "".join(parts), 0


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at


# --------------------------------------------------------------------------------------------------
# CSV


def _csv(texts: Iterator[str], name: str, column: str, separator: str) -> Iterator[Row]:
    reader = csv.reader(_lines(texts, name), delimiter=separator, strict=True)
    before = csv.field_size_limit(RECORD_BYTES)
    try:
        header = next(reader, [])
        if column not in header:
            raise no_column(name, column, header)
        place = header.index(column)
        for row in reader:
            if len(row) > len(header):
                what = f"has {len(row)} fields, the first line {len(header)}"
                remedy = f"put texts that hold a {'tab' if separator != ',' else 'comma'} in quotes"
                raise InputError(f"{name} line {reader.line_num} {what}; {remedy}")
            if row:
                yield reader.line_num, row[place] if place < len(row) else None
    except csv.Error as error:
        format = "csv" if separator == "," else "tsv"
        where = f"line {reader.line_num}: {error}"
        raise InputError(f"{name} cannot be read as {format}: {where}") from None
    finally:
        csv.field_size_limit(before)


def _lines(texts: Iterator[str], name: str) -> Iterator[str]:
    rest, number = "", 1
    for text in chain(texts, [None]):
        if text is not None:
            *lines, rest = (rest + text).split("\n")
        else:
            lines, rest = [rest] if rest else [], ""
        for line in lines:
            yield line + "\n"
        number += len(lines)
        if len(rest) > RECORD_BYTES:
            what = f"has more than {RECORD_BYTES >> 20} MiB: cut its text into several rows"
            raise InputError(f"{name} line {number} {what}")
