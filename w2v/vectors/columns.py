"""Vectors as a table for data tools: Parquet, and Arrow's own file format.

Columns: word (text), count (if known), vector (a list of D values of type float32, float16 or, with
a column scale, int8). Tables written by other programs are read too: the words are the column
`word` or the only text column; the vectors are the column `vector`, the only column of lists, or
all columns of floating-point numbers whose names end in a digit (0, 1, 2 …), in their order.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import numpy as np

from w2v.corpus.columns import PARQUET_MARK, check_claims, text_bytes, text_values
from w2v.corpus.messages import arrow_claims
from w2v.corpus.pages import claims
from w2v.errors import InputError, RunError, shown
from w2v.system.limits import MANY_WORD_BYTES, MAX_DIM, MEAN_WORD_BYTES
from w2v.vectors.content import Part, VectorStream, damaged
from w2v.vectors.precision import reduced, restored

if TYPE_CHECKING:
    import pyarrow as pa

BLOCK_VALUES = 4 << 20  # numbers written or read at a time
ARROW_MARK, STREAM_MARK = b"ARROW1", b"\xff\xff\xff\xff"
MARKS = (PARQUET_MARK, ARROW_MARK, STREAM_MARK)


class Columns(NamedTuple):
    """The names of the columns to read."""

    words: str
    vectors: tuple[str, ...]
    counts: str | None
    scales: str | None

    @property
    def all(self) -> list[str]:
        return [self.words, *self.vectors, *filter(None, (self.counts, self.scales))]


def write_table(
    file: IO[bytes],
    words: Sequence[str],
    matrix: np.ndarray,
    counts: np.ndarray | None,
    kind: str,
    dtype: str = "float32",
) -> None:
    """Writes a table to an open binary file; `kind` is "parquet" or "arrow"."""
    import pyarrow as pa

    writer: Any = None
    step = max(1, BLOCK_VALUES // matrix.shape[1])
    for start in range(0, len(words), step):
        part = slice(start, start + step)
        rows, scales = reduced(matrix[part], dtype)
        columns = {"word": pa.array(words[part], pa.string())}
        if counts is not None:
            columns["count"] = pa.array(counts[part], pa.int64())
        if scales is not None:
            columns["scale"] = pa.array(scales)
        flat = pa.array(rows.reshape(-1))
        columns["vector"] = pa.FixedSizeListArray.from_arrays(flat, rows.shape[1])
        table = pa.table(columns)
        if writer is None:
            writer = _writer(file, table.schema, kind)
        writer.write_table(table)
    writer.close()


def _writer(file: IO[bytes], schema: pa.Schema, kind: str) -> Any:
    import pyarrow as pa

    if kind == "arrow":
        return pa.ipc.new_file(file, schema)
    import pyarrow.parquet as pq

    codecs = dict.fromkeys(schema.names, "zstd")
    # Floats hardly compress, and where they do, the reader could reject them as a decompression
    # bomb. int8 takes four bytes in Parquet unless it is compressed.
    codecs["vector.list.element"] = "zstd" if "scale" in schema.names else "none"
    return pq.ParquetWriter(file, schema, compression=codecs, use_dictionary=False)


def read_table(path: Path, stream: VectorStream) -> Iterator[Part]:
    """Yields the content of a table whose first bytes are one of `MARKS`. Raises InputError if it
    has no columns of words and vectors, or is damaged."""
    import pyarrow as pa

    batches_of = _parquet if stream.sample.startswith(PARQUET_MARK) else _arrow
    try:
        for batch, columns in batches_of(path, stream):
            step = max(1, BLOCK_VALUES // max(1, _dim(batch, columns)))
            for start in range(0, batch.num_rows, step):
                yield _part(batch.slice(start, step), columns, stream.name)
    except MemoryError:
        remedy = "read fewer of its words with `limit`"
        raise RunError(f"{stream.name} needs more memory than is free; {remedy}") from None
    except (pa.ArrowException, OSError, UnicodeDecodeError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise damaged(stream.name, reason) from None


def _parquet(path: Path, stream: VectorStream) -> Iterator[tuple[pa.RecordBatch, Columns]]:
    import pyarrow as pa
    from pyarrow import parquet

    columns = _chosen(parquet.read_schema(path), stream.name)
    size = 0
    # Repeated words stay dictionary-encoded: kilobytes of file can be gigabytes of words.
    options: Any = {"read_dictionary": [columns.words], "pre_buffer": False}
    with parquet.ParquetFile(path, **options) as table, pa.memory_map(str(path)) as content:
        data = content.read_buffer()
        groups = claims(data, table.schema, set(columns.all), stream.name)
        for group, of_columns in enumerate(groups):
            # Count at least 8 bytes per value: a page can encode many values in few bytes.
            size += sum(max(claim.size, 8 * claim.values) for claim in of_columns)
            check_claims(stream.name, "vectors", size, len(data))
            values = max((claim.values for claim in of_columns), default=0)
            n_rows = table.metadata.row_group(group).num_rows
            rows = max(1, BLOCK_VALUES * n_rows // max(1, values))
            options = {"row_groups": [group], "columns": columns.all, "use_threads": False}
            for batch in table.iter_batches(rows, **options):
                yield batch, columns


def _arrow(path: Path, stream: VectorStream) -> Iterator[tuple[pa.RecordBatch, Columns]]:
    import pyarrow as pa

    with pa.memory_map(str(path)) as source:
        data = source.read_buffer()
        is_file, size = stream.sample.startswith(ARROW_MARK), 0
        for claimed, _ in arrow_claims(data, stream.name):
            size += claimed
            check_claims(stream.name, "vectors", size, len(data))
        with (pa.ipc.open_file if is_file else pa.ipc.open_stream)(data) as reader:
            columns = _chosen(reader.schema, stream.name)
            batches = map(reader.get_batch, range(reader.num_record_batches)) if is_file else reader
            for batch in batches:
                chosen = batch.select(columns.all)
                chosen.validate(full=True)
                yield chosen, columns


def _chosen(schema: pa.Schema, name: str) -> Columns:
    """Returns which columns hold words, vectors, counts and scales."""
    import pyarrow as pa

    is_a = pa.types
    texts, lists, numbers = [], [], []
    kinds = {field.name: field.type for field in schema}
    for field, kind in kinds.items():
        value = kind.value_type if is_a.is_dictionary(kind) else kind
        if is_a.is_string(value) or is_a.is_large_string(value) or is_a.is_string_view(value):
            texts.append(field)
        elif is_a.is_list(kind) or is_a.is_large_list(kind) or is_a.is_fixed_size_list(kind):
            lists.append(field)
        elif is_a.is_floating(kind) and re.search("[0-9]$", field):
            numbers.append(field)
    word = "word" if "word" in texts else texts[0] if len(texts) == 1 else None
    vector = ["vector"] if "vector" in lists else lists or numbers
    has_vectors = len(vector) == 1 if lists else len(vector) > 1
    if word is None or not has_vectors or len(kinds) < len(schema):
        have = ", ".join(f"{field.name} ({field.type})" for field in schema)
        raise InputError(
            f"{name} has no column `word` of text and no column `vector` of lists of numbers, but"
            f" {shown(have, 200)}; rename them"
        )
    count = "count" if is_a.is_integer(kinds.get("count", pa.null())) else None
    scale = "scale" if lists and is_a.is_floating(kinds.get("scale", pa.null())) else None
    return Columns(word, tuple(vector), count, scale)


def _dim(batch: pa.RecordBatch, columns: Columns) -> int:
    """Returns the average number of values per row."""
    if len(columns.vectors) > 1:
        return len(columns.vectors)
    values = batch[columns.vectors[0]].flatten()
    return len(values) // max(1, int(batch.num_rows))


def _part(batch: pa.RecordBatch, columns: Columns, name: str) -> Part:
    words = batch[columns.words]
    if text_bytes(words) > MANY_WORD_BYTES + MEAN_WORD_BYTES * len(words):
        raise InputError(f"{name}: its words are too long; is it a file of word vectors?")
    raw = [word for word in text_values(words) if isinstance(word, bytes)]
    if len(raw) < len(words):
        raise InputError(f"{name}: a word is missing in its column {columns.words}")
    if len(columns.vectors) > 1:
        values = np.column_stack([_numbers(batch[column], name) for column in columns.vectors])
    else:
        values = _lists(batch[columns.vectors[0]], name)
    scales = counts = None
    if columns.scales and values.dtype == np.int8:
        scales = _numbers(batch[columns.scales], name)
    if columns.counts and not batch[columns.counts].null_count:
        counts = batch[columns.counts].to_numpy(zero_copy_only=False)
    return Part(raw, restored(values, scales), counts)


def _lists(column: Any, name: str) -> np.ndarray:
    import pyarrow as pa

    if column.null_count:
        raise InputError(f"{name}: a vector is missing")
    if pa.types.is_fixed_size_list(column.type):
        least = most = column.type.list_size
    else:
        lengths = np.diff(column.offsets.to_numpy())
        least, most = lengths.min(), lengths.max()
    if least < most or not 1 <= least <= MAX_DIM:
        sizes = f"of {least:,} and {most:,}" if least < most else f"of {most:,}"
        raise InputError(f"{name} has vectors {sizes} values; all must be equally long")
    return _numbers(column.flatten(), name).reshape(len(column), least)


def _numbers(column: Any, name: str) -> np.ndarray:
    import pyarrow as pa

    if not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
        raise InputError(f"{name} has vectors of {column.type}, not of numbers")
    if column.null_count:
        raise InputError(f"{name}: a number of a vector is missing")
    return column.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]
