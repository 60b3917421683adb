"""Clusters words by k-means on unit vectors, by cosine."""

from __future__ import annotations

import numpy as np

ROUNDS = 30


def classes(unit: np.ndarray, k: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the class of each unit row [N, D], [N] int64, and the centres [≤ k, D] at length 1.
    Classes are numbered from the largest on."""
    centres = _spread(unit, min(k, len(unit)), np.random.default_rng(seed))
    class_of = (unit @ centres.T).argmax(axis=1)
    for _ in range(ROUNDS):
        before = class_of
        sums = np.zeros_like(centres)
        np.add.at(sums, class_of, unit)
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        centres = np.where(lengths > 1e-6, sums / np.maximum(lengths, 1e-6), centres)
        class_of = (unit @ centres.T).argmax(axis=1)
        if (class_of == before).all():
            break
    sizes = np.bincount(class_of, minlength=len(centres))
    order = np.argsort(-sizes, kind="stable")
    order = order[sizes[order] > 0]
    number = np.empty(len(centres), np.int64)
    number[order] = np.arange(len(order))
    return number[class_of], centres[order]


def _spread(unit: np.ndarray, k: int, random: np.random.Generator) -> np.ndarray:
    """Chooses initial centres [≤ k, D] by k-means++ (Arthur & Vassilvitskii 2007)."""
    rows = [int(random.integers(len(unit)))]
    distance = np.full(len(unit), np.inf)
    while len(rows) < k:
        distance = np.minimum(distance, np.maximum(0, 2 - 2 * (unit @ unit[rows[-1]])))
        distance[rows] = 0
        total = distance.sum()
        if not total > 1e-6:  # there are no further distinct vectors
            break
        rows.append(int(random.choice(len(unit), p=distance / total)))
    return unit[rows].copy()
