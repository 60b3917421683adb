"""Text columns of .jsonl, .json, .csv, .tsv and .parquet files, read by Hugging Face `datasets` as
streams.

A value of the column is one document: its own newlines are line ends, and its end is a line end.
Missing values (null) are no documents. Only local files are read; what comes through a pipe is
spooled to a temporary file first.
"""

from __future__ import annotations

import glob
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from w2v.corpus.sources import Advance, Source, opened
from w2v.errors import InputError, RunError

DEFAULT_COLUMN = "text"
ROWS = 1000
SNIFF_BYTES = 1 << 12


def read_documents(source: Source, column: str, advance: Advance) -> Iterator[bytes]:
    """Yields the documents of one table in UTF-8, each ended by a newline. Raises InputError if the
    file is no such table, or has no such column, or the column holds no text, and RunError if a
    pipe's content does not fit the temporary folder."""
    if source.lasting:
        yield from _documents(str(source.path), source, column, advance)
        return
    # datasets tells the compression by the extension, so that the spool file keeps it.
    suffix = os.path.basename(source.path or "")
    with tempfile.NamedTemporaryFile(prefix="w2v-", suffix=suffix) as spool:
        try:
            with open(spool.name, "wb") as copy, opened(source) as file:
                shutil.copyfileobj(file, copy)
        except OSError as error:
            place = tempfile.gettempdir()
            problem = f"cannot spool {source.name} to {place}: {error.strerror}"
            raise RunError(f"{problem}; point TMPDIR elsewhere") from error
        yield from _documents(spool.name, source, column, advance)


def _documents(path: str, source: Source, column: str, advance: Advance) -> Iterator[bytes]:
    left = os.path.getsize(path)
    if left == 0:
        return
    kind = _sniffed(path) if source.format == "sniff" else source.format
    for batch in _batches(path, source.name, kind, column):
        # The place in the file is not known: the text's length stands for it until the end.
        step = min(left, sum(map(len, batch)))
        advance(step)
        left -= step
        for document in batch:
            yield document if document.endswith(b"\n") else document + b"\n"
    advance(left)


def _sniffed(path: str) -> str:
    """Returns the format of what came through a pipe without a telling name, by its content."""
    with open(path, "rb") as file:
        head = file.read(SNIFF_BYTES).lstrip()
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith((b"{", b"[")):
        return "json"
    return "tsv" if b"\t" in head.split(b"\n", 1)[0] else "csv"


@contextmanager
def _local_and_silent(datasets: Any) -> Iterator[None]:
    """Keeps `datasets` from asking its server to count the use, which takes seconds where there is
    no network, and from logging to stderr what is raised as an error anyway."""
    offline, verbosity = datasets.config.HF_HUB_OFFLINE, datasets.logging.get_verbosity()
    datasets.config.HF_HUB_OFFLINE = True
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)
    try:
        yield
    finally:
        datasets.config.HF_HUB_OFFLINE = offline
        datasets.logging.set_verbosity(verbosity)


def _batches(path: str, name: str, kind: str, column: str) -> Iterator[list[bytes]]:
    import datasets

    # The path is a pattern to datasets: a name with [ ] * ? is meant literally.
    options: dict[str, Any] = {"data_files": glob.escape(path), "split": "train"}
    if kind in ("csv", "tsv"):
        # As text, verbatim: pandas would take "NA" for a missing value and "007" for 7.
        options |= {"converters": {column: str}, "keep_default_na": False}
        kind, options["sep"] = "csv", "\t" if kind == "tsv" else ","
    if kind == "parquet":
        _check_parquet(path, name, column)
        options["columns"] = [column]
    with _local_and_silent(datasets):
        try:
            rows: Any = datasets.load_dataset(kind, streaming=True, **options)
            first = True
            for table in rows.with_format("arrow").iter(batch_size=ROWS):
                if column in table.column_names:
                    yield as_bytes(table.column(column), f"column {column!r} of {name}")
                elif first:
                    raise no_column(name, column, table.column_names)
                first = False
        except (InputError, MemoryError):
            raise
        except Exception as error:  # each of datasets' readers has its own kinds of errors
            reason = str(error.__cause__ or error).strip().split("\n")[0] or type(error).__name__
            raise InputError(f"{name} cannot be read as {kind}: {reason}") from error


def _check_parquet(path: str, name: str, column: str) -> None:
    import pyarrow
    from pyarrow import parquet

    try:
        names = parquet.read_schema(path).names
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(f"{name} cannot be read as parquet: {error}") from None
    if column not in names:
        raise no_column(name, column, names)


def no_column(name: str, column: str, names: Sequence[str]) -> InputError:
    """Returns what to raise where the table `name` has no such column."""
    choice = ", ".join(map(str, names))
    return InputError(f"{name} has no column {column!r}; choose one with `column`: {choice}")


def as_bytes(values: Any, what: str) -> list[bytes]:
    """Returns the non-null values of an Arrow column as UTF-8, which may be invalid. Raises
    InputError where `what`, as messages name the column, holds no text."""
    import pyarrow

    kind = values.type
    if pyarrow.types.is_dictionary(kind):
        kind = kind.value_type
    if pyarrow.types.is_null(kind):
        return []
    if kind not in (pyarrow.string(), pyarrow.large_string(), pyarrow.string_view()):
        raise InputError(f"{what} holds {kind}, not text; choose another one with `column`")
    texts = values.drop_null().cast(pyarrow.large_string())
    return list(texts.cast(pyarrow.large_binary()).to_pylist())
