"""A corpus from memory: lines of text, lists of tokens or of integers, columns of tables.

    is_in_memory(["the cat sat", "on the mat"])    # True: lines; a list of existing files is not

Whatever it is becomes one stream of rows, read once and never held as a whole: a text row goes
through the same tokeniser as a file's, the tokens of a list are taken as they are, an integer's
word is its decimal digits. Tables are known by the module of their type, so that pandas, Polars
and `datasets` are not imported here.
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
ROWS = 1000  # of a table taken at a time
TOKENS = 4096  # of a row taken at a time
FORBIDDEN = "\t\n"  # in a token: they end the fields and the lines of a vocabulary's file


def is_in_memory(corpus: object) -> bool:
    """Whether `corpus` is the text itself rather than the names of files.

    A `str` or a path-like object alone is a file, a folder, a glob or "-". A list or tuple of
    strings is text, a line each, unless every entry names an existing file or folder, is a glob
    with matches, or is "-"; with a path-like object among them all are names. Everything else is
    text. Raises InputError if some in a list of single words look like names of files, which others
    are not.
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
    """Reads the corpus once and yields what remains to be done to encode it, a chunk of about
    `size` bytes at a time, which `advance` gets. A text of a table is a paragraph of its own, as a
    list of tokens is. Raises InputError if there is no such column, or a row or a token is of
    another kind."""
    from w2v.corpus.tokenizer import encode_chunk, encode_tokens

    rows = _rows(corpus, column, notices)
    if reading.encoding != UTF_8 and _library(corpus) in (None, "pandas"):  # Arrow has UTF-8
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
            gathered += tokens
            length += sum(map(len, tokens))
        if gathered and (tokens is None or length + len(gathered) >= size):
            advance(length)
            yield partial(encode_tokens, gathered, reading)
            gathered, length = [], 0


def _rows(corpus: Any, column: str | None, notices: Notices) -> Iterator[Any]:
    """Yields the rows of the corpus: str, bytes, or iterables of tokens, and no missing values,
    which are counted."""
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
        wanted = "lines of text, of lists of tokens or of lists of integers"
        remedy = f"give the names of files, or an iterable of {wanted}"
        raise InputError(f"the corpus is of type {kind}: {remedy}")


def _is_iterable(value: object) -> bool:
    """Whether it can be gone through; an array without dimensions only looks so."""
    return isinstance(value, Iterable) and getattr(value, "ndim", 1) > 0


def _library(corpus: object) -> str | None:
    roots = (base.__module__.partition(".")[0] for base in type(corpus).__mro__)
    return next((root for root in roots if root in LIBRARIES), None)


def _values(column: Any) -> Iterator[Any]:
    """Yields the values of an Arrow column that are not null, text as bytes."""
    import pyarrow

    if not hasattr(column, "type"):
        raise InputError(f"the corpus is a {type(column).__name__}: give a column of it")
    nested = pyarrow.types.is_nested(column.type)
    for start in range(0, len(column), ROWS):
        part = column.slice(start, ROWS)
        yield from part.drop_null().to_pylist() if nested else as_bytes(part, "the column")


def _decoded(rows: Iterable[Any], reading: Reading, notices: Notices) -> Iterator[Any]:
    """Yields the rows, those of bytes as UTF-8."""
    for number, row in enumerate(rows, 1):
        if isinstance(row, bytes):
            row = b"".join(in_utf8([row], f"line {number} of the corpus", reading, notices))
        yield row


def _lines(rows: Iterable[Any], piece: int, end: bytes) -> Iterator[bytes]:
    """Yields rows of text in UTF-8, with `end` behind each that does not end so."""
    for number, row in enumerate(rows, 1):
        if not isinstance(row, (str, bytes)):
            raise InputError(f"line {number} of the corpus is {shown(row)}, not text as line 1 is")
        for start in range(0, len(row), piece):
            part = row[start : start + piece]
            yield part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        if row[-1:] not in ("\n", b"\n") or len(end) > 1:
            yield end


def _token_lists(rows: Iterable[Any], line_end: list[str]) -> Iterator[list[str]]:
    """Yields the tokens of the rows, a few at a time, and a line end behind each row."""
    for line, row in enumerate(rows, 1):
        if isinstance(row, (str, bytes, *WITHOUT_ORDER)) or not _is_iterable(row):
            remedy = "give lines of text alone, or lists of tokens or integers alone"
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
    strings = "strings that are not empty and hold no tab or line break"
    raise InputError(f"{problem}: tokens are {strings}, or all of a line are integers")


def _is_integer(kind: type) -> bool:
    return issubclass(kind, (int, np.integer)) and kind is not bool


def _is_word(token: object) -> bool:
    return isinstance(token, str) and token != "" and not any(mark in token for mark in FORBIDDEN)
