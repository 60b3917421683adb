"""Words in classes: k-means on unit vectors, by cosine."""

from __future__ import annotations

import numpy as np

BLOCK_VALUES = 4 << 20  # of cosines at a time
ROUNDS = 30
SEEN = 40  # rows a class among which the first centres are looked for


def classes(unit: np.ndarray, k: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the class of each unit row [N, D], [N] int64, and the centres [≤ k, D] at length 1:
    the largest class first."""
    centres = _spread(unit, min(k, len(unit)), np.random.default_rng(seed))
    found, cosines = _nearest(unit, centres)
    for _ in range(ROUNDS):
        before = found
        order = np.argsort(found, kind="stable")
        sizes = np.bincount(found, minlength=len(centres))
        there = np.flatnonzero(sizes)
        sums = np.add.reduceat(unit[order], (np.cumsum(sizes) - sizes)[there])
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        centres[there] = np.where(lengths > 1e-6, sums / np.maximum(lengths, 1e-6), centres[there])
        empty = np.flatnonzero(sizes == 0)  # begin anew with those that are farthest from theirs
        centres[empty] = unit[np.argsort(cosines, kind="stable")[: len(empty)]]
        found, cosines = _nearest(unit, centres)
        if (found == before).all():
            break
    sizes = np.bincount(found, minlength=len(centres))
    order = np.argsort(-sizes, kind="stable")
    order = order[sizes[order] > 0]
    number = np.empty(len(centres), np.int64)
    number[order] = np.arange(len(order))
    return number[found], centres[order]


def _nearest(unit: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns for each row [N, D] the centre [k, D] with the highest cosine, and that."""
    found, cosines = np.empty(len(unit), np.int64), np.empty(len(unit), np.float32)
    step = max(1, BLOCK_VALUES // len(centres))
    for start in range(0, len(unit), step):
        block = unit[start : start + step] @ centres.T
        best = found[start : start + step] = block.argmax(axis=1)
        cosines[start : start + step] = block[np.arange(len(block)), best]
    return found, cosines


def _spread(unit: np.ndarray, k: int, random: np.random.Generator) -> np.ndarray:
    """Rows [k, D] to begin with, far from each other (Arthur & Vassilvitskii 2007)."""
    if len(unit) > SEEN * k:
        unit = unit[np.sort(random.choice(len(unit), SEEN * k, replace=False))]
    rows = [int(random.integers(len(unit)))]
    distance = np.full(len(unit), np.inf)
    while len(rows) < k:
        distance = np.minimum(distance, np.maximum(0, 2 - 2 * (unit @ unit[rows[-1]])))
        distance[rows] = 0
        total = distance.sum()
        if not total > 1e-6:  # all words have the vectors of these
            break
        rows.append(int(random.choice(len(unit), p=distance / total)))
    return unit[rows].copy()
