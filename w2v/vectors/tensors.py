"""Vectors as safetensors: `vectors` [V, D] (float32, float16, or int8 with `scales` [V]), `words`
(uint8, UTF-8 with a line end after each word) and, if known, `counts` [V] int64."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from w2v.errors import InputError
from w2v.system.limits import MANY_WORD_BYTES, MEAN_WORD_BYTES
from w2v.vectors.content import Part, VectorStream, damaged
from w2v.vectors.precision import reduced, restored

MAX_HEADER = 1 << 20  # bytes: enough for a few tensors and metadata
BLOCK_VALUES = 4 << 20


def is_tensors(sample: bytes) -> bool:
    """Returns whether a file with these first bytes is safetensors: a header length, then JSON."""
    return sample[4:9] == b"\0\0\0\0{"


def write_tensors(
    file: IO[bytes],
    words: Sequence[str],
    matrix: np.ndarray,
    counts: np.ndarray | None,
    dtype: str = "float32",
) -> None:
    from safetensors.numpy import save

    rows, scales = reduced(np.asarray(matrix), dtype)
    text = np.frombuffer("".join(f"{word}\n" for word in words).encode(), np.uint8)
    tensors = {"vectors": rows, "words": text}
    if scales is not None:
        tensors["scales"] = scales
    if counts is not None:
        tensors["counts"] = np.ascontiguousarray(counts, np.int64)
    file.write(save(tensors, {"format": "w2v"}))


@contextmanager
def opened(path: Path, stream: VectorStream) -> Iterator[Any]:
    """Opens the tensors of the file that `stream` reads. Raises InputError if it is damaged."""
    from safetensors import SafetensorError, safe_open

    if int.from_bytes(stream.sample[:8], "little") > MAX_HEADER:
        raise damaged(stream.name, "its header is too long")
    try:
        with safe_open(str(path), framework="np") as file:
            yield file
    except (SafetensorError, OSError) as error:
        raise damaged(stream.name, str(error)[:200]) from None


def read_tensors(path: Path, stream: VectorStream) -> Iterator[Part]:
    """Yields the content of a file. Raises InputError if it lacks the tensors described above."""
    with opened(path, stream) as file:
        names = sorted(file.keys())
        if not {"vectors", "words"} <= set(names):
            have = ", ".join(names[:5]) or "none"
            problem = f"has no tensors `vectors` and `words`, but {have:.200}"
            remedy = "for a model of sentence-transformers, name its folder"
            raise InputError(f"{stream.name} {problem}; {remedy}")
        n_words = rows_of(file, "vectors", stream)
        if file.get_slice("words").get_shape() > [MANY_WORD_BYTES + MEAN_WORD_BYTES * n_words]:
            raise InputError(f"{stream.name}: its tensor `words` is too long for {n_words:,} words")
        text = column(file, "words", stream, "U8")
        if np.count_nonzero(text == ord("\n")) != n_words or text[-1] != ord("\n"):
            raise damaged(stream.name, f"it does not have one word for each of {n_words:,} vectors")
        raw = text.tobytes()[:-1].split(b"\n")
        scales, counts = (
            column(file, name, stream, kind, n_words) if name in names else None
            for name, kind in (("scales", "F32"), ("counts", "I64"))
        )
        for part, rows in blocks(file, "vectors", n_words):
            vectors = restored(rows, None if scales is None else scales[part])
            yield Part(raw[part], vectors, None if counts is None else counts[part])


def rows_of(file: Any, name: str, stream: VectorStream) -> int:
    """Returns the number of rows of a matrix. Raises InputError if the tensor is not a matrix, or
    not of a supported type."""
    tensor = file.get_slice(name)
    shape, kind = tensor.get_shape(), tensor.get_dtype()
    if len(shape) != 2 or min(shape) < 1 or kind not in ("F64", "F32", "F16", "I8"):
        expected = "numbers [words, dimensions] in float64, float32, float16 or int8"
        problem = f"its tensor `{name}` is {kind} {shape}, not {expected}"
        raise InputError(f"{stream.name}: {problem}; save it as float32")
    return int(shape[0])


def column(
    file: Any, name: str, stream: VectorStream, kind: str, size: int | None = None
) -> np.ndarray:
    """Returns a one-dimensional tensor of type `kind`, with `size` elements if that is given.
    Raises InputError for any other tensor."""
    tensor = file.get_slice(name)
    shape, dtype = tensor.get_shape(), tensor.get_dtype()
    if len(shape) != 1 or dtype != kind or size not in (None, shape[0]):
        problem = f"is {dtype} {shape}, not {kind} [{size or 'n'}]"
        raise InputError(f"{stream.name}: its tensor `{name}` {problem}")
    return file.get_tensor(name)  # type: ignore[no-any-return]


def blocks(file: Any, name: str, n_rows: int) -> Iterator[tuple[slice, np.ndarray]]:
    """Yields the rows of a matrix in blocks: the slice of rows, and their values."""
    tensor = file.get_slice(name)
    step = max(1, BLOCK_VALUES // tensor.get_shape()[1])
    for start in range(0, n_rows, step):
        part = slice(start, min(n_rows, start + step))
        yield part, tensor[part]
