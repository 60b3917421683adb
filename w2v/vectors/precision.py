"""Vectors at reduced precision: float16, or int8 with a scale per row.

int8: row ≈ scale · q with q = round(row / scale) in -127 … 127 and scale = max |row| / 127; the
error of a value is at most scale / 2.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from w2v.errors import InputError, shown

DTYPES = ("float32", "float16", "int8")


def check_finite(rows: np.ndarray, words: Sequence[str], subject: str, remedy: str) -> None:
    """Raises InputError, "`subject` WORD holds NaN or infinity; `remedy`", for the first word whose
    row in `rows` [n, D] is not finite."""
    wrong = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(wrong):
        word = shown(words[wrong[0]])
        raise InputError(f"{subject} {word} holds NaN or infinity; {remedy}")


def reduced(rows: np.ndarray, dtype: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Converts rows [n, D] to `dtype`. Returns them with their scales [n] float32 (None except for
    int8). Raises InputError if a value is outside the range of the type."""
    if dtype == "int8":
        largest = np.abs(rows).max(axis=1, initial=0)
        scales = (largest / 127).astype(np.float32)
        with np.errstate(over="ignore"):  # a scale rounded up could make 127 · scale infinite
            beyond = ~np.isfinite(scales * np.float32(127))
        scales[beyond] = np.nextafter(scales[beyond], np.float32(0))
        steps = rows / np.where(scales > 0, scales, 1)[:, None]
        return np.rint(steps).clip(-127, 127).astype(np.int8), scales
    with np.errstate(over="ignore"):
        converted = np.ascontiguousarray(rows, dtype)
    if not np.isfinite(converted).all():
        raise InputError(f"a value is beyond the range of {dtype}; use another `dtype`")
    return converted, None


def restored(rows: np.ndarray, scales: np.ndarray | None) -> np.ndarray:
    """Converts rows [n, D] back to float32; `scales` [n] are those of int8 rows."""
    with np.errstate(over="ignore", invalid="ignore"):
        converted = np.asarray(rows, np.float32)
        return converted if scales is None else converted * np.asarray(scales, np.float32)[:, None]
