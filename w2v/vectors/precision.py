"""Vectors in fewer bytes: float16, or int8 with a scale for each row.

int8: row ≈ scale · q with q = round(row / scale) in -127 … 127, scale = max |row| / 127; the error of
a value is at most scale / 2.
"""

from __future__ import annotations

import numpy as np

from w2v.errors import InputError

DTYPES = ("float32", "float16", "int8")


def check_dtype(dtype: str, allowed: tuple[str, ...], kind: str) -> None:
    """Refuses a `dtype` that is none, or that the format `kind` cannot hold."""
    if dtype not in DTYPES:
        raise InputError(f"`dtype` {dtype} is unknown; use one of {', '.join(DTYPES)}")
    if dtype not in allowed:
        raise InputError(
            f"the format {kind} cannot hold `dtype` {dtype}: use {' or '.join(allowed)}"
        )


def reduced(rows: np.ndarray, dtype: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Returns the rows [n, D] in the type, and their scales [n] float32 where they have some.
    Raises InputError if float16 cannot hold a value."""
    if dtype == "int8":
        largest = np.abs(rows).max(axis=1, initial=0)
        scales = (largest / 127).astype(np.float32)
        steps = rows / np.where(scales > 0, scales, 1)[:, None]
        return np.rint(steps).astype(np.int8), scales
    with np.errstate(over="ignore"):
        found = np.ascontiguousarray(rows, dtype)
    if not np.isfinite(found).all():
        raise InputError("a value is beyond the range of float16; use `dtype` float32 or int8")
    return found, None


def restored(rows: np.ndarray, scales: np.ndarray | None) -> np.ndarray:
    """Returns the rows [n, D] as float32."""
    found = np.asarray(rows, np.float32)
    return found if scales is None else found * np.asarray(scales, np.float32)[:, None]
