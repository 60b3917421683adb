"""The noise distribution, its alias table, and sub-sampling, against word2vec.c and against exact
arithmetic."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2v.sampling.unigram import alias_table, keep_probabilities, unigram_probabilities

GOLDEN = Path(__file__).parents[1] / "golden" / "word2vec_c"
CELL = 2.0**-32  # what 32 random bits can tell apart
SIZES = ("small", "zipf_200")


def implied(accept: np.ndarray, alias: np.ndarray) -> np.ndarray:
    """The distribution that drawing from a table has: a cell uniformly, then u < accept[cell] of
    2^32."""
    own = accept.astype(np.float64) * CELL
    return (own + np.bincount(alias, 1 - own, minlength=len(accept))) / len(accept)


def check_table(q: np.ndarray) -> None:
    """Fails unless the table for `q` draws every word with its probability, to 2^-32 per cell that
    may give it."""
    accept, alias = alias_table(q)
    assert (accept.dtype, alias.dtype) == (np.uint32, np.int32)
    assert accept.shape == alias.shape == q.shape
    assert ((alias >= 0) & (alias < len(q))).all()
    cells = 1 + np.bincount(alias, minlength=len(q))
    rounding = 1e-15 * len(q)  # of the weights, in cells
    assert (np.abs(implied(accept, alias) - q) * len(q) <= cells * CELL + rounding).all()


@given(
    st.lists(st.integers(1, 10**9), min_size=1, max_size=200),
    st.sampled_from([-1.0, 0.0, 0.5, 0.75, 1.0, 2.0]),
)
def test_alias_table_is_exact(counts, power):
    check_table(unigram_probabilities(np.array(counts), power))


def test_alias_table_of_a_large_steep_distribution():
    check_table(unigram_probabilities(np.maximum(1, 10**8 // np.arange(1, 300_001)), 1.0))


@pytest.mark.parametrize("q", [[1.0], [0.5, 0.5], [1.0, 0.0, 0.0], [0.25] * 4, [0.0, 1.0]])
def test_alias_table_at_the_edges(q):
    check_table(np.array(q))


def test_a_word_without_probability_is_never_drawn():
    accept, alias = alias_table(np.array([0.0, 0.5, 0.5, 0.0]))
    assert accept[[0, 3]].tolist() == [0, 0]
    assert not set(alias.tolist()) & {0, 3}


def test_alias_table_leaves_its_input_alone():
    q = np.array([0.7, 0.2, 0.1])
    alias_table(q)
    assert q.tolist() == [0.7, 0.2, 0.1]


@pytest.mark.parametrize("size", SIZES)
def test_unigram_table_of_word2vec_c(size):
    with np.load(GOLDEN / f"unigram_table_{size}.npz") as z:
        q = unigram_probabilities(z["counts"], 0.75)
        assert q == pytest.approx(z["probability_f64"], rel=1e-12)
        assert q == pytest.approx(z["table_slots"] / 1e8, abs=2e-8)
        check_table(q)


@pytest.mark.parametrize(
    ("power", "expected"),
    [(0, [1 / 3, 1 / 3, 1 / 3]), (1, [4 / 7, 2 / 7, 1 / 7]), (-1, [1 / 7, 2 / 7, 4 / 7])],
)
def test_powers(power, expected):
    assert unigram_probabilities(np.array([40, 20, 10]), power) == pytest.approx(
        expected, rel=1e-13
    )


@pytest.mark.parametrize(
    ("power", "expected"),
    [(1000, [0.5, 0.5, 0]), (-1e300, [0, 0, 1]), (1e300, [0.5, 0.5, 0]), (-400, [0, 0, 1])],
)
@pytest.mark.filterwarnings("error")
def test_extreme_powers_are_their_limits(power, expected):
    assert unigram_probabilities(np.array([9000, 9000, 10]), power).tolist() == expected


@pytest.mark.parametrize("size", SIZES)
def test_subsampling_of_word2vec_c(size):
    with np.load(GOLDEN / f"subsampling_{size}.npz") as z:
        for k, sample in enumerate(z["sample"]):
            keep = keep_probabilities(z["counts"], sample)
            assert keep == pytest.approx(np.minimum(1, z[f"keep_ratio_f64_{k}"]), rel=1e-12)
            assert keep == pytest.approx(np.minimum(1, z[f"ran_c_float32_{k}"]), rel=1e-6)
            # the C draw has 16 bits
            assert keep == pytest.approx(z[f"keep_probability_16bit_{k}"], abs=2**-15)
            assert 0 < keep.min() < 1


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=50), st.floats(1e-12, 10))
def test_subsampling_is_a_probability_and_never_favours_frequent_words(counts, sample):
    counts = np.array(sorted(counts, reverse=True))
    keep = keep_probabilities(counts, sample)
    assert ((keep > 0) & (keep <= 1)).all()
    assert (np.diff(keep) >= 0).all()


def test_sample_zero_keeps_everything():
    assert keep_probabilities(np.array([10**9, 5, 1]), 0).tolist() == [1, 1, 1]


def test_a_word_as_frequent_as_sample_is_kept():
    # f = sample gives sqrt(1) + 1 = 2, capped; f = 4 · sample gives 1/2 + 1/4
    assert keep_probabilities(np.array([80, 20]), 0.2) == pytest.approx([0.75, 1.0])


def test_one_word():
    assert unigram_probabilities(np.array([5]), 0.75).tolist() == [1.0]
    accept, alias = alias_table(np.array([1.0]))
    assert implied(accept, alias).tolist() == [1.0]
    assert keep_probabilities(np.array([5]), 0.01) == pytest.approx([0.1 + 0.01])
