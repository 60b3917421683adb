"""Confidence intervals against exact distributions, textbook formulas and a bootstrap written
out."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from w2v.evaluation import bootstrap
from w2v.evaluation.analogies import AnalogyResult, Tally
from w2v.evaluation.bootstrap import RESAMPLES, SEED, accuracy_interval, correlation_intervals
from w2v.evaluation.similarity import average_ranks, evaluate_similarity, pearson
from w2v.vectors import WordVectors


def binomial(n: int, p: float) -> np.ndarray:
    """P(k right of n), [n + 1]."""
    return np.array([math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)])


def percentile(probabilities: np.ndarray, level: float) -> float:
    return float(np.searchsorted(np.cumsum(probabilities), level)) / (len(probabilities) - 1)


def clopper_pearson(k: int, n: int) -> tuple[float, float]:
    """The exact interval: the shares at which k or more, k or fewer right answers still have a
    chance of 2.5 %."""

    def where(tail: slice, rising: bool) -> float:
        low, high = 0.0, 1.0
        for _ in range(50):
            middle = (low + high) / 2
            if (binomial(n, middle)[tail].sum() < 0.025) == rising:
                low = middle
            else:
                high = middle
        return low

    return where(slice(k, None), True), where(slice(0, k + 1), False)


@pytest.mark.parametrize(("correct", "covered"), [(70, 100), (300, 400), (12, 500), (495, 500)])
def test_one_section_is_binomial(correct, covered):
    low, high = accuracy_interval([correct], [covered])
    distribution = binomial(covered, correct / covered)
    # the percentiles of 1000 draws wander by 0.085 standard deviations, and move in steps of a
    # question
    spread = math.sqrt(correct / covered * (1 - correct / covered) / covered)
    assert low == pytest.approx(percentile(distribution, 0.025), abs=0.25 * spread + 1 / covered)
    assert high == pytest.approx(percentile(distribution, 0.975), abs=0.25 * spread + 1 / covered)
    exact = clopper_pearson(correct, covered)
    assert (low, high) == pytest.approx(exact, abs=0.25 * (exact[1] - exact[0]))
    assert low < correct / covered < high


def test_sections_are_strata():
    """With sections all right and all wrong nothing can vary, though half of the questions are
    wrong."""
    assert accuracy_interval([50, 0], [50, 50]) == (0.5, 0.5)
    correct, covered = [30, 5, 0], [40, 50, 10]
    distribution = np.convolve(
        np.convolve(binomial(40, 0.75), binomial(50, 0.1)), binomial(10, 0.0)
    )
    low, high = accuracy_interval(correct, covered)
    assert low == pytest.approx(percentile(distribution, 0.025), abs=0.02)
    assert high == pytest.approx(percentile(distribution, 0.975), abs=0.02)
    pooled = accuracy_interval([35], [100])
    assert high - low < pooled[1] - pooled[0]


def test_the_interval_covers_the_truth_as_often_as_it_says():
    random = np.random.default_rng(5)
    truth, n = 0.8, 300
    intervals = [accuracy_interval([k], [n]) for k in random.binomial(n, truth, 400).tolist()]
    inside = np.mean([low <= truth <= high for low, high in intervals])
    assert 0.91 < inside < 0.985


def test_nothing_covered_and_nothing_wrong():
    assert accuracy_interval([], []) is None
    assert accuracy_interval([0, 0], [0, 0]) is None
    assert accuracy_interval([0, 7], [0, 7]) == (1.0, 1.0)
    assert accuracy_interval([3 * 10**9], [4 * 10**9]) == pytest.approx((0.75, 0.75), abs=1e-4)


def written_out(x: np.ndarray, y: np.ndarray) -> tuple[tuple[float, float], tuple[float, float]]:
    """Each resample taken, ranked and correlated by itself."""
    n = len(x)
    chosen = np.random.default_rng(SEED).integers(n, size=(RESAMPLES, n))
    ranked = [pearson(average_ranks(x[rows]), average_ranks(y[rows])) for rows in chosen]
    plain = [pearson(x[rows], y[rows]) for rows in chosen]
    return tuple(
        tuple(np.quantile([value for value in values if value is not None], [0.025, 0.975]))
        for values in (ranked, plain)
    )


@pytest.mark.parametrize("n", [2, 3, 5, 60])
@pytest.mark.parametrize("ties", [False, True])
def test_correlations_are_those_of_a_bootstrap_written_out(n, ties):
    random = np.random.default_rng(n)
    x = random.standard_normal(n)
    y = x + random.standard_normal(n)
    if ties:
        x, y = np.round(x), np.round(y)
        x[0], x[1], y[0], y[1] = 0, 1, 2, 1
    spearman, plain = correlation_intervals(x, y)
    expected = written_out(x, y)
    assert spearman == pytest.approx(expected[0], abs=1e-12)
    assert plain == pytest.approx(expected[1], abs=1e-12)


def test_in_blocks_as_at_once(monkeypatch):
    random = np.random.default_rng(2)
    x, y = random.standard_normal((2, 50))
    expected = correlation_intervals(x, y)
    monkeypatch.setattr(bootstrap, "BLOCK_WEIGHTS", 50 * 30)
    assert correlation_intervals(x, y) == expected


def test_pearson_is_near_fisher_s_interval():
    random = np.random.default_rng(3)
    x, noise = random.standard_normal((2, 500))
    y = 0.6 * x + 0.8 * noise
    _, (low, high) = correlation_intervals(x, y)
    z, reach = math.atanh(pearson(x, y)), 1.96 / math.sqrt(500 - 3)
    assert (low, high) == pytest.approx((math.tanh(z - reach), math.tanh(z + reach)), abs=0.02)


@pytest.mark.parametrize("factor", [1e-320, 1e-200, 1.0, 1e300])
def test_no_scale_over_or_underflows(factor):
    x = np.array([1.0, 5, 2, 8, 3, 9, 4])
    y = np.array([2.0, 4, 3, 9, 1, 7, 6])
    with np.errstate(all="raise", under="ignore"):
        scaled = correlation_intervals(x * factor, y)
    assert scaled[0] == correlation_intervals(x, y)[0]
    assert scaled[1] == pytest.approx(correlation_intervals(x, y)[1], rel=1e-3)


def test_undefined_correlations():
    assert correlation_intervals(np.ones(1), np.ones(1)) == (None, None)
    assert correlation_intervals(np.empty(0), np.empty(0)) == (None, None)
    assert correlation_intervals(np.ones(5), np.arange(5.0)) == (None, None)
    assert correlation_intervals(np.full(9, 0.1), np.arange(9.0)) == (None, None)


def test_results_carry_their_intervals():
    sections = (
        ("a", "semantic", Tally(30, 40, 45)),
        ("gram", "syntactic", Tally(5, 50, 50)),
        ("a", "semantic", Tally(1, 2, 2)),
    )
    values = AnalogyResult(sections).as_dict(intervals=True)
    assert values["accuracy_ci"] == accuracy_interval([30, 5, 1], [40, 50, 2])
    assert (
        values["semantic_ci"]
        == values["sections"]["a"]["accuracy_ci"]
        == accuracy_interval([30, 1], [40, 2])
    )
    assert values["syntactic_ci"] == accuracy_interval([5], [50])
    assert not [name for name in AnalogyResult(sections).as_dict() if name.endswith("_ci")]
    words = list("abcdefgh")
    vectors = WordVectors(
        words, np.random.default_rng(0).standard_normal((8, 3)).astype(np.float32)
    )
    pairs = [(a, b, float(i)) for i, (a, b) in enumerate(pairwise(words))]
    result = evaluate_similarity(vectors, pairs, intervals=True)
    low, high = result.spearman_ci
    assert -1 <= low < result.spearman < high <= 1
    assert result.as_dict(intervals=True)["pearson_ci"] == result.pearson_ci
    plain = evaluate_similarity(vectors, pairs)
    assert plain.spearman_ci is None and "spearman_ci" not in plain.as_dict()
