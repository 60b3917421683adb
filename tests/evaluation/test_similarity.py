"""Rank and linear correlation against values worked out by hand, and the rules about which pairs
count."""

import numpy as np
import pytest

from w2v.evaluation.similarity import average_ranks, evaluate_similarity, pearson
from w2v.vectors import WordVectors

ANGLES = [0, 10, 20, 40, 80]
VECTORS = WordVectors(
    ["a", "b", "c", "d", "E"],
    np.array([[np.cos(np.radians(x)), np.sin(np.radians(x))] for x in ANGLES], np.float32) * 3,
)


def test_ranks_share_their_mean():
    assert average_ranks(np.array([10.0, 20, 10, 5, 20, 20])).tolist() == [2.5, 5, 2.5, 1, 5, 5]
    assert average_ranks(np.array([7.0])).tolist() == [1]


def test_pearson():
    # numpy's own, and the classical example of Anscombe's first set: 0.81642.
    x = np.array([10, 8, 13, 9, 11, 14, 6, 4, 12, 7, 5.0])
    y = np.array([8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68])
    assert pearson(x, y) == pytest.approx(0.81642051634484, abs=1e-12)
    assert pearson(x, -y) == pytest.approx(np.corrcoef(x, -y)[0, 1], abs=1e-12)
    assert pearson(x * 1e300, y * 1e-300) == pytest.approx(0.81642051634484, abs=1e-12)
    assert pearson(x, np.full(11, 3.0)) is None
    assert pearson(x[:1], y[:1]) is None
    assert pearson(x[:0], y[:0]) is None


def test_spearman_with_ties():
    # Cosines fall with the angle: ranks 4 3 2 1; scores 9 5 5 1 have ranks 4 2.5 2.5 1.
    pairs = [("a", "b", 9.0), ("a", "c", 5.0), ("a", "d", 5.0), ("a", "E", 1.0)]
    result = evaluate_similarity(VECTORS, pairs)
    assert result.spearman == pytest.approx(4.5 / np.sqrt(5 * 4.5), abs=1e-12)
    cosines = [np.cos(np.radians(x)) for x in ANGLES[1:]]
    assert result.pearson == pytest.approx(np.corrcoef(cosines, [9, 5, 5, 1])[0, 1], abs=1e-6)


def test_case_and_coverage():
    pairs = [("A", "b", 3.0), ("a", "e", 2.0), ("a", "missing", 1.0)]
    folded = evaluate_similarity(VECTORS, pairs, skipped=4)
    assert (folded.covered, folded.total, folded.skipped) == (2, 3, 4)
    assert folded.spearman == 1.0
    exact = evaluate_similarity(VECTORS, pairs, case="exact")
    assert (exact.covered, exact.spearman, exact.pearson) == (0, None, None)
    assert evaluate_similarity(VECTORS, pairs, restrict_vocab=2).covered == 1
    assert exact.as_dict() == {
        "spearman": None,
        "pearson": None,
        "covered": 0,
        "total": 3,
        "skipped": 0,
        "oov": 0,
    }


def test_a_vector_of_zeros_is_similar_to_nothing():
    vectors = WordVectors(["a", "b", "zero"], np.array([[1, 0], [1, 1], [0, 0]], np.float32))
    result = evaluate_similarity(vectors, [("a", "b", 2.0), ("a", "zero", 1.0)])
    assert result.spearman == 1.0


def test_words_with_themselves_are_ties():
    """Their cosines are 1, whatever their lengths in float32 round to."""
    rows = np.random.default_rng(1).standard_normal((40, 5)).astype(np.float32)
    vectors = WordVectors([f"w{i}" for i in range(40)], rows)
    pairs = [(f"w{i}", f"w{i}", float(i)) for i in range(40)]
    assert evaluate_similarity(vectors, pairs).spearman is None
    # 40 ties at the top, and below them a pair: ranks 21.5 (40 times) and 1
    scores = np.array([*range(1, 41), 0.0])
    expected = np.corrcoef([21.5] * 40 + [1], scores)[0, 1]
    pairs = [(a, b, score) for (a, b, _), score in zip(pairs, scores, strict=False)]
    found = evaluate_similarity(vectors, [*pairs, ("w0", "w1", 0.0)], intervals=True)
    assert found.spearman == pytest.approx(expected, abs=1e-12)
