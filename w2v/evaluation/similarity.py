"""Word similarity sets: how well the cosines of word pairs rank as people's scores do.

Spearman's correlation is Pearson's of the ranks, where equal values share the mean of their ranks.
Pairs with a word outside the vocabulary do not take part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from w2v.evaluation.bootstrap import Interval, correlation_intervals, near_one, ranks
from w2v.evaluation.matching import Vectors, WordMatcher


@dataclass(frozen=True)
class SimilarityResult:
    """Correlations of cosine and score; None with fewer than two covered pairs, or when one side is
    constant. The intervals, see `bootstrap`, are there where they were asked for and are defined.
    """

    spearman: float | None
    pearson: float | None
    covered: int  # pairs with both words in the vocabulary
    total: int  # pairs in the set
    skipped: int  # lines of the file that are no pair, such as column names
    spearman_ci: Interval | None = None
    pearson_ci: Interval | None = None

    def as_dict(self, intervals: bool = False) -> dict[str, object]:
        """Plain values for JSON; with `intervals` [low, high] of each correlation."""
        own = asdict(self)
        return own if intervals else {k: v for k, v in own.items() if not k.endswith("_ci")}


def evaluate_similarity(
    vectors: Vectors,
    pairs: Sequence[tuple[str, str, float]],
    *,
    restrict_vocab: int = 0,
    case: str = "fold",
    skipped: int = 0,
    intervals: bool = False,
) -> SimilarityResult:
    """Correlates the cosines of the `pairs` (word, word, score) with the scores; the options are
    those of `WordVectors.evaluate`, and `skipped` is passed on to the result."""
    matcher = WordMatcher(vectors, restrict_vocab, case)
    looked_up = [(matcher.row(a), matcher.row(b), score) for a, b, score in pairs]
    found = [pair for pair in looked_up if None not in pair]
    rows = np.array([pair[:2] for pair in found], np.int64).reshape(-1, 2).T
    first, second = (vectors.unit(each).astype(np.float64) for each in rows)
    scores = np.array([pair[2] for pair in found], np.float64)
    cosines = np.einsum("ij,ij->i", first, second)
    ends = correlation_intervals(cosines, scores) if intervals else ()
    of_ranks = pearson(average_ranks(cosines), average_ranks(scores))
    counts = (len(found), len(pairs), skipped)
    return SimilarityResult(of_ranks, pearson(cosines, scores), *counts, *ends)


def pearson(x: np.ndarray, y: np.ndarray) -> float | None:
    """Pearson's correlation of x [n] and y [n]; None for n < 2, or where one is constant."""
    if len(x) < 2 or x.min() == x.max() or y.min() == y.max():
        return None
    # Each brought near 1, first by a power of 2, which is exact: no sum and no square over- or
    # underflows.
    x, y = near_one(x), near_one(y)
    x -= x.mean()
    y -= y.mean()
    x /= np.abs(x).max()
    y /= np.abs(y).max()
    return float(np.clip(x @ y / np.sqrt((x @ x) * (y @ y)), -1.0, 1.0))


def average_ranks(values: np.ndarray) -> np.ndarray:
    """Ranks 1 … n of `values` [n]; equal values get the mean of the ranks that they take up."""
    return ranks(values, np.ones((1, len(values))))[0]  # type: ignore[no-any-return]
