"""Computes 95 % bootstrap confidence intervals of evaluation results.

The questions of a set are resampled with replacement 1000 times; the interval reaches from the
2.5th to the 97.5th percentile of the results (Efron & Tibshirani 1993, chapter 13). It does not
cover the variation between training runs. The seed is fixed, so that the same vectors and set give
the same interval.

Accuracy: questions are resampled within their section. Of n_s questions with a share p_s of right
answers, a resample has Binomial(n_s, p_s) right ones, which is drawn directly.

Correlations: pairs are resampled. A resample is represented by the number of times w_i that it
contains pair i; the rank of a value is then the sum of the w of smaller values plus (1 + the sum of
the w of equal values) / 2, so that no resample needs to be sorted.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

LEVEL = 0.95
RESAMPLES = 1000
SEED = 1
BLOCK_WEIGHTS = 1 << 20  # weights of pairs at a time: 8 MB in each of about six arrays

Interval = tuple[float, float]


def accuracy_interval(correct: Sequence[int], covered: Sequence[int]) -> Interval | None:
    """Returns the interval of Σ correct / Σ covered over sections [S], None if that is 0 / 0."""
    n = np.asarray(covered, np.int64)
    if n.sum() == 0:
        return None
    shares = np.asarray(correct, np.float64) / np.maximum(n, 1)
    draws = np.random.default_rng(SEED).binomial(n, shares, (RESAMPLES, len(n)))
    return _percentiles(draws.sum(axis=1) / n.sum())


def correlation_intervals(x: np.ndarray, y: np.ndarray) -> tuple[Interval | None, Interval | None]:
    """Returns the intervals of Spearman's and Pearson's correlation of x [n] and y [n]; None if the
    correlation is undefined (n < 2, or x or y constant). Resamples in which it is undefined are
    left out.
    """
    n = len(x)
    if n < 2 or x.min() == x.max() or y.min() == y.max():
        return None, None
    random = np.random.default_rng(SEED)
    step = max(1, BLOCK_WEIGHTS // n)
    spearman, pearson = [], []
    for start in range(0, RESAMPLES, step):
        rows = min(step, RESAMPLES - start)
        chosen = random.integers(n, size=(rows, n)) + n * np.arange(rows)[:, None]
        times = np.bincount(chosen.ravel(), minlength=rows * n)
        weights = times.reshape(rows, n).astype(np.float64)
        spearman.append(_correlations(ranks(x, weights), ranks(y, weights), weights))
        pearson.append(_correlations(rescaled(x), rescaled(y), weights))
    return _percentiles(np.concatenate(spearman)), _percentiles(np.concatenate(pearson))


def _percentiles(values: np.ndarray) -> Interval | None:
    values = values[~np.isnan(values)]
    if not len(values):
        return None
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def ranks(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Returns the average ranks [B, n] of `values` [n] in B resamples that contain each value
    `weights` [B, n] times."""
    _, group, sizes = np.unique(values, return_inverse=True, return_counts=True)
    order = np.argsort(group, kind="stable")
    group_weights = np.add.reduceat(weights[:, order], np.cumsum(sizes) - sizes, axis=1)
    return (np.cumsum(group_weights, axis=1) - (group_weights - 1) / 2)[:, group]


def rescaled(values: np.ndarray) -> np.ndarray:
    """Scales the values by a power of 2, so that their products neither overflow nor underflow."""
    return np.ldexp(values, -np.frexp(np.abs(values).max())[1])  # type: ignore[no-any-return]


def _correlations(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Returns weighted Pearson correlations [B] of x and y, [n] or [B, n]; NaN if one is constant.
    The weights are [B, n]."""
    total = weights.sum(axis=1, keepdims=True)
    # Rounding can make the mean of a constant differ from it, which must not count as variance.
    drawn, defined = weights > 0, True
    for v in (x, y):
        defined &= np.where(drawn, v, -np.inf).max(axis=1) > np.where(drawn, v, np.inf).min(axis=1)
    x = x - (x * weights).sum(axis=1, keepdims=True) / total
    y = y - (y * weights).sum(axis=1, keepdims=True) / total
    weighted = x * weights
    squares = np.einsum("ij,ij->i", weighted, x) * np.einsum("ij,ij->i", y * weights, y)
    defined &= squares > 0
    products = np.einsum("ij,ij->i", weighted, y)
    correlations = products / np.sqrt(np.where(defined, squares, 1.0))
    return np.clip(np.where(defined, correlations, np.nan), -1.0, 1.0)
