"""Text columns of .jsonl, .json, .csv, .tsv and .parquet files, read as streams.

A value of the column is one document: its own newlines are line ends, and its end is a line end.
Missing values (null, a row that ends before the column) are no documents; they are counted. A
record of JSON and a row of CSV may have 16 MiB; of parquet, which alone needs pyarrow, pages are
read one at a time. A parquet table from a pipe, or a compressed one, is spooled to a temporary file
first.
"""

from __future__ import annotations

import codecs
import csv
import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any

from w2v.corpus.reading import Notices, Reading
from w2v.corpus.sources import Advance, Source, read_pieces
from w2v.corpus.texts import SAMPLE_BYTES, check_text, invalid_utf8
from w2v.errors import InputError, RunError, shown

PIECE_BYTES = 1 << 20
GATHERED_BYTES = 1 << 16  # of short documents, handed on together
RECORD_BYTES = 16 << 20
SNIFF_BYTES = 1 << 12
SOUGHT_ROWS = 1000  # of JSON, after which a column that none of them has is missing
PARQUET_ROWS, FEW_ROWS = 1024, 64  # decoded at a time, and where they may be long
LONG_COLUMN_BYTES = 64 << 20  # of a row group
# What no page of text shrinks to; without a limit few bytes could ask for any amount of memory.
SHRINKS_TO = 1000
PARQUET_MARK = b"PAR1"
BETWEEN = re.compile(r"[\s,\[\]\ufeff]*")  # records of JSON; an array of them is as good as lines

Row = tuple[int, Any]  # the number of its line from 1, and its value


def read_documents(
    source: Source, reading: Reading, advance: Advance, notices: Notices
) -> Iterator[bytes]:
    """Yields the documents of one table in UTF-8, each ended by a newline. Raises InputError if the
    file is no such table, or has no such column, or the column holds no text, and RunError if a
    pipe's content does not fit the temporary folder."""
    end, gathered, size = b"\n\n" if reading.paragraphs else b"\n", [], 0
    for document in _documents(source, reading, advance):
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


def _documents(source: Source, reading: Reading, advance: Advance) -> Iterator[bytes | None]:
    name, kind, column = source.name, source.format, reading.column
    pieces = read_pieces(source, PIECE_BYTES, advance)
    first = next(pieces, b"")
    if not first:
        return
    if kind == "sniff":
        kind = _sniffed(first)
    if kind == "parquet":
        if source.lasting and _is_parquet(str(source.path)):
            yield from _parquet(str(source.path), name, column)
            return
        with _spooled(chain([first], pieces), name) as path:
            yield from _parquet(path, name, column)
        return
    check_text(first[:SAMPLE_BYTES], name, reading.strict)
    texts = _decoded(chain([first], pieces), name, reading.strict)
    rows = _json if kind == "json" else _csv
    for line, value in rows(texts, name, column, "\t" if kind == "tsv" else ","):
        if isinstance(value, str):
            yield _encoded(value, f"{name} line {line}", reading.strict)
        elif value is None:
            yield None
        else:
            what = f"holds {shown(value)}, not text; choose another one with `column`"
            raise InputError(f"column {column!r} of {name}, line {line}, {what}")


def _sniffed(data: bytes) -> str:
    """Returns the format of what came through a pipe without a telling name, by its content."""
    head = data[:SNIFF_BYTES].removeprefix(codecs.BOM_UTF8).lstrip()
    if head.startswith(PARQUET_MARK):
        return "parquet"
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
        except (RecursionError, ValueError) as error:  # too deep, or a number of too many digits
            problem = str(error)
        if at == len(text) and complete:
            return
        too_long = len(text) - at > RECORD_BYTES
        if too_long and (not problem or place >= len(text) or problem.startswith("Unterminated")):
            problem = f"a record has more than {RECORD_BYTES >> 20} MiB: cut its text into several"
        if complete or too_long:
            where = f"line {line + text.count(chr(10), at, place)}: {problem}"
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


# --------------------------------------------------------------------------------------------------
# Parquet


def _is_parquet(path: str) -> bool:
    with open(path, "rb") as file:
        return file.read(len(PARQUET_MARK)) == PARQUET_MARK


