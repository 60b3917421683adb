"""Writes the vectors of a stream of texts to .npy (vectors only), .parquet or .jsonl."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO

import numpy as np

from w2v.errors import InputError
from w2v.system.files import atomic_file, is_special
from w2v.vectors.encoding import Text, encode_stream
from w2v.vectors.rows import WordRows

Rows = Iterable[tuple[Sequence[Text], np.ndarray]]


def embed(vectors: WordRows, texts: Iterable[Text], path: str | Path, pooling: str = "mean") -> int:
    """Writes the vector of each text, as `encode` computes it, in constant memory, and returns the
    number of texts. The format follows from the extension: .npy has only the vectors, [n, D]
    float32; .parquet the columns text and vector; .jsonl the keys text and vector. A text that is a
    list of words is written with spaces between them."""
    write = check_encoded(path)
    written = 0

    def counted() -> Iterator[tuple[Sequence[Text], np.ndarray]]:
        nonlocal written
        for part, rows in encode_stream(vectors, texts, pooling):
            written += len(part)
            yield part, rows

    with atomic_file(path) as file:
        write(file, counted(), vectors.dim)
    return written


def check_encoded(path: str | Path) -> Callable[[IO[bytes], Rows, int], None]:
    """Returns the function that writes the format of the path's extension. Raises InputError for
    any other extension, and for .npy if the path is a pipe."""
    suffix = Path(path).suffix.lower()
    if suffix not in WRITERS:
        remedy = f"use one of {', '.join(WRITERS)}"
        raise InputError(f"cannot tell the format of {path} from its extension; {remedy}")
    if suffix == ".npy" and is_special(path):
        problem = "is not a regular file, and .npy begins with the number of rows"
        raise InputError(f"{path} {problem}; name a file")
    return WRITERS[suffix]


def write_npy(file: IO[bytes], batches: Rows, dim: int) -> None:
    """Writes [n, D] float32. The number of rows is known only at the end; NumPy's header has room
    to fill it in."""
    n = 0
    _npy_header(file, n, dim)
    for _, rows in batches:
        file.write(np.ascontiguousarray(rows, "<f4").data)
        n += len(rows)
    file.seek(0)
    _npy_header(file, n, dim)


def _npy_header(file: IO[bytes], n: int, dim: int) -> None:
    header = {"descr": "<f4", "fortran_order": False, "shape": (n, dim)}
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, header)
    file.write(buffer.getvalue())


def write_parquet(file: IO[bytes], batches: Rows, dim: int) -> None:
    """Writes the columns text and vector, a list of D float32."""
    import pyarrow as pa  # takes 0.1 s, and only this format needs it
    from pyarrow import parquet

    schema = pa.schema([("text", pa.string()), ("vector", pa.list_(pa.float32(), dim))])
    with parquet.ParquetWriter(file, schema) as writer:
        for texts, rows in batches:
            flat = pa.array(np.ascontiguousarray(rows).ravel(), pa.float32())
            vectors = pa.FixedSizeListArray.from_arrays(flat, dim)
            names = pa.array([_encodable(text) for text in texts], pa.string())
            writer.write_table(pa.table([names, vectors], schema=schema))


def write_jsonl(file: IO[bytes], batches: Rows, dim: int) -> None:
    """Writes an object per line, {"text": …, "vector": […]}."""
    values = ", ".join(["%.9g"] * dim)
    for texts, rows in batches:
        names = [json.dumps(_encodable(text), ensure_ascii=False) for text in texts]
        lines = [
            f'{{"text": {name}, "vector": [{values % tuple(row)}]}}\n'
            for name, row in zip(names, rows.tolist(), strict=True)
        ]
        file.write("".join(lines).encode())


def write_tsv(file: IO[bytes], batches: Rows, dim: int) -> None:
    """Writes a line of tab-separated values for each text."""
    line = "\t".join(["%.9g"] * dim) + "\n"
    for _, rows in batches:
        file.write("".join([line % tuple(row) for row in rows.tolist()]).encode())


def _encodable(text: Text) -> str:
    """Returns a text, or the words of a list joined by spaces, with lone surrogates replaced."""
    joined = text if isinstance(text, str) else " ".join(text)
    return joined.encode("utf-8", "replace").decode()


WRITERS: dict[str, Callable[[IO[bytes], Rows, int], None]] = {
    ".npy": write_npy,
    ".parquet": write_parquet,
    ".jsonl": write_jsonl,
}
