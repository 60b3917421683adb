"""The exact nearest words of many words at once, by cosine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from w2v.vectors.rows import WordRows


QUERIES, ROWS = 256, 16384  # scores in one block: 16 MB


class Neighbours(NamedTuple):
    """For each word the rows [N, k] int64 of others and their cosines [N, k] float32, best first,
    of equal ones the earlier row."""

    rows: np.ndarray
    cosines: np.ndarray

    def first(self, k: int) -> Neighbours:
        return Neighbours(self.rows[:, :k], self.cosines[:, :k])


def nearest_inside(vectors: WordRows, n: int, k: int) -> Neighbours:
    """Returns the k nearest of the first n words to each of them, among themselves (k < n)."""
    return _merged(vectors, slice(0, n), n, k, None)


def nearest_of_all(vectors: WordRows, inside: Neighbours, k: int) -> Neighbours:
    """Returns the k nearest words of the whole vocabulary to each of the first words, which are
    known `inside` those already; fewer than k where the vocabulary is so small."""
    n = len(inside.rows)
    return _merged(vectors, slice(n, len(vectors.words)), n, k, inside.first(k))


def _merged(
    vectors: WordRows, among: slice, n: int, k: int, known: Neighbours | None
) -> Neighbours:
    """The k nearest to the first n words out of the rows `among` and those that are known."""
    if known is None:
        known = Neighbours(np.empty((n, 0), np.int64), np.empty((n, 0), np.float32))
    rows, cosines = list(_blocks(known.rows)), list(_blocks(known.cosines))
    for first in range(among.start, among.stop, ROWS):
        block = vectors.unit(slice(first, min(first + ROWS, among.stop)))
        for number, start in enumerate(range(0, n, QUERIES)):
            own = np.arange(start, min(start + QUERIES, n))
            scores = vectors.unit(slice(start, start + len(own))) @ block.T
            itself = (own >= first) & (own < first + len(block))
            scores[itself, own[itself] - first] = -np.inf
            chosen = _best(scores, k)
            found = np.take_along_axis(scores, chosen, 1)
            both = np.concatenate([rows[number], chosen + first], axis=1)
            values = np.concatenate([cosines[number], found], axis=1)
            order = np.argsort(-values, axis=1, kind="stable")[:, :k]
            rows[number] = np.take_along_axis(both, order, 1)
            cosines[number] = np.take_along_axis(values, order, 1)
    return Neighbours(np.concatenate(rows), np.concatenate(cosines))


def _blocks(values: np.ndarray) -> Iterator[np.ndarray]:
    return (values[start : start + QUERIES] for start in range(0, len(values), QUERIES))


def _best(scores: np.ndarray, k: int) -> np.ndarray:
    """Columns [Q, ≤ k] of the highest scores of each row [Q, n], in rising order; of equal scores
    the earlier columns."""
    n = scores.shape[1]
    if n <= k:
        return np.broadcast_to(np.arange(n), scores.shape)
    chosen = np.argpartition(scores, n - k, axis=1)[:, n - k :]
    threshold = np.take_along_axis(scores, chosen[:, :1], 1)  # the k-th stands first
    # A partition takes any of equal scores: words with the same vector are sorted out one by one.
    for row in np.flatnonzero((scores >= threshold).sum(axis=1) > k):
        chosen[row] = np.argsort(-scores[row], kind="stable")[:k]
    chosen.sort(axis=1)
    return chosen
