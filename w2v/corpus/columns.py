"""Reads text columns of Arrow tables and of parquet files, a batch of rows at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from w2v.corpus.hub import parsed, reporting_hub_errors
from w2v.corpus.messages import arrow_claims
from w2v.corpus.pages import claims
from w2v.corpus.sources import Advance, Source, opened
from w2v.errors import InputError
from w2v.system.packages import reporting_missing

PIECE_BYTES = 1 << 20
TOGETHER_BYTES = 16 << 20  # at most this much text is decoded in one step
PARQUET_ROWS, FEW_ROWS = 1024, 64  # rows decoded at a time: usually, and if rows may be long
HUB_ROWS = 100
LONG_COLUMN_BYTES = 64 << 20  # of a column in one row group
# No real column compresses by more than this; without a limit, a tiny file could claim any amount
# of memory.
SHRINKS_TO = 1000
PARQUET_MARK, ARROW_MARK = b"PAR1", b"ARROW1"
STREAM_MARK = b"\xff\xff\xff\xff"  # starts an Arrow IPC stream

Value = bytes | list[Any] | None  # UTF-8 text, a list of words or integers, or a missing value


def is_plain(source: Source) -> bool:
    """Returns whether the file itself is parquet or Arrow, not a compressed copy of one."""
    with opened(source) as file:
        return file.read(len(ARROW_MARK)).startswith((PARQUET_MARK, ARROW_MARK, STREAM_MARK))


def read_parquet(path: str, source: Source, column: str, advance: Advance) -> Iterator[Value]:
    """Yields the values of a column of the file at `path`, which is the source or a copy of it.
    Raises InputError if the column is missing or not text, or the file is damaged."""
    import pyarrow
    from pyarrow import parquet

    name, remaining = source.name, source.size or 0
    with _as_input_error(name, "parquet"):
        kind = _kind_of(column, parquet.read_schema(path), name)
        # Repeated text stays dictionary-encoded: kilobytes of file can be gigabytes of rows.
        dictionaries = [] if _is_list(kind) else [column]
        options: Any = {"read_dictionary": dictionaries, "pre_buffer": False}
        with (
            parquet.ParquetFile(path, buffer_size=PIECE_BYTES, **options) as table,
            pyarrow.memory_map(path) as content,
        ):
            groups = claims(content.read_buffer(), table.schema, [column], name)
            for group, (claim,) in enumerate(groups):
                size = claim.size
                check_claims(name, f"column {column!r}", size, claim.packed)
                rows = PARQUET_ROWS if size <= LONG_COLUMN_BYTES else FEW_ROWS
                options = {"columns": [column], "row_groups": [group], "use_threads": False}
                for batch in table.iter_batches(batch_size=rows, **options):
                    yield from text_values(batch.column(0))
                portion = remaining // (table.num_row_groups - group)
                remaining -= portion
                advance(portion)
        advance(remaining)


@contextmanager
def _as_input_error(name: str, form: str) -> Iterator[None]:
    """Turns the errors that Arrow raises for a damaged file into InputError."""
    import pyarrow

    try:
        yield
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        if isinstance(error, MemoryError):
            raise
        reason = str(error).strip().split("\n")[0]
        raise InputError(f"{name} cannot be read as {form}: {reason}") from None


def _kind_of(column: str, schema: Any, name: str) -> Any:
    """Returns the type of a table's column. Raises InputError if it is missing or not text."""
    if column not in schema.names:
        raise no_column(name, column, schema.names)
    kind = schema.field(column).type
    check_is_text(kind, f"column {column!r} of {name}", True)
    return kind


def check_claims(name: str, part: str, size: int, packed: int) -> None:
    """Raises InputError if `size` unpacked bytes are implausible for `packed` bytes in the file."""
    if size > max(LONG_COLUMN_BYTES, SHRINKS_TO * packed):
        part = f"{size:,} bytes of {part} in {packed:,}"
        raise InputError(f"{name} claims to hold {part}, an impossible compression: is it damaged?")


def read_arrow(path: str, source: Source, column: str, advance: Advance) -> Iterator[Value]:
    """Yields the values of a column of an Arrow IPC stream or file; raises as `read_parquet`."""
    import pyarrow
    from pyarrow import ipc

    name, position = source.name, 0
    with _as_input_error(name, "arrow"):
        # The batches are read from a plain file: pages read through a memory map would count as
        # this process's memory.
        with pyarrow.memory_map(path) as content, pyarrow.OSFile(path) as file:
            is_file = file.read(len(ARROW_MARK)) == ARROW_MARK
            file.seek(0)
            for size, packed in arrow_claims(content.read_buffer(), name):
                check_claims(name, "a batch", size, packed)
            schema = (ipc.open_file if is_file else ipc.open_stream)(file).schema
            _kind_of(column, schema, name)
            file.seek(0)
            options = ipc.IpcReadOptions(included_fields=[schema.get_field_index(column)])
            if is_file:
                reader = ipc.open_file(file, options=options)
                batches = (reader.get_batch(n) for n in range(reader.num_record_batches))
            else:
                batches = iter(ipc.open_stream(file, options=options))
            for batch in batches:
                values = _checked(batch.column(column))
                for start in range(0, len(values), PARQUET_ROWS):
                    yield from text_values(values.slice(start, PARQUET_ROWS))
                advance(file.tell() - position if not is_file else 0)
                position = file.tell()
        advance((source.size or 0) if is_file else 0)


