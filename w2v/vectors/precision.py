"""Vectors in fewer bytes: float16, or int8 with a scale for each row.

int8: row ≈ scale · q with q = round(row / scale) in -127 … 127, scale = max |row| / 127; the error
of a value is at most scale / 2.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from w2v.errors import InputError, shown

DTYPES = ("float32", "float16", "int8")


def check_finite(rows: np.ndarray, words: Sequence[str], told: str, remedy: str) -> None:
    """Raises InputError, which begins with `told`, for the first of the words whose row of [n, D]
    holds NaN or infinity."""
    wrong = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(wrong):
        word = shown(words[wrong[0]])
        raise InputError(f"{told} {word} holds NaN or infinity; {remedy}")


def reduced(rows: np.ndarray, dtype: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Returns the rows [n, D] in the type, and their scales [n] float32 where they have some.
    Raises InputError if the type cannot hold a value."""
    if dtype == "int8":
        largest = np.abs(rows).max(axis=1, initial=0)
        scales = (largest / 127).astype(np.float32)
        with np.errstate(over="ignore"):  # rounded up, the largest value would become infinite
            beyond = ~np.isfinite(scales * np.float32(127))
        scales[beyond] = np.nextafter(scales[beyond], np.float32(0))
        steps = rows / np.where(scales > 0, scales, 1)[:, None]
        return np.rint(steps).clip(-127, 127).astype(np.int8), scales
    with np.errstate(over="ignore"):
        found = np.ascontiguousarray(rows, dtype)
    if not np.isfinite(found).all():
        raise InputError(f"a value is beyond the range of {dtype}; use another `dtype`")
    return found, None


def restored(rows: np.ndarray, scales: np.ndarray | None) -> np.ndarray:
    """Returns the rows [n, D] as float32."""
    with np.errstate(over="ignore", invalid="ignore"):
        found = np.asarray(rows, np.float32)
        return found if scales is None else found * np.asarray(scales, np.float32)[:, None]
