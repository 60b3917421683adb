"""Reads a corpus from memory: lines of text, lists of tokens or of integers, columns of tables.

    is_in_memory(["the cat sat", "on the mat"])    # True: lines; a list of existing files is not

Every kind of corpus becomes one stream of rows, read once and never held as a whole. Text goes
through the same tokenizer as the text of a file; the tokens of a list are used unchanged; an
integer becomes the word of its decimal digits. Tables are recognized by the module of their type,
so that pandas, Polars and `datasets` are not imported here.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import numpy as np

from w2v.corpus.chunks import cut_chunks
from w2v.corpus.columns import as_bytes, no_column
from w2v.corpus.reading import DEFAULT_COLUMN, UTF_8, Notices, Reading
from w2v.corpus.sources import STANDARD_INPUT, TABLE_FORMATS, Advance
from w2v.corpus.texts import in_utf8
from w2v.errors import InputError, RunError, shown
from w2v.system import compression
from w2v.system.files import HUB

if TYPE_CHECKING:
    from w2v.corpus.tokenizer import EncodedChunk

Encode = Callable[[], "EncodedChunk"]

LIBRARIES = ("pandas", "polars", "pyarrow", "datasets")
WITHOUT_ORDER = (Mapping, set, frozenset)
SUFFIXES = (".txt", *TABLE_FORMATS, *compression.SUFFIXES)
ROWS = 1000  # rows of a table read at a time
TOKENS = 4096  # tokens of a row read at a time
FORBIDDEN = "\t\n"  # in a token: they separate the fields and lines of a vocabulary file


def is_in_memory(corpus: object) -> bool:
    """Returns whether `corpus` is the text itself rather than the names of files.

    A single `str` or path-like object is a file, a folder, a glob or "-". A list or tuple of
    strings is text, one line each, unless every entry names an existing file or folder, is a glob
    with matches, or is "-"; if any entry is a path-like object, all are names. Everything else is
    text. Raises InputError for a list of single words of which some, but not all, look like names
    of files.
    """
    if isinstance(corpus, (str, os.PathLike)):
        return False
    if not isinstance(corpus, (list, tuple)):
        return True
    if not all(isinstance(entry, (str, os.PathLike)) for entry in corpus):
        return True
    if any(isinstance(entry, os.PathLike) for entry in corpus) or all(map(_is_name, corpus)):
        return False
    single = all(len(entry.split()) < 2 for entry in corpus)
    if single and any(os.sep in entry or entry.lower().endswith(SUFFIXES) for entry in corpus):
        missing = next(entry for entry in corpus if not _is_name(entry))
        remedy = "pass pathlib.Path for files, or add a line with several words if this is text"
        raise InputError(f"no such file: {shown(missing)}; {remedy}")
    return True


def _is_name(entry: str) -> bool:
    if entry == STANDARD_INPUT or entry.startswith(HUB):
        return True
    if os.path.exists(os.path.expanduser(entry)):
        return True
    return glob.has_magic(entry) and next(glob.iglob(entry, recursive=True), None) is not None


def encoders(
    corpus: object,
    column: str | None,
    reading: Reading,
    size: int,
    advance: Advance,
    notices: Notices,
) -> Iterator[Encode]:
    """Reads the corpus once and yields functions that encode it, one for each chunk of about `size`
    bytes; `advance` is called with the size of each. Each text of a table and each list of tokens
    is a paragraph. Raises InputError if the column is missing, or a row or a token is of another
    kind than the ones before."""
    from w2v.corpus.tokenizer import encode_chunk, encode_tokens

    rows = _rows(corpus, column, notices)
    if reading.encoding != UTF_8 and _library(corpus) in (None, "pandas"):  # Arrow is UTF-8 already
        rows = _decoded(rows, reading, notices)
    first = next(rows, "")
    rows = chain([first], rows)
    if isinstance(first, (str, bytes)):
        end = b"\n\n" if reading.paragraphs and _library(corpus) else b"\n"
        for chunk in cut_chunks([("the corpus", 0, _lines(rows, size, end))], reading, size):
            advance(len(chunk.data))
            yield partial(encode_chunk, chunk, reading)
        return
    gathered: list[str] = []
    length, line_end = 0, ["\n"] * (2 if reading.paragraphs else 1)
    for tokens in chain(_token_lists(rows, line_end), [None]):
        if tokens is not None:
            notices.uncut += bool(reading.cuts)
            gathered += tokens
            length += sum(map(len, tokens))
        if gathered and (tokens is None or length + len(gathered) >= size):
            advance(length)
            yield partial(encode_tokens, gathered, reading)
            gathered, length = [], 0


def _rows(corpus: Any, column: str | None, notices: Notices) -> Iterator[Any]:
    """Yields the rows of the corpus: str, bytes, or iterables of tokens. Missing values are skipped
    and counted in `notices`."""
    library, kind = _library(corpus), type(corpus).__name__
    if library == "datasets" and hasattr(corpus, "with_format"):
        if isinstance(corpus, Mapping):
            raise InputError(f"the corpus is a {kind}: choose one of {', '.join(corpus)}")
        for table in corpus.with_format("arrow").iter(batch_size=ROWS):
            yield from _rows(table, column, notices)
        return
    if library is not None and kind in ("DataFrame", "Table", "RecordBatch"):
        names = corpus.schema.names if library == "pyarrow" else list(corpus.columns)
        column = DEFAULT_COLUMN if column is None else column
        if column not in names:
            raise no_column("the corpus", column, names)
        corpus = corpus[column]
    elif column is not None:
        raise InputError(f"`column` {column} needs a table, and the corpus is a {kind}")
    if library == "pandas":
        present = corpus.dropna()
        notices.missing += len(corpus) - len(present)
        yield from present
    elif library in ("polars", "pyarrow"):
        values = corpus.to_arrow() if hasattr(corpus, "to_arrow") else corpus
        yield from _values(values)
        notices.missing += values.null_count
    elif _is_iterable(corpus) and not isinstance(corpus, (str, bytes, *WITHOUT_ORDER)):
        try:
            yield from corpus
        except OSError as error:  # the program's own, no full disk of ours
            raise RunError(f"reading the corpus failed: {error}") from error
    else:
        expected = "lines of text, of lists of tokens or of lists of integers"
        remedy = f"give the names of files, or an iterable of {expected}"
        raise InputError(f"the corpus is of type {kind}: {remedy}")


def _is_iterable(value: object) -> bool:
    """Returns whether it can be iterated over; a 0-d array has `__iter__` but raises."""
    return isinstance(value, Iterable) and getattr(value, "ndim", 1) > 0


def _library(corpus: object) -> str | None:
    roots = (base.__module__.partition(".")[0] for base in type(corpus).__mro__)
    return next((root for root in roots if root in LIBRARIES), None)


def _values(column: Any) -> Iterator[Any]:
    """Yields the values of an Arrow column that are not null, text as bytes."""
    import pyarrow

    if not hasattr(column, "type"):
        raise InputError(f"the corpus is a {type(column).__name__}: pass one of its columns")
    nested = pyarrow.types.is_nested(column.type)
    for start in range(0, len(column), ROWS):
        part = column.slice(start, ROWS)
        yield from part.drop_null().to_pylist() if nested else as_bytes(part, "the column")


def _decoded(rows: Iterable[Any], reading: Reading, notices: Notices) -> Iterator[Any]:
    """Yields the rows with those of type bytes converted to UTF-8."""
    for number, row in enumerate(rows, 1):
        if isinstance(row, bytes):
            row = b"".join(in_utf8([row], f"line {number} of the corpus", reading, notices))
        yield row


def _lines(rows: Iterable[Any], piece: int, end: bytes) -> Iterator[bytes]:
    """Yields rows of text in UTF-8, each followed by `end` unless it already ends with a newline
    and `end` is one newline."""
    for number, row in enumerate(rows, 1):
        if not isinstance(row, (str, bytes)):
            raise InputError(f"line {number} of the corpus is {shown(row)}, not text as line 1 is")
        for start in range(0, len(row), piece):
            part = row[start : start + piece]
            yield part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        if row[-1:] not in ("\n", b"\n") or len(end) > 1:
            yield end


def _token_lists(rows: Iterable[Any], line_end: list[str]) -> Iterator[list[str]]:
    """Yields the tokens of the rows, up to TOKENS at a time, and `line_end` after each row."""
    for line, row in enumerate(rows, 1):
        if isinstance(row, (str, bytes, *WITHOUT_ORDER)) or not _is_iterable(row):
            remedy = "pass only lines of text, or only lists of tokens or integers"
            raise InputError(f"line {line} of the corpus is {shown(row)}: {remedy}")
        tokens, before = iter(row), 0
        while part := list(islice(tokens, TOKENS)):
            yield _checked_tokens(part, line, before)
            before += len(part)
        yield line_end


def _checked_tokens(tokens: list[Any], line: int, before: int) -> list[str]:
    kinds = set(map(type, tokens))
    if all(map(_is_integer, kinds)):
        return list(map(str, tokens))
    if all(issubclass(kind, str) for kind in kinds) and all(tokens) and _is_word("".join(tokens)):
        return tokens
    integers = _is_integer(type(tokens[0]))
    sound = (_is_integer(type(token)) if integers else _is_word(token) for token in tokens)
    odd = list(sound).index(False)
    problem = f"token {before + odd + 1} of line {line} is {shown(tokens[odd])}"
    strings = "non-empty strings without tabs and line breaks"
    raise InputError(f"{problem}: the tokens of a line must be {strings}, or all integers")


def _is_integer(kind: type) -> bool:
    return issubclass(kind, (int, np.integer)) and kind is not bool


def _is_word(token: object) -> bool:
    return isinstance(token, str) and token != "" and not any(mark in token for mark in FORBIDDEN)
