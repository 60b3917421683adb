"""Reads a text column of .jsonl, .json, .csv, .tsv, .parquet and .arrow files as a stream.

Each value of the column is one document: the newlines in it are line ends, and so is its end. A
list of words or of integers is one line. Missing values (null, or a row that ends before the
column) are skipped and counted. A JSON record or CSV row may have at most 16 MiB. A parquet or
Arrow table that comes through a pipe or is compressed is first copied to a temporary file.
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
GATHERED_BYTES = 1 << 16  # short documents are passed on together
RECORD_BYTES = 16 << 20
SNIFF_BYTES = 1 << 12
SOUGHT_ROWS = 1000  # if none of the first records of JSON has the column, it is missing
BETWEEN = re.compile(r"[\s,\[\]\ufeff]*")  # between JSON records, in an array or one per line

BINARY = {"parquet": read_parquet, "arrow": read_arrow, ON_HUB: read_hub}

Row = tuple[int, Any]  # line number, from 1, and value


def read_documents(
    source: Source, reading: Reading, advance: Advance, notices: Notices
) -> Iterator[bytes]:
    """Yields the documents of one table in UTF-8, each ending with a newline. Raises InputError if
    the file is not a table of its format, or the column is missing or not text, and RunError if
    there is no room for the temporary copy of a pipe."""
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
                problem = f"holds {shown(value)}; a column must hold only texts or only lists"
                raise InputError(f"{where}, {problem}")
        if isinstance(value, str):
            yield _encoded(value, f"{name} line {line}", reading.strict)
        elif value is None or isinstance(value, list):
            yield _line(value, where, reading)
        else:
            problem = f"holds {shown(value)}, not text; choose another column with `column`"
            raise InputError(f"{where}, {problem}")


def _line(value: Value, where: str, reading: Reading) -> bytes | None:
    """Returns a document in UTF-8. A list of words becomes a line, from which the tokenizer will
    recover the same words."""
    if not isinstance(value, list):
        return value
    if reading.cuts:
        remedy = "leave out `tokenizer`"
        raise InputError(f"{where} holds lists, which are already split into words: {remedy}")
    if sound := all(type(word) in (bytes, str, int) for word in value):
        line = b" ".join([_word(word, where, reading.strict) for word in value])
        text = line.replace(b"\0", b"\n").decode("utf-8", "replace")
        parts = text.split()
        sound = not value or (len(parts) == len(value) and parts == text.split(" "))
    if not sound:
        shape = "words must be non-empty strings without whitespace, or integers"
        raise InputError(f"{where} holds the list {shown(value)}: {shape}")
    return line


def _word(word: bytes | str | int, where: str, strict: bool) -> bytes:
    return word if isinstance(word, bytes) else _encoded(str(word), where, strict)


def _sniffed(data: bytes) -> str:
    """Returns the format of a pipe's content, which has no file name to show it."""
    head = data[:SNIFF_BYTES].removeprefix(codecs.BOM_UTF8).lstrip()
    if head.startswith(PARQUET_MARK):
        return "parquet"
    if head.startswith((ARROW_MARK, STREAM_MARK)):
        return "arrow"
    if head.startswith((b"{", b"[")):
        return "json"
    return "tsv" if b"\t" in head.split(b"\n", 1)[0] else "csv"


def _decoded(pieces: Iterator[bytes], name: str, strict: bool) -> Iterator[str]:
    """Decodes UTF-8. Invalid bytes become surrogates, or raise InputError if `strict`."""
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
    """Encodes `value`, restoring the bytes that `_decoded` made surrogates. An escape in JSON can
    also spell half a surrogate pair, which is invalid."""
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
            problem = f"line {line}: {shown(record)} is not an object"
            raise InputError(f"{name} cannot be read as json: {problem}")
        if rows <= SOUGHT_ROWS:
            names |= dict.fromkeys(record)
        elif column not in names:
            break
        yield line, record.get(column)
    if rows and column not in names:
        raise no_column(name, column, list(names))


def _records(texts: Iterator[str], name: str) -> Iterator[Row]:
    """Yields the records of JSON lines or of a JSON array, with their line numbers."""
    decode = json.JSONDecoder().raw_decode
    text, offset, line, complete = "", 0, 1, False
    while True:
        begin = _end(BETWEEN, text, offset)
        line += text.count("\n", offset, begin)
        offset, problem, blamed = begin, "", begin
        try:
            value, end = decode(text, offset) if offset < len(text) else (None, offset)
            if offset < end <= offset + RECORD_BYTES and (complete or end < len(text)):
                yield line, value
                line += text.count("\n", offset, end)
                offset = end
                continue
        except json.JSONDecodeError as error:
            problem, blamed = error.msg, error.pos
        except RecursionError:
            problem = "it is nested too deeply"
        except ValueError:
            problem = "a number has too many digits"
        if offset == len(text) and complete:
            return
        too_long = len(text) - offset > RECORD_BYTES
        if too_long and (not problem or blamed >= len(text) or problem.startswith("Unterminated")):
            problem = f"a record has more than {RECORD_BYTES >> 20} MiB: cut its text into several"
        if complete or too_long:
            lines = text[offset:blamed].rstrip().count("\n")  # the line before, if a record ended
            where = f"line {line + lines}: {problem}"
            raise InputError(f"{name} cannot be read as json: {where}")
        # Double the text each time, because an incomplete record is parsed again from its start.
        parts = [text[offset:]]
        for part in texts:
            parts.append(part)
            if sum(map(len, parts)) > min(2 * len(parts[0]), RECORD_BYTES):
                break
        else:
            complete = True
        text, offset = "".join(parts), 0


def _end(pattern: re.Pattern[str], text: str, start: int) -> int:
    match = pattern.match(text, start)
    return match.end() if match else start


# --------------------------------------------------------------------------------------------------
# CSV


def _csv(texts: Iterator[str], name: str, column: str, separator: str) -> Iterator[Row]:
    reader = csv.reader(_lines(texts, name), delimiter=separator, strict=True)
    before = csv.field_size_limit(RECORD_BYTES)
    try:
        header = next(reader, [])
        if column not in header:
            raise no_column(name, column, header)
        index = header.index(column)
        for row in reader:
            if len(row) > len(header):
                problem = f"has {len(row)} fields, the first line {len(header)}"
                remedy = f"quote texts that contain a {'tab' if separator != ',' else 'comma'}"
                raise InputError(f"{name} line {reader.line_num} {problem}; {remedy}")
            if row:
                yield reader.line_num, row[index] if index < len(row) else None
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
            problem = f"has more than {RECORD_BYTES >> 20} MiB: cut its text into several rows"
            raise InputError(f"{name} line {number} {problem}")
