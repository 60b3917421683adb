"""The order of training: blocks cover the stream exactly once and do not split lines; and the
learning rate."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2v.training.schedule import LONGEST_SENTENCE, Blocks, Schedule, cut_blocks, sentence_limit


def stream(lengths: list[int]) -> np.ndarray:
    """Returns a stream of lines with so many words each, ended by -1."""
    return np.array([number for length in lengths for number in (*range(length), -1)], np.int32)


lines = st.lists(st.one_of(st.integers(0, 12), st.integers(0, 200)), min_size=1, max_size=60)


@given(lines, st.integers(1, 80), st.integers(0, 60))
def test_bounds(lengths, size, max_sentence):
    ids = stream(lengths)
    bounds = cut_blocks(ids, size, max_sentence)
    assert bounds.dtype == np.int64
    assert bounds[0] == 0
    assert bounds[-1] == len(ids)
    steps = np.diff(bounds)
    assert (steps > 0).all()
    assert (steps[:-1] >= size).all()
    assert (steps <= size + max_sentence + 1).all()
    if max_sentence == 0:
        assert (steps[:-1] == size).all()
        return
    line = np.concatenate([[0], np.cumsum(ids < 0)])  # the line that each position belongs to
    for cut in bounds[1:-1]:
        if ids[cut - 1] >= 0:
            assert lengths[line[cut]] > max_sentence, "a line is cut that would not be split anyway"


@pytest.mark.parametrize(
    ("lengths", "size", "max_sentence", "expected"),
    [
        ([4], 10, 5, [0, 5]),
        ([4, 4, 4], 5, 5, [0, 5, 10, 15]),  # exactly at line ends
        ([4, 4, 4], 6, 5, [0, 10, 15]),  # moved on to the next one
        ([30], 10, 5, [0, 10, 20, 31]),  # too long: cut anywhere, and the rest ends with its line
        ([0, 0, 0, 0], 2, 5, [0, 2, 4]),
        ([30], 10, 0, [0, 10, 20, 30, 31]),
        ([4, 4, 4], 6, 0, [0, 6, 12, 15]),
    ],
)
def test_cuts(lengths, size, max_sentence, expected):
    assert cut_blocks(stream(lengths), size, max_sentence).tolist() == expected


def test_a_part_of_a_line_is_not_too_short():
    ids = stream([30, 2, 2, 40])
    assert cut_blocks(ids, 4, 5, 12).tolist() == [0, 12, 24, 31, 37, 49, 61, 73, 78]


def test_a_sentence_longer_than_any_block_is_never_split():
    assert sentence_limit(0) == 0
    assert sentence_limit(1000) == 1000
    assert sentence_limit(LONGEST_SENTENCE) == LONGEST_SENTENCE
    assert sentence_limit(LONGEST_SENTENCE + 1) == sentence_limit(10**30) == 0


@given(lines, st.integers(1, 50), st.integers(1, 4))
def test_blocks_of_a_run(lengths, size, epochs):
    ids = stream(lengths)
    bounds = cut_blocks(ids, size, 20)
    blocks = [Blocks(bounds, epochs)[number] for number in range(epochs * (len(bounds) - 1))]
    assert len({(block.epoch, block.index) for block in blocks}) == len(blocks)
    assert {block.epoch for block in blocks} == set(range(epochs))
    position = 0  # in the text read `epochs` times
    for block in blocks:
        assert block.epoch * len(ids) + block.start == position
        assert block.fraction == pytest.approx(position / (epochs * len(ids)))
        position += block.stop - block.start
    assert position == epochs * len(ids)


@pytest.mark.parametrize(
    ("fraction", "expected"),
    [(0, 0.5), (0.25, 0.375), (0.5, 0.25), (0.9998, 1e-4), (0.99999, 5e-5), (1, 5e-5)],
)
def test_learning_rate(fraction, expected):
    # word2vec.c: alpha = start · (1 - progress), not below start · 0.0001
    assert Schedule(0.5).rate(fraction) == pytest.approx(expected, rel=1e-9)


def test_courses_of_the_learning_rate() -> None:
    assert [Schedule(2.0, "constant").rate(f) for f in (0, 0.5, 1)] == [2, 2, 2]
    assert [Schedule(2.0, "linear").rate(f) for f in (0, 0.25, 1)] == pytest.approx([2, 1.5, 2e-4])
    assert [Schedule(2.0, "cosine").rate(f) for f in (0, 0.5, 0.75, 1)] == pytest.approx(
        [2, 1, 2 * (1 - 0.5**0.5) / 2, 2e-4]
    )


def test_warm_up_rises_to_the_start_of_the_course() -> None:
    schedule = Schedule(2.0, "linear", warmup=0.2)
    assert [schedule.rate(f) for f in (0, 0.1, 0.2, 0.6, 1)] == pytest.approx([2e-4, 1, 2, 1, 2e-4])
    assert Schedule(2.0, "cosine", warmup=1.0).rate(1.0) == 2.0
    assert [schedule.rate(f, 0.1) for f in (0, 0.1, 0.2)] == pytest.approx([1, 2, 2])
    assert schedule.rate(0.15, 0.3) == 2
    (only,) = (Blocks(np.array([0, 50]), 1)[number] for number in range(1))
    assert Schedule(2.0, "cosine", warmup=0.02).rate(only.fraction, only.share) == 2


@given(st.lists(st.integers(1, 50), min_size=1, max_size=30), st.integers(1, 4))
def test_no_block_of_a_warm_up_is_lost(sizes: list[int], epochs: int) -> None:
    blocks = Blocks(np.cumsum([0, *sizes]), epochs)
    for number in range(len(blocks)):
        block, end = blocks[number], blocks.position(number + 1) / blocks.positions
        assert block.fraction + block.share == pytest.approx(end)
        for warmup in (0.02, 0.5, 1.0):
            rate = Schedule(3.0, "constant", warmup).rate(block.fraction, block.share)
            assert rate == pytest.approx(3.0 * min(1.0, end / warmup))


def test_a_plateau_quarters_the_rate_and_is_remembered() -> None:
    schedule = Schedule(20.0, "plateau")
    schedule.worse()
    schedule.worse()
    assert schedule.rate(0.3) == 1.25
    again = Schedule(20.0, "plateau")
    again.load_state(schedule.state())
    assert again.rate(0.9) == 1.25
    linear = Schedule(20.0, "linear")
    linear.worse()
    assert linear.rate(0) == 20
