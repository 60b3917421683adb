"""Vectors as safetensors: `vectors` [V, D] (float32, float16, or int8 beside `scales` [V]), `words`
(uint8, UTF-8 with a line end behind each word) and `counts` [V] int64 where they are known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from w2v.errors import InputError
from w2v.system.limits import MAX_DIM
from w2v.vectors.content import check_memory
from w2v.vectors.precision import reduced, restored

MAX_HEADER = 1 << 20  # bytes: there are four tensors


def write_tensors(
    file: IO[bytes],
    words: Sequence[str],
    matrix: np.ndarray,
    counts: np.ndarray | None,
    dtype: str = "float32",
) -> None:
    """Writes to an open binary file."""
    from safetensors.numpy import save

    rows, scales = reduced(np.asarray(matrix), dtype)
    text = np.frombuffer("".join(f"{word}\n" for word in words).encode(), np.uint8)
    tensors = {"vectors": rows, "words": text}
    if scales is not None:
        tensors["scales"] = scales
    if counts is not None:
        tensors["counts"] = np.asarray(counts, np.int64)
    file.write(save(tensors, {"format": "w2v"}))


def read_tensors(path: Path, limit: int | None) -> tuple[list[str], np.ndarray, np.ndarray | None]:
    """Returns words, matrix [V, D] float32, and counts [V] where there are some. Raises InputError
    if there are no such tensors, or the file is damaged."""
    from safetensors import SafetensorError, safe_open

    with open(path, "rb") as start:
        if int.from_bytes(start.read(8), "little") > MAX_HEADER:
            raise InputError(f"{path} is damaged: its header is too long; copy or save it again")
    try:
        with safe_open(str(path), framework="np") as file:
            return _parsed(file, path, limit)
    except (SafetensorError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is damaged: {error}; copy or save it again") from None


def _parsed(
    file: Any, path: Path, limit: int | None
) -> tuple[list[str], np.ndarray, np.ndarray | None]:
    names = set(file.keys())
    if not {"vectors", "words"} <= names:
        have = ", ".join(sorted(names)[:5]) or "none"
        raise InputError(f"{path} has no tensors `vectors` and `words`, but {have}")
    shape = file.get_slice("vectors").get_shape()
    if len(shape) != 2 or shape[0] < 1 or not 1 <= shape[1] <= MAX_DIM:
        raise InputError(f"{path} has vectors of shape {shape}, not [words, dimensions]")
    wanted = min(shape[0], limit or shape[0])
    check_memory(wanted, shape[1], str(path))
    text = file.get_tensor("words")
    if text.dtype != np.uint8 or text.ndim != 1:
        raise InputError(f"{path}: the tensor `words` is {text.dtype}, not text in uint8")
    words = text.tobytes().decode().removesuffix("\n").split("\n")
    if len(words) != shape[0]:
        raise InputError(f"{path} has {shape[0]} vectors, but {len(words)} words")
    rows = file.get_slice("vectors")[:wanted]
    scales = counts = None
    if "scales" in names:
        scales = _column(file, "scales", shape[0], path)[:wanted]
    elif rows.dtype.kind != "f":
        raise InputError(f"{path} has vectors of {rows.dtype} without `scales`")
    if "counts" in names:
        counts = _column(file, "counts", shape[0], path)[:wanted].astype(np.int64)
    with np.errstate(over="ignore", invalid="ignore"):
        matrix = restored(rows, scales)
    if not np.isfinite(matrix).all():
        raise InputError(f"{path} holds NaN, infinity or values beyond float32; save it again")
    return words[:wanted], matrix, counts


def _column(file: Any, name: str, size: int, path: Path) -> np.ndarray:
    found: np.ndarray = file.get_tensor(name)
    if found.shape != (size,):
        raise InputError(f"{path}: `{name}` has shape {list(found.shape)}, not [{size}]")
    return found
