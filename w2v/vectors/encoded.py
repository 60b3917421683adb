"""Writes texts and their vectors as they come: .npy (the rows alone), .parquet, .jsonl."""

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
    """Writes a row for each text, as `encode` makes them, in constant memory, and returns how many
    there are. The extension names the format: .npy holds the rows alone, [n, D] float32; .parquet
    the columns text and vector; .jsonl the keys text and vector. Where a text is a list of words,
    these stand there with blanks between them."""
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
    """Returns what writes the format that the path's extension names. Raises InputError for another
    one, and for a pipe if the format cannot go into one."""
    suffix = Path(path).suffix.lower()
    if suffix not in WRITERS:
        remedy = f"use one of {', '.join(WRITERS)}"
        raise InputError(f"cannot tell the format of {path} from its extension; {remedy}")
    if suffix == ".npy" and is_special(path):
        raise InputError(f"{path} is no file, and .npy begins with the number of rows; name a file")
    return WRITERS[suffix]


def write_npy(file: IO[bytes], found: Rows, dim: int) -> None:
    """Writes [n, D] float32. How many rows there are is known in the end; NumPy leaves room for
    that in the header."""
    n = 0
    _npy_header(file, n, dim)
    for _, rows in found:
        file.write(np.ascontiguousarray(rows, "<f4").data)
        n += len(rows)
    file.seek(0)
    _npy_header(file, n, dim)


def _npy_header(file: IO[bytes], n: int, dim: int) -> None:
    header = {"descr": "<f4", "fortran_order": False, "shape": (n, dim)}
    whole = io.BytesIO()
    np.lib.format.write_array_header_1_0(whole, header)
    file.write(whole.getvalue())


def write_parquet(file: IO[bytes], found: Rows, dim: int) -> None:
    """Writes the columns text and vector, a list of D float32."""
    import pyarrow as pa  # 0.1 s that no other format needs
    from pyarrow import parquet

    schema = pa.schema([("text", pa.string()), ("vector", pa.list_(pa.float32(), dim))])
    with parquet.ParquetWriter(file, schema) as writer:
        for texts, rows in found:
            flat = pa.array(np.ascontiguousarray(rows).ravel(), pa.float32())
            vectors = pa.FixedSizeListArray.from_arrays(flat, dim)
            names = pa.array([_sound(text) for text in texts], pa.string())
            writer.write_table(pa.table([names, vectors], schema=schema))


def write_jsonl(file: IO[bytes], found: Rows, dim: int) -> None:
    """Writes an object per line, {"text": …, "vector": […]}."""
    values = ", ".join(["%.9g"] * dim)
    for texts, rows in found:
        names = [json.dumps(_sound(text), ensure_ascii=False) for text in texts]
        lines = [
            f'{{"text": {name}, "vector": [{values % tuple(row)}]}}\n'
            for name, row in zip(names, rows.tolist(), strict=True)
        ]
        file.write("".join(lines).encode())


def write_tsv(file: IO[bytes], found: Rows, dim: int) -> None:
    """Writes a line for each text, its values with tabs between them."""
    line = "\t".join(["%.9g"] * dim) + "\n"
    for _, rows in found:
        file.write("".join([line % tuple(row) for row in rows.tolist()]).encode())


def _sound(text: Text) -> str:
    """Returns the text, which is valid Unicode."""
    whole = text if isinstance(text, str) else " ".join(text)
    return whole.encode("utf-8", "replace").decode()


WRITERS: dict[str, Callable[[IO[bytes], Rows, int], None]] = {
    ".npy": write_npy,
    ".parquet": write_parquet,
    ".jsonl": write_jsonl,
}
