"""The loss that a run reports, where it can be foretold: at a vanishing learning rate output rows
stay 0.

Then every score is 0 (or its offset), and what is left is which windows and rows were scored.
"""

import math
from collections import Counter, defaultdict

import numpy as np
import pytest

from w2v.tree import huffman

TINY = 1e-12  # learning rate
LN2 = math.log(2)
FEW = [
    ["p", "a", "b"],
    ["a"],
    [],
    ["q", "a", "c", "b", "a"],
    ["r", "b"],
    ["a", "b", "c", "d", "s"],
] * 9


def pieces(lines, words, max_sentence):
    """Returns the sentences that limit windows: lines cut after max_sentence words, without the
    words that are not in `words`."""
    for line in lines:
        size = max_sentence or max(1, len(line))
        for start in range(0, len(line), size):
            yield [word for word in line[start : start + size] if word in words]


def contexts(sentence_length, place, window):
    """Returns the expected number of context words; the window's reach is 1 … window with equal
    probability."""
    sides = place, sentence_length - 1 - place
    return sum(min(reach, side) for reach in range(1, window + 1) for side in sides) / window


def prediction_shares(lines, vocabulary, window, max_sentence):
    """Returns {word: expected share of the predictions that have it as their target}; exact for
    window 1."""
    shares: defaultdict[str, float] = defaultdict(float)
    for sentence in pieces(lines, set(vocabulary), max_sentence):
        for place, word in enumerate(sentence):
            shares[word] += contexts(len(sentence), place, window)
    total = sum(shares.values())
    return {word: share / total for word, share in shares.items()}


def ranked(lines, min_count=1):
    """Returns words and counts, most frequent first, ties sorted by their bytes."""
    counts = Counter(word for line in lines for word in line)
    words = sorted(
        (word for word in counts if counts[word] >= min_count),
        key=lambda word: (-counts[word], word),
    )
    return words, np.array([counts[word] for word in words])


def long_line(length):
    """Returns one line in which word i stands at positions that no block size divides evenly."""
    return [[f"w{int((i * 0.6180339887) % 1 * 12) ** 2 // 12}" for i in range(length)]]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("max_sentence", [0, 2, 3, 1000])
@pytest.mark.parametrize("min_count", [1, 10])
def test_hsigmoid_costs_ln_2_per_node(train, threads, max_sentence, min_count):
    words, counts = ranked(FEW, min_count)
    lengths = dict(zip(words, huffman(counts).lengths.tolist(), strict=True))
    shares = prediction_shares(FEW, words, 1, max_sentence)
    expected = LN2 * sum(shares[word] * lengths[word] for word in shares)
    trained = train(
        FEW,
        loss="hsigmoid",
        lr=TINY,
        window=1,
        threads=threads,
        max_sentence=max_sentence,
        min_count=min_count,
    )
    assert trained.summary.final_loss == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("threads", [1, 2])
def test_windows_look_across_blocks_when_lines_are_never_split(train, threads):
    # blocks of 1000 words; beside their ends stand rare words, with long paths, which would lose a
    # context word
    line = [["x", "y"][i % 2] if (i + 1) % 1000 > 1 else f"z{i}" for i in range(4000)]
    words, counts = ranked([line])
    lengths = dict(zip(words, huffman(counts).lengths.tolist(), strict=True))
    expected = {}
    for max_sentence in (0, 1000):
        shares = prediction_shares([line], words, 1, max_sentence)
        expected[max_sentence] = LN2 * sum(shares[word] * lengths[word] for word in shares)
        trained = train(
            [line], loss="hsigmoid", lr=TINY, window=1, max_sentence=max_sentence, threads=threads
        )
        assert trained.summary.final_loss == pytest.approx(expected[max_sentence], rel=1e-5)
    assert expected[0] != pytest.approx(expected[1000], rel=1e-4), "the cuts would not show"


def test_hsigmoid_with_wide_windows(train):
    lines = [line[i : i + 9] for line in long_line(9000) for i in range(0, 9000, 9)]
    words, counts = ranked(lines)
    lengths = dict(zip(words, huffman(counts).lengths.tolist(), strict=True))
    shares = prediction_shares(lines, words, 4, 1000)
    expected = LN2 * sum(shares[word] * lengths[word] for word in shares)
    assert train(lines, loss="hsigmoid", lr=TINY, window=4).summary.final_loss == pytest.approx(
        expected, rel=0.01
    )


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("power", [0, 0.75, -1])
def test_neg_costs_ln_2_per_row_that_is_no_hit(train, threads, power):
    lines = [line[i : i + 7] for line in long_line(21_000) for i in range(0, 21_000, 7)]
    words, counts = ranked(lines)
    noise = (
        counts**power / (counts**power).sum() if power >= 0 else (1 / counts) / (1 / counts).sum()
    )
    shares = prediction_shares(lines, words, 3, 1000)
    hits = sum(shares[word] * q for word, q in zip(words, noise, strict=True))
    assert hits > 0.02, "too few hits to see a difference"
    trained = train(lines, lr=TINY, noise_power=power, threads=threads, max_sentence=1000)
    assert trained.summary.final_loss == pytest.approx((1 + 5 * (1 - hits)) * LN2, rel=0.003)


@pytest.mark.parametrize(
    ("given", "log_z"), [("auto", None), ("0", 0.0), ("2.5", 2.5), ("learned", None)]
)
def test_nce_starts_from_its_offsets(train, given, log_z):
    lines = [line[i : i + 7] for line in long_line(21_000) for i in range(0, 21_000, 7)]
    words, counts = ranked(lines)
    noise = counts**0.75 / (counts**0.75).sum()
    scores = -(math.log(len(words)) if log_z is None else log_z) - np.log(5 * noise)
    shares = prediction_shares(lines, words, 3, 1000)
    target = sum(
        shares[word] * math.log1p(math.exp(-z)) for word, z in zip(words, scores, strict=True)
    )
    expected = target + 5 * (noise * np.log1p(np.exp(scores))).sum()
    trained = train(lines, loss="nce", lr=TINY, nce_log_z=given)
    assert trained.summary.final_loss == pytest.approx(expected, rel=0.003)


def learnable(count=1500):
    """Returns lines that hold words either of the one half of the vocabulary or of the other."""
    generator = np.random.default_rng(2)
    return [
        [f"{'uv'[side]}{i}" for i in generator.integers(0, 12, 8)]
        for side in generator.integers(0, 2, count)
    ]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("loss", ["neg", "nce", "hsigmoid"])
def test_loss_falls_and_words_that_share_contexts_become_alike(train, loss, threads):
    first = train(learnable(), loss=loss, epochs=1, lr=0.05, threads=threads)
    last = train(learnable(), loss=loss, epochs=12, lr=0.05, threads=threads)
    assert last.summary.final_loss < 0.97 * first.summary.final_loss
    vectors = last.vectors
    rows = last.matrix / np.linalg.norm(last.matrix, axis=1, keepdims=True)
    side = np.array([word[0] == "u" for word in vectors.words])
    cosines = rows @ rows.T
    assert cosines[side][:, side].mean() > cosines[side][:, ~side].mean() + 0.3
