"""Windows computed with tensors, compared with a plain loop over words and with the reader of the
fused kernel."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from w2v.kernels.cpu.random import survives
from w2v.settings.build import build_config
from w2v.training.engine import block_seeds
from w2v.training.rows import distinct_rows, shared_rows, summed_rows
from w2v.training.schedule import Block
from w2v.words.fused import HogwildEngine
from w2v.words.windows import WindowReader, upper_bits

KEYS = [0, 1, 2**63, 2**64 - 1, 0x123456789ABCDEF0]
EVERY = np.uint32(2**32 - 1)


def expected_windows(ids, keep, start, stop, key, window, max_sentence, reach_of):
    """Returns [(target position, its word, [context words])], computed by a loop over the stream,
    and the numbers of words read, rare and dropped."""
    sentences, kept = [], []  # of all positions; surviving positions
    number = piece = 0
    for position in range(
        0 if max_sentence == 0 else start, len(ids) if max_sentence == 0 else stop
    ):
        word = ids[position]
        if word < 0:
            number, piece = number + 1, 0
            continue
        if max_sentence > 0 and piece == max_sentence:
            number, piece = number + 1, 0
        piece += 1
        if word < len(keep) and survives(position, np.uint64(key), keep[word]):
            sentences.append(number)
            kept.append(position)
    found = []
    for i, position in enumerate(kept):
        if not start <= position < stop:
            continue
        reach = reach_of(position)
        around = [j for j in range(i - reach, i + reach + 1) if j != i and 0 <= j < len(kept)]
        found.append(
            (
                int(ids[position]),
                [int(ids[kept[j]]) for j in around if sentences[j] == sentences[i]],
            )
        )
    inside = ids[start:stop]
    read, rare = int((inside >= 0).sum()), int((inside >= len(keep)).sum())
    return found, (read, rare, read - rare - len(found))


def windows_of(reader, start, stop, key, own, batch):
    """Returns the same from the reader, `batch` targets at a time, and the Windows."""
    windows = reader.read(start, stop, key, own)
    contexts: dict[int, list[int]] = {place: [] for place in range(windows.first, windows.last)}
    for at in range(0, windows.trained, batch):
        words, places = windows.pairs(at, at + batch)
        for word, place in zip(words.tolist(), places.tolist(), strict=True):
            assert windows.first + at <= place < windows.first + at + batch
            contexts[place].append(word)
    return [(int(windows.words[place]), words) for place, words in contexts.items()], windows


@pytest.mark.parametrize("key", KEYS)
def test_the_hash_is_the_kernels(key):
    positions = torch.tensor([0, 1, 2, 77, 2**31 - 1, 2**31, 2**40 + 3, 2**62, 2**63 - 1])
    bits = upper_bits(positions, key).tolist()
    for position, upper in zip(positions.tolist(), bits, strict=True):
        assert 0 <= upper < 2**32
        assert survives(np.uint64(position), np.uint64(key), np.uint32(upper))
        assert upper == 0 or not survives(np.uint64(position), np.uint64(key), np.uint32(upper - 1))


def test_the_hash_is_uniform():
    bits = upper_bits(torch.arange(200_000), 12345).double() / 2**32
    assert abs(bits.mean() - 0.5) < 5 * (1 / 12 / 200_000) ** 0.5
    counts = torch.histc(bits, 100, 0, 1)
    assert ((counts - 2000) ** 2 / 2000).sum() < 99 + 5 * (2 * 99) ** 0.5


@settings(deadline=None, max_examples=examples(50))
@given(
    st.lists(st.integers(-1, 6), min_size=1, max_size=60),
    st.integers(0, 60),
    st.integers(0, 60),
    st.integers(1, 9),
    st.sampled_from([0, 1, 2, 3, 7, 1000]),
    st.sampled_from(KEYS),
    st.sampled_from([0.3, 1.0]),
    st.integers(1, 7),
)
def test_windows_are_those_of_a_loop_over_words(
    stream, a, b, window, max_sentence, key, share, batch
):
    ids = np.array(stream, np.int32)
    start, stop = sorted(min(place, len(ids)) for place in (a, b))
    keep = np.full(5, int(EVERY * share), np.uint32)
    reader = WindowReader(ids, keep, window, max_sentence)
    found, windows = windows_of(reader, start, stop, key, 99, batch)

    def reach_of(position):
        return 1 + ((int(upper_bits(torch.tensor([position]), 99)) * window) >> 32)

    expected, tally = expected_windows(ids, keep, start, stop, key, window, max_sentence, reach_of)
    assert found == expected
    assert (windows.read, windows.rare, windows.dropped) == tally


def test_reach_is_uniform_from_1_to_the_window():
    reader = WindowReader(np.zeros(60_000, np.int32), np.array([EVERY]), 6, 1000)
    counts = torch.bincount(reader.read(0, 60_000, 5, 6).reach, minlength=8)
    assert counts[0] == counts[7] == 0
    assert ((counts[1:7] - 10_000) ** 2 / 10_000.0).sum() < 5 + 5 * 10**0.5


@pytest.mark.parametrize("max_sentence", [0, 7])
def test_ids_that_are_held_on_the_device_are_the_same(max_sentence):
    ids = np.random.default_rng(4).integers(-1, 40, 3000).astype(np.int32)
    others = WindowReader(ids, np.full(30, EVERY // 2), 5, max_sentence)
    others.hold(4 * len(ids) - 1)  # no room
    assert others._held is None
    others.hold(4 * len(ids))
    assert others._held is not None
    for read in (others, others.over(ids[100:])):
        for start, stop in ((0, 1000), (1000, 2900)):
            found = read.read(start, stop, 3, 4)
            same = WindowReader(read._ids, np.full(30, EVERY // 2), 5, max_sentence)
            expected = same.read(start, stop, 3, 4)
            assert found.words.dtype == torch.int64
            for name, value in vars(expected).items():
                assert torch.equal(torch.as_tensor(getattr(found, name)), torch.as_tensor(value))


def test_both_engines_train_on_the_same_words():
    generator = np.random.default_rng(3)
    ids = generator.integers(-1, 40, 20_000).astype(np.int32)
    config = build_config(
        {"corpus": ("x",), "dim": "4", "threads": "1", "sample": "0.01", "max_sentence": "12"}
    )
    kernel = HogwildEngine(config, ids, np.arange(30, 0, -1) * 100)
    kernel.initialise()
    reader = WindowReader(ids, kernel._keep, 5, 12)
    for block in (Block(0, 0, 0, 7000, 0.0), Block(1, 1, 7000, 20_000, 0.5)):
        tally = kernel.train(block, 0.01, 0)
        windows = reader.read(block.start, block.stop, *map(int, block_seeds(1, block)))
        assert (tally.read, tally.rare, tally.dropped, tally.trained) == (
            windows.read,
            windows.rare,
            windows.dropped,
            windows.trained,
        )
        assert 0 < tally.dropped < tally.read
        contexts, _ = windows.pairs(0, windows.trained)
        assert len(contexts) == pytest.approx(tally.predictions, rel=0.05), (
            "windows are drawn, but alike"
        )


def test_a_huge_window_costs_no_more_than_the_longest_sentence():
    ids = np.array([0, 1, 2, -1, 3, 0, -1], np.int32)
    contexts, _ = WindowReader(ids, np.full(4, EVERY), 10**9, 1000).read(0, 7, 1, 2).pairs(0, 5)
    assert len(contexts) == 8


def test_rows():
    ids = torch.tensor([5, 2, 5, 5, 9, 2, 5])
    rows, place = distinct_rows(ids, 12)
    assert rows.tolist() == [2, 5, 9]
    assert (rows[place] == ids).all()
    rows, place = shared_rows(ids, 2)
    assert rows.tolist() == [2, 5, 5, 9]
    assert (rows[place] == ids).all()
    assert place.bincount().max() == 2
    rows, sums = summed_rows(ids, torch.arange(14.0).view(7, 2), 12)
    assert rows.tolist() == [2, 5, 9]
    assert sums.tolist() == [[12, 14], [22, 26], [8, 9]]
    for none in (distinct_rows(ids[:0], 12), shared_rows(ids[:0], 2)):
        assert [len(part) for part in none] == [0, 0]