@contextmanager
def _spooled(pieces: Iterator[bytes], name: str) -> Iterator[str]:
    """Gives the path of a temporary file with the content, which exists while the block runs."""
    with tempfile.NamedTemporaryFile(prefix="w2v-") as spool:
        try:
            for piece in pieces:
                spool.write(piece)
            spool.flush()
        except OSError as error:
            problem = f"cannot spool {name} to {tempfile.gettempdir()}: {error.strerror}"
            raise RunError(f"{problem}; point TMPDIR elsewhere") from error
        yield spool.name


def _parquet(path: str, name: str, column: str) -> Iterator[bytes | None]:
    import pyarrow
    from pyarrow import parquet

    try:
        schema = parquet.read_schema(path)
        if column not in schema.names:
            raise no_column(name, column, schema.names)
        check_is_text(schema.field(column).type, f"column {column!r} of {name}")
        # Text that repeats stays a dictionary: kilobytes of file can be gigabytes of rows.
        options: Any = {"read_dictionary": [column], "pre_buffer": False}
        with parquet.ParquetFile(path, buffer_size=PIECE_BYTES, **options) as table:
            for group in range(table.num_row_groups):
                rows = _rows_at_a_time(table.metadata.row_group(group), name, column)
                options = {"columns": [column], "row_groups": [group], "use_threads": False}
                for batch in table.iter_batches(batch_size=rows, **options):
                    yield from _values(batch.column(0))
    except (pyarrow.ArrowException, OSError) as error:
        if isinstance(error, MemoryError):
            raise
        reason = str(error).strip().split("\n")[0]
        raise InputError(f"{name} cannot be read as parquet: {reason}") from None


def _rows_at_a_time(group: Any, name: str, column: str) -> int:
    chunks = (group.column(place) for place in range(group.num_columns))
    chunk = next(each for each in chunks if each.path_in_schema == column)
    size = chunk.total_uncompressed_size
    if size > max(LONG_COLUMN_BYTES, SHRINKS_TO * chunk.total_compressed_size):
        what = f"{size:,} bytes of column {column!r} in {chunk.total_compressed_size:,}"
        raise InputError(f"{name} claims to hold {what}, which no text shrinks to: is it damaged?")
    return PARQUET_ROWS if size <= LONG_COLUMN_BYTES else FEW_ROWS


def _values(values: Any) -> Iterator[bytes | None]:
    """Yields the values of an Arrow column of text, which are decoded together if they are
    short."""
    import pyarrow
    import pyarrow.compute as pc

    if not pyarrow.types.is_dictionary(values.type):
        yield from values.cast(pyarrow.large_binary()).to_pylist()
        return
    words = values.dictionary.cast(pyarrow.large_binary())
    size = pc.sum(pc.binary_length(words).take(values.indices)).as_py() or 0
    if size <= RECORD_BYTES:
        yield from words.take(values.indices).to_pylist()
        return
    for place in values.indices.to_pylist():
        yield None if place is None else words[place].as_py()


def check_is_text(kind: Any, what: str) -> None:
    """Raises InputError where the type of an Arrow column, named as `what`, is not text."""
    import pyarrow

    if pyarrow.types.is_dictionary(kind):
        kind = kind.value_type
    texts = (pyarrow.null(), pyarrow.string(), pyarrow.large_string(), pyarrow.string_view())
    if kind not in texts:
        raise InputError(f"{what} holds {kind}, not text; choose another one with `column`")


def as_bytes(values: Any, what: str) -> list[bytes]:
    """Returns the non-null values of an Arrow column as UTF-8, which may be invalid. Raises
    InputError where `what`, as messages name the column, holds no text."""
    import pyarrow

    check_is_text(values.type, what)
    texts = values.drop_null().cast(pyarrow.large_string())
    return list(texts.cast(pyarrow.large_binary()).to_pylist())


def no_column(name: str, column: str, names: Sequence[str]) -> InputError:
    """Returns what to raise where the table `name` has no such column."""
    choice = ", ".join(map(str, names))
    return InputError(f"{name} has no column {column!r}; choose one with `column`: {choice}")