def read_hub(entry: str, _: Source, column: str, advance: Advance) -> Iterator[Value]:
    """Yields the values of a column of a data set on the hub, holding one row group in memory. A
    column named in the address takes precedence over `column`. Raises InputError if the config,
    split or column is missing or not text, and RunError if the hub cannot be reached."""
    name, config, revision, split, in_address = parsed(entry)
    column = in_address or column
    with reporting_missing():
        import datasets  # takes seconds
    with reporting_hub_errors(entry):
        rows = datasets.load_dataset(name, config, split=split, revision=revision, streaming=True)
        for table in rows.with_format("arrow").iter(batch_size=HUB_ROWS):
            _kind_of(column, table.schema, entry)
            advance(table.nbytes)
            for values in table.column(column).chunks:
                yield from text_values(values)


def _checked(values: Any) -> Any:
    """Returns the values after checking their offsets, which a damaged file may have wrong. Text
    becomes binary first, since invalid UTF-8 is reported later."""
    import pyarrow

    if values.type == pyarrow.string():
        values = values.view(pyarrow.binary())
    elif values.type == pyarrow.large_string():
        values = values.view(pyarrow.large_binary())
    values.validate(full=True)
    return values


def text_values(values: Any) -> Iterator[Value]:
    """Yields the values of an Arrow column of text or of lists. Dictionary-encoded text is decoded
    row by row if it is long."""
    import pyarrow

    if not pyarrow.types.is_dictionary(values.type):
        if not _is_list(values.type):
            values = values.cast(pyarrow.large_binary())
        elif not pyarrow.types.is_integer(values.type.value_type):
            values = values.cast(pyarrow.large_list(pyarrow.large_binary()))
        yield from values.to_pylist()
        return
    words = values.dictionary.cast(pyarrow.large_binary())
    if text_bytes(values) <= TOGETHER_BYTES:
        yield from words.take(values.indices).to_pylist()
        return
    for code in values.indices.to_pylist():
        yield None if code is None else words[code].as_py()


def text_bytes(values: Any) -> int:
    """Returns the total length in bytes of the values of an Arrow text column, repeats included."""
    import pyarrow
    import pyarrow.compute as pc

    if pyarrow.types.is_dictionary(values.type):
        words = values.dictionary.cast(pyarrow.large_binary())
        lengths = pc.binary_length(words).take(values.indices)
    elif pyarrow.types.is_string_view(values.type):
        # views may overlap in the data buffer, but each one begins with its length
        views = np.frombuffer(values.buffers()[1], np.int32).reshape(-1, 4)
        lengths = pyarrow.array(views[values.offset :][: len(values), 0])
    else:
        lengths = pc.binary_length(values)
    return pc.sum(lengths).as_py() or 0


def _is_list(kind: Any) -> bool:
    import pyarrow

    types = pyarrow.types
    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def check_is_text(kind: Any, subject: str, lists: bool = False) -> None:
    """Raises InputError unless the Arrow type `kind` is text or, with `lists`, a list of words or
    of integers. `subject` names the column in the message."""
    import pyarrow

    if lists and _is_list(kind):
        if pyarrow.types.is_integer(kind.value_type):
            return
        kind = kind.value_type
    if pyarrow.types.is_dictionary(kind):
        kind = kind.value_type
    texts = (pyarrow.null(), pyarrow.string(), pyarrow.large_string(), pyarrow.string_view())
    if kind not in texts:
        raise InputError(f"{subject} holds {kind}, not text; choose another column with `column`")


def as_bytes(values: Any, subject: str) -> list[bytes]:
    """Returns the non-null values of an Arrow column as bytes, not necessarily valid UTF-8. Raises
    InputError if the column, called `subject` in messages, is not text."""
    import pyarrow

    check_is_text(values.type, subject)
    texts = values.drop_null().cast(pyarrow.large_string())
    return list(texts.cast(pyarrow.large_binary()).to_pylist())


def no_column(name: str, column: str, names: Sequence[str]) -> InputError:
    """Returns the error for a missing column of the table `name`, whose columns are `names`."""
    choice = f"choose one with `column`: {', '.join(map(str, names))}" if names else "it has none"
    return InputError(f"{name} has no column {column!r}; {choice}")
