"""Evaluates word similarity sets: how well do the cosines of word pairs correlate with human
scores?

Spearman's correlation is Pearson's correlation of the ranks; equal values share their mean rank.
Pairs with an unknown word are left out, unless n-grams give it a vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from w2v.evaluation.bootstrap import Interval, correlation_intervals, ranks, rescaled
from w2v.evaluation.matching import WordMatcher

if TYPE_CHECKING:
    from w2v.vectors.rows import WordRows


@dataclass(frozen=True)
class SimilarityResult:
    """The correlations of cosines and scores, None for fewer than two covered pairs or if one side
    is constant, and their 95 % intervals (see `bootstrap`), if requested and defined."""

    spearman: float | None
    pearson: float | None
    covered: int  # pairs whose words have vectors
    total: int  # pairs in the set
    skipped: int  # lines of the file that are not pairs, such as column names
    spearman_ci: Interval | None = None
    pearson_ci: Interval | None = None
    oov: int = 0  # covered pairs with a word outside the vocabulary, whose n-grams give it a vector

    def as_dict(self, intervals: bool = False) -> dict[str, object]:
        """Returns plain values for JSON, with `intervals` also [low, high] of each correlation."""
        values = asdict(self)
        return values if intervals else {k: v for k, v in values.items() if not k.endswith("_ci")}


def evaluate_similarity(
    vectors: WordRows,
    pairs: Sequence[tuple[str, str, float]],
    *,
    restrict_vocab: int = 0,
    case: str = "fold",
    skipped: int = 0,
    intervals: bool = False,
    oov: bool = False,
) -> SimilarityResult:
    """Correlates the cosines of `pairs` (word, word, score) with the scores. The options are those
    of `WordVectors.evaluate`; `skipped` is copied to the result."""
    matcher = WordMatcher(vectors, restrict_vocab, case)
    words = dict.fromkeys(word for pair in pairs for word in pair[:2])
    row_of_word = {word: row for word in words if (row := matcher.row(word)) is not None}
    by_ngrams = {word: matcher.spelling(word) for word in words if oov and word not in row_of_word}
    by_ngrams = {word: spelt for word, spelt in by_ngrams.items() if vectors.has(spelt)}
    unit = vectors.unit(np.array([*row_of_word.values()], np.int64))
    if by_ngrams:
        unit = np.concatenate([unit, vectors.unit_of([*by_ngrams.values()])])
    row_of = {word: row for row, word in enumerate([*row_of_word, *by_ngrams])}
    covered = [pair for pair in pairs if pair[0] in row_of and pair[1] in row_of]
    rows = np.array([(row_of[a], row_of[b]) for a, b, _ in covered], np.int64).reshape(-1, 2).T
    first, second = unit.astype(np.float64)[rows]
    scores = np.array([pair[2] for pair in covered], np.float64)
    cosines = np.einsum("ij,ij->i", first, second)
    same = (first == second).all(axis=1)  # such as tiger tiger: ties, whatever is rounded
    cosines[same] = first[same].any(axis=1)
    ends = correlation_intervals(cosines, scores) if intervals else (None, None)
    of_ranks = pearson(average_ranks(cosines), average_ranks(scores))
    counts = (len(covered), len(pairs), skipped)
    unknown = sum(a in by_ngrams or b in by_ngrams for a, b, _ in covered)
    return SimilarityResult(of_ranks, pearson(cosines, scores), *counts, *ends, unknown)


def pearson(x: np.ndarray, y: np.ndarray) -> float | None:
    """Returns Pearson's correlation of x [n] and y [n], None if n < 2 or one is constant."""
    if len(x) < 2 or x.min() == x.max() or y.min() == y.max():
        return None
    # Scale both to about 1, first by a power of 2, which is exact, so that no sum or square
    # overflows or underflows.
    x, y = rescaled(x), rescaled(y)
    x -= x.mean()
    y -= y.mean()
    x /= np.abs(x).max()
    y /= np.abs(y).max()
    return float(np.clip(x @ y / np.sqrt((x @ x) * (y @ y)), -1.0, 1.0))


def average_ranks(values: np.ndarray) -> np.ndarray:
    """Returns the ranks 1 … n of `values` [n]; equal values get the mean of their ranks."""
    return ranks(values, np.ones((1, len(values))))[0]  # type: ignore[no-any-return]
