"""Packs the data of a map into few bytes, which the page unpacks. The format, deflated:

    4 bytes   the length of the JSON text, little-endian
    JSON      words: those of the map, then other words that are neighbours; counts or null; k, dim,
              bits; other facts shown on the page
    planes    x low, x high, y low, y high, class: one byte per word each; then for each word and
              neighbour the neighbour's number, low, middle and high byte (0xffffff: none), and
              10,000 * (cosine + 1), low and high byte; then the quantized vectors

Planes of single bytes compress better than numbers of several bytes.
"""

from __future__ import annotations

import json
import zlib
from typing import Any

import numpy as np

from w2v.explorer.map.layout import principal
from w2v.explorer.map.neighbours import Neighbours

COSINE_STEPS = 10_000
NOBODY = 0xFFFFFF
# Of a quantized vector: with 20,000 words, the whole page stays within 4 MB.
VECTOR_BYTES = 60
FEW_BYTES = 20_000 * VECTOR_BYTES  # maps of fewer words may use more bytes per word


def packed(
    about: dict[str, Any],
    coordinates: np.ndarray,
    classes: np.ndarray,
    near: Neighbours,
    unit: np.ndarray,
) -> bytes:
    """Returns the packed bytes. `near` numbers words in the order of about["words"]; a cosine of
    -inf means no neighbour."""
    vectors, bits = rounded(unit)
    facts = {**about, "k": near.rows.shape[1], "dim": vectors.shape[1] * 8 // bits, "bits": bits}
    text = json.dumps(facts, separators=(",", ":")).encode()
    missing = np.isneginf(near.cosines)
    rows = np.where(missing, NOBODY, near.rows)
    cosines = np.rint((np.where(missing, 0, near.cosines) + 1) * COSINE_STEPS)
    on_grid = _grid(coordinates)
    planes = [
        *_planes(on_grid[:, 0], 2),
        *_planes(on_grid[:, 1], 2),
        *_planes(classes, 1),
        *_planes(rows, 3),
        *_planes(cosines.clip(0, 2 * COSINE_STEPS), 2),
        vectors.tobytes(),
    ]
    return zlib.compress(b"".join([len(text).to_bytes(4, "little"), text, *planes]), 9)


def rounded(unit: np.ndarray) -> tuple[np.ndarray, int]:
    """Quantizes unit rows [N, D] to bytes [N, n]. Returns these and the bits per value: 8, or 4 for
    values along the first principal components, packed in pairs. Each row is scaled separately, so
    that the page must normalize it to length 1."""
    n, dim = unit.shape
    room = max(VECTOR_BYTES, FEW_BYTES // max(n, 1))
    if dim <= room:
        largest = np.abs(unit).max(axis=1, keepdims=True)
        values = np.rint(unit / np.maximum(largest, 1e-30) * 127)
        return values.astype(np.int8).view(np.uint8), 8
    if dim > 2 * room:
        unit = principal(unit, 2 * room, centred=False)
    if unit.shape[1] % 2:
        unit = np.pad(unit, ((0, 0), (0, 1)))
    spread = np.sqrt(np.square(unit).mean(axis=1, keepdims=True))
    # 15 steps of 0.35 standard deviations; the outermost ones also stand for the few values beyond
    steps = np.rint(unit / np.maximum(0.35 * spread, 1e-30)).clip(-7, 7).astype(np.int64) + 8
    return (steps[:, 0::2] | steps[:, 1::2] << 4).astype(np.uint8), 4


def _grid(coordinates: np.ndarray) -> np.ndarray:
    """Quantizes coordinates [N, 2] to 65,536 steps of the longer side."""
    low = coordinates.min(axis=0)
    side = max(float((coordinates.max(axis=0) - low).max()), 1e-30)
    return np.asarray(np.rint((coordinates.astype(np.float64) - low) / side * 0xFFFF))


def _planes(values: np.ndarray, n_bytes: int) -> list[bytes]:
    integers = np.asarray(values).astype(np.int64)
    return [(integers >> 8 * byte & 0xFF).astype(np.uint8).tobytes() for byte in range(n_bytes)]
