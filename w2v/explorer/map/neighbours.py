"""Finds the exact nearest words of many words at once, by cosine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from w2v.vectors.rows import WordRows


QUERIES, ROWS = 256, 16384  # scores in one block: 16 MB


class Neighbours(NamedTuple):
    """For N words, the rows [N, k] int64 of their nearest words and the cosines [N, k] float32,
    best first; ties are ordered by row."""

    rows: np.ndarray
    cosines: np.ndarray

    def first(self, k: int) -> Neighbours:
        return Neighbours(self.rows[:, :k], self.cosines[:, :k])


def nearest_inside(vectors: WordRows, n: int, k: int) -> Neighbours:
    """Returns for each of the first n words the k nearest ones among these n words (k < n)."""
    return _merged(vectors, slice(0, n), n, k, None)


def nearest_of_all(vectors: WordRows, inside: Neighbours, k: int) -> Neighbours:
    """Returns for each of the first n words the k nearest ones in the whole vocabulary (fewer if
    that is small), given the nearest ones among the n words, `inside`."""
    n = len(inside.rows)
    return _merged(vectors, slice(n, len(vectors.words)), n, k, inside.first(k))


def _merged(
    vectors: WordRows, candidates: slice, n: int, k: int, earlier: Neighbours | None
) -> Neighbours:
    """Returns for each of the first n words the k nearest of rows `candidates` and `earlier`."""
    if earlier is None:
        earlier = Neighbours(np.empty((n, 0), np.int64), np.empty((n, 0), np.float32))
    rows, cosines = list(_blocks(earlier.rows)), list(_blocks(earlier.cosines))
    for first in range(candidates.start, candidates.stop, ROWS):
        block = vectors.unit(slice(first, min(first + ROWS, candidates.stop)))
        for number, start in enumerate(range(0, n, QUERIES)):
            queries = np.arange(start, min(start + QUERIES, n))
            scores = vectors.unit(slice(start, start + len(queries))) @ block.T
            itself = (queries >= first) & (queries < first + len(block))
            scores[itself, queries[itself] - first] = -np.inf
            chosen = _best(scores, k)
            best_scores = np.take_along_axis(scores, chosen, 1)
            both = np.concatenate([rows[number], chosen + first], axis=1)
            values = np.concatenate([cosines[number], best_scores], axis=1)
            order = np.argsort(-values, axis=1, kind="stable")[:, :k]
            rows[number] = np.take_along_axis(both, order, 1)
            cosines[number] = np.take_along_axis(values, order, 1)
    return Neighbours(np.concatenate(rows), np.concatenate(cosines))


def _blocks(values: np.ndarray) -> Iterator[np.ndarray]:
    return (values[start : start + QUERIES] for start in range(0, len(values), QUERIES))


def _best(scores: np.ndarray, k: int) -> np.ndarray:
    """Returns the columns [Q, ≤ k] of the highest scores in each row [Q, n], in ascending order;
    ties go to the earlier columns."""
    n = scores.shape[1]
    if n <= k:
        return np.broadcast_to(np.arange(n), scores.shape)
    chosen = np.argpartition(scores, n - k, axis=1)[:, n - k :]
    threshold = np.take_along_axis(scores, chosen[:, :1], 1)  # the k-th highest comes first
    # A partition chooses arbitrarily among ties: rows with ties at the threshold are sorted.
    for row in np.flatnonzero((scores >= threshold).sum(axis=1) > k):
        chosen[row] = np.argsort(-scores[row], kind="stable")[:k]
    chosen.sort(axis=1)
    return chosen
