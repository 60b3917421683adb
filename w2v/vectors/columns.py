"""Vectors as a table, which data tools open: Parquet, and Arrow's own file format.

Columns: word (text), count (where it is known), vector (a list of D values, float32 or float16; or
int8, beside a column scale). Tables of others are read too: the words are the column `word` or the
only one of text, the vectors the column `vector` or the only one of lists.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from w2v.errors import InputError, shown
from w2v.system.limits import MAX_DIM, MAX_WORD_BYTES
from w2v.vectors.content import check_memory
from w2v.vectors.precision import reduced, restored

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 8192  # written or read at a time
SUFFIXES = {".parquet": "parquet", ".arrow": "arrow", ".feather": "arrow"}
MAGIC = {b"PAR1": "parquet", b"ARROW1": "arrow"}


def write_table(
    file: IO[bytes],
    words: Sequence[str],
    matrix: np.ndarray,
    counts: np.ndarray | None,
    kind: str,
    dtype: str = "float32",
) -> None:
    """Writes to an open binary file; `kind` is "parquet" or "arrow"."""
    import pyarrow as pa

    writer: Any = None
    for start in range(0, len(words), ROWS):
        part = slice(start, start + ROWS)
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

    # numbers of vectors hardly repeat
    return pq.ParquetWriter(file, schema, compression="zstd", use_dictionary=False)


def read_table(
    path: Path, kind: str, limit: int | None
) -> tuple[list[str], np.ndarray, np.ndarray | None]:
    """Returns words, matrix [V, D] float32, and counts [V] where there are some. Raises InputError
    if there are no such columns, or the file is damaged."""
    import pyarrow as pa

    try:
        with _opened(path, kind) as (schema, total, batches):
            names = _columns(schema, path)
            return _gather(batches, names, path, min(total, limit or total))
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path} is damaged: {reason}; copy or save it again") from None


@contextmanager
def _opened(path: Path, kind: str) -> Iterator[tuple[pa.Schema, int, Iterator[pa.RecordBatch]]]:
    if kind == "parquet":
        import pyarrow.parquet as pq

        with pq.ParquetFile(path) as table:
            yield table.schema_arrow, table.metadata.num_rows, table.iter_batches(ROWS)
        return
    import pyarrow as pa

    with pa.memory_map(str(path)) as source, pa.ipc.open_file(source) as reader:
        batches = (reader.get_batch(number) for number in range(reader.num_record_batches))
        total = sum(reader.get_batch(n).num_rows for n in range(reader.num_record_batches))
        yield reader.schema, total, batches


def _columns(schema: pa.Schema, path: Path) -> tuple[str, str]:
    """Returns the names of the columns of words and of vectors."""
    import pyarrow as pa

    texts = [
        f.name for f in schema if pa.types.is_string(f.type) or pa.types.is_large_string(f.type)
    ]
    lists = [
        f.name
        for f in schema
        if pa.types.is_list(f.type)
        or pa.types.is_large_list(f.type)
        or pa.types.is_fixed_size_list(f.type)
    ]
    word = "word" if "word" in texts else texts[0] if len(texts) == 1 else None
    vector = "vector" if "vector" in lists else lists[0] if len(lists) == 1 else None
    if word is None or vector is None:
        have = ", ".join(f"{f.name} ({f.type})" for f in schema)
        raise InputError(
            f"{path} has no column `word` of text and no column `vector` of lists of numbers, but"
            f" {shown(have, 200)}; rename them"
        )
    return word, vector


def _gather(
    batches: Iterator[pa.RecordBatch], names: tuple[str, str], path: Path, total: int
) -> tuple[list[str], np.ndarray, np.ndarray | None]:
    words: list[str] = []
    matrix, counts = np.empty((0, 0), np.float32), np.zeros(total, np.int64)
    counted = True
    for batch in batches:
        batch = batch.slice(0, total - len(words))
        if not batch.num_rows:
            break
        rows = _rows(batch, names[1], path)
        if not words:
            if not 1 <= rows.shape[1] <= MAX_DIM:
                raise InputError(f"{path} has vectors of {rows.shape[1]} values")
            check_memory(total, rows.shape[1], str(path))
            matrix = np.empty((total, rows.shape[1]), np.float32)
        elif rows.shape[1] != matrix.shape[1]:
            what = f"{matrix.shape[1]} values, then {rows.shape[1]}"
            raise InputError(f"{path} has vectors of {what}; they must be equally long")
        part = slice(len(words), len(words) + batch.num_rows)
        words += _words(batch, names[0], path)
        matrix[part] = rows
        counted = counted and "count" in batch.schema.names and not batch["count"].null_count
        if counted:
            counts[part] = batch["count"].to_numpy()
    if not words:
        raise InputError(f"{path} has no rows; give a file of word vectors")
    return words, matrix, counts if counted else None


def _words(batch: pa.RecordBatch, name: str, path: Path) -> list[str]:
    import pyarrow.compute as pc

    column = batch[name]
    if column.null_count or (pc.max(pc.binary_length(column)).as_py() or 0) > MAX_WORD_BYTES:
        problem = f"a word is missing, or longer than {MAX_WORD_BYTES:,} bytes"
        raise InputError(f"{path}: in column {name} {problem}")
    found: list[str] = column.to_pylist()
    return found


def _rows(batch: pa.RecordBatch, name: str, path: Path) -> np.ndarray:
    """Returns the vectors of a batch [n, D] float32."""
    import pyarrow as pa

    column = batch[name]
    kind = column.type.value_type
    if not (pa.types.is_floating(kind) or pa.types.is_integer(kind)):
        raise InputError(f"{path}: column {name} holds lists of {kind}, not of numbers")
    flat = column.flatten()
    if column.null_count or flat.null_count or len(flat) % batch.num_rows:
        raise InputError(f"{path}: a vector in column {name} is missing or of another length")
    if not pa.types.is_fixed_size_list(column.type):
        lengths = np.diff(column.offsets.to_numpy())
        if len(lengths) and lengths.min() != lengths.max():
            what = f"{lengths.min()} and {lengths.max()} values"
            raise InputError(
                f"{path}: column {name} has vectors of {what}; they must be equally long"
            )
    values = flat.to_numpy(zero_copy_only=False).reshape(batch.num_rows, -1)
    scales = batch["scale"].to_numpy() if "scale" in batch.schema.names else None
    with np.errstate(over="ignore", invalid="ignore"):
        rows = restored(values, scales)
    if not np.isfinite(rows).all():
        raise InputError(f"{path} holds NaN, infinity or values beyond float32; save it again")
    return rows
