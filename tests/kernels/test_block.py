"""The kernel makes the same updates as the float64 definition in reference.py, to float32 rounding,
whatever the loss, the shape and the text."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.kernels import reference
from tests.kernels.engines import (
    LR,
    assert_same_update,
    definition_of,
    make_engine,
    matrices,
    random_text,
    seeds,
)
from w2v.settings.build import build_config
from w2v.training.schedule import Block
from w2v.words.fused import HogwildEngine

# The usual numbers of noise words with short rows, as other tests have them: every kernel that is
# compiled takes seconds.
SHORT, LONG = 12, 20
LOSSES = [
    {"loss": "neg"},
    {"loss": "neg", "negatives": 1},
    {"loss": "neg", "negatives": 2},
    {"loss": "neg", "negatives": 4},
    {"loss": "neg", "negatives": 7, "noise_power": 0.5},
    {"loss": "neg", "negatives": 11},
    {"loss": "neg", "negatives": 20},
    {"loss": "nce"},
    {"loss": "nce", "nce_log_z": 0, "negatives": 9},
    {"loss": "nce", "nce_log_z": "learned"},
    {"loss": "nce", "nce_bias": "true"},
    {"loss": "nce", "nce_bias": "true", "nce_log_z": "learned", "negatives": 12},
    {"loss": "hsigmoid"},
    {"loss": "sampled-softmax"},
    {"loss": "sampled-softmax", "negatives": 1, "softmax_bias": "true"},
    {"loss": "sampled-softmax", "negatives": 10},
    {"loss": "sampled-softmax", "negatives": 20, "remove_hits": "false"},
    {"loss": "hsigmoid+neg"},
    {"loss": "hsigmoid+neg", "negatives": 1},
    {"loss": "hsigmoid+neg", "negatives": 20},
]
CBOW = [
    {"loss": "neg"},
    {"loss": "neg", "negatives": 1, "cbow_grad": "mean"},
    {"loss": "neg", "negatives": 20, "cbow_hidden": "sum"},
    {
        "loss": "nce",
        "nce_bias": "true",
        "nce_log_z": "learned",
        "negatives": 12,
        "cbow_grad": "mean",
    },
    {"loss": "sampled-softmax"},
    {"loss": "sampled-softmax", "negatives": 20, "cbow_grad": "mean"},
    {"loss": "hsigmoid"},
    {"loss": "hsigmoid", "cbow_grad": "mean"},
    {"loss": "hsigmoid", "cbow_grad": "mean", "cbow_hidden": "sum"},
    {"loss": "hsigmoid+neg", "cbow_grad": "mean"},
    {"loss": "hsigmoid+neg", "negatives": 20},
]


def row_length(options: dict[str, object]) -> int:
    return LONG if "negatives" in options else SHORT


@pytest.mark.parametrize(
    "options", LOSSES, ids=lambda options: "-".join(map(str, options.values()))
)
def test_same_update_as_the_definition(options: dict[str, object]) -> None:
    # 12 words: windows with repeated contexts, repeated noise words and noise words that hit the
    # target are common
    ids, counts = random_text(600, vocabulary=12, line=15)
    assert_same_update(ids, counts, dim=row_length(options), sample=0.05, **options)


@pytest.mark.parametrize("options", CBOW, ids=lambda options: "-".join(map(str, options.values())))
def test_cbow_makes_the_same_update_as_the_definition(options: dict[str, object]) -> None:
    ids, counts = random_text(600, vocabulary=12, line=15)
    dim = row_length(options)
    assert_same_update(ids, counts, dim=dim, sample=0.05, model="cbow", **options)


@pytest.mark.parametrize(
    ("loss", "dim"),
    [(loss, dim) for loss in ("neg", "hsigmoid") for dim in (1, 16, 17, 100)] + [("nce", 17)],
)
def test_any_dimension(loss: str, dim: int) -> None:
    ids, counts = random_text(300, vocabulary=40, line=20)
    assert_same_update(ids, counts, dim=dim, loss=loss, sample=0)


@pytest.mark.parametrize("window", [2, 3, 8, 40])
@pytest.mark.parametrize("max_sentence", [0, 1, 7, 1000])
def test_any_window_and_sentence_length(window: int, max_sentence: int) -> None:
    loss = "hsigmoid" if (window > 5) == (max_sentence > 5) else "neg"  # each with every value
    # one line of 1800 words: longer than the buffer that slides over the text
    ids = np.random.default_rng(5).integers(0, 300, 1800).astype(np.int32)
    counts = np.sort(np.bincount(ids, minlength=300) + 1)[::-1]
    assert_same_update(
        ids, counts, 0.01, dim=SHORT, window=window, max_sentence=max_sentence, loss=loss, sample=0
    )


@pytest.mark.parametrize("loss", ["neg", "nce", "hsigmoid"])
@pytest.mark.parametrize("vocabulary", [2, 3, 5])
def test_tiny_vocabularies(loss: str, vocabulary: int) -> None:
    ids, counts = random_text(200, vocabulary=vocabulary, line=8)
    assert_same_update(ids, counts, dim=SHORT, loss=loss, sample=0)


@settings(max_examples=40, deadline=None)
@given(
    text=st.lists(st.integers(-1, 7), max_size=120),
    window=st.integers(2, 6),
    max_sentence=st.integers(0, 9),
    loss=st.sampled_from(["neg", "nce", "hsigmoid"]),
)
def test_any_text(text: list[int], window: int, max_sentence: int, loss: str) -> None:
    counts = np.array([9, 7, 5, 5, 2, 1])
    assert_same_update(
        np.array(text, np.int32),
        counts,
        dim=SHORT,
        window=window,
        max_sentence=max_sentence,
        loss=loss,
        sample=0.1,
    )


def test_blocks_see_across_their_cuts_when_lines_are_never_split() -> None:
    """With --max-sentence 0 every pair within reach is trained, wherever the stream is cut: with a
    window of 1 the number of pairs is exact."""
    ids, counts = random_text(2000, vocabulary=30, line=10**9)
    engine = make_engine(ids, counts, dim=SHORT, window=1, max_sentence=0, sample=0.02)
    whole = engine.train(Block(0, 0, 0, len(ids), 0.0), LR, 0)
    cuts = [0, 1, 13, 700, 701, 1999, len(ids)]
    parts = [
        engine.train(Block(0, index, *span, 0.0), LR, 0)
        for index, span in enumerate(pairwise(cuts))
    ]
    assert sum(part.predictions for part in parts) == whole.predictions == 2 * (whole.trained - 1)
    for name in ("read", "rare", "dropped", "trained"):
        assert sum(getattr(part, name) for part in parts) == getattr(whole, name)


def test_subsampling_does_not_depend_on_the_blocks() -> None:
    ids, counts = random_text(3000, vocabulary=30, line=25)
    engine = make_engine(ids, counts, dim=SHORT, sample=0.01)
    whole = engine.train(Block(0, 0, 0, len(ids), 0.0), LR, 0)
    halves = [
        engine.train(Block(0, 0, *span, 0.0), LR, 0) for span in ((0, 1234), (1234, len(ids)))
    ]
    assert sum(half.dropped for half in halves) == whole.dropped > 0


@pytest.mark.parametrize("negatives", [5, 20])
def test_sampled_softmax_of_large_scores(negatives: int) -> None:
    """Scores whose exponentials float32 does not hold, for hidden rows of 5 times the usual length
    (and beyond 50 nats above the target, where residuals no longer grow, the loss does: that of
    each noise word is added)."""
    ids, counts = random_text(300, vocabulary=12, line=15)
    for scale in (5, 100):
        engine = make_engine(
            ids,
            counts,
            dim=SHORT if negatives == 5 else LONG,
            sample=0,
            loss="sampled-softmax",
            negatives=negatives,
        )
        engine.vectors[:] *= scale
        engine.weights.noise.matrix[:] *= scale
        engine.weights.noise.matrix[:, 0] += 300 / scale
        engine.vectors[:, 0] = 1
        model = definition_of(engine, counts)
        tally = engine.train(Block(0, 0, 0, len(ids), 0.0), 1e-5, 0)
        loss, predictions, _ = reference.train(
            model, ids, engine._keep, 5, 1000, 1e-5, *seeds(engine)
        )
        assert loss / predictions > 3
        if scale == 100:
            assert 0.99 * loss < tally.loss < 1.01 * negatives * loss
            continue
        np.testing.assert_allclose(tally.loss, loss, rtol=1e-5)
        for found, expected in zip(
            matrices(engine), (model.w_in, model.w_path, model.w_noise), strict=True
        ):
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_thread_own_rows_come_back_as_damped_changes() -> None:
    """One of two threads trains: a shared row moves by (1 + x) / (1 + 2 x) of what the thread made
    of its own, x = 0.4 · lr · uses; rows that are not thread-own move by all of it."""
    vocabulary, lr = 40, 0.01
    ids = np.random.default_rng(1).integers(0, vocabulary, 800).astype(np.int32)
    ids[::9] = -1
    counts = np.full(vocabulary, 20)
    options = {
        "dim": str(SHORT),
        "window": "1",
        "sample": "0",
        "loss": "nce",
        "nce_bias": "true",
        "nce_log_z": "learned",
    }
    config = build_config({"corpus": ("x",), "threads": "2", **options})
    alone, one_of_two = (HogwildEngine(config, ids, counts, threads=threads) for threads in (1, 2))
    random = np.random.default_rng(3)
    start = {
        name: random.normal(0, 0.3, array.shape).astype(np.float32)
        for name, array in alone.state().items()
    }
    for engine in (alone, one_of_two):
        engine.load_state(start)
        engine.train(Block(0, 0, 0, len(ids), 0.0), lr, 1 if engine is one_of_two else 0)
    hot = one_of_two.weights.input.hot
    assert 0 < hot < vocabulary
    # with a window of 1 every word is context of its neighbours
    left = ids[:-1][(ids[:-1] >= 0) & (ids[1:] >= 0)]
    right = ids[1:][(ids[:-1] >= 0) & (ids[1:] >= 0)]
    uses = np.bincount(np.concatenate([left, right]), minlength=vocabulary)
    x = 0.4 * lr * uses
    damped = np.where(np.arange(vocabulary) < hot, (1 + x) / (1 + 2 * x), 1)
    before, lonely, pair = start["input"], alone.state()["input"], one_of_two.state()["input"]
    np.testing.assert_allclose(
        pair - before, damped[:, None] * (lonely - before), rtol=1e-3, atol=2e-6
    )
    for name in ("output.weight", "output.bias"):
        whole, part = (engine.state()[name] - start[name] for engine in (alone, one_of_two))
        share = part.reshape(vocabulary, -1).sum(1) / whole.reshape(vocabulary, -1).sum(1)
        assert (share[:hot] < 0.95).all() and (share[:hot] > 0.5).all()
        np.testing.assert_allclose(part[hot:], whole[hot:], rtol=1e-3, atol=2e-6)
    moved = [
        float(engine.state()["output.log_z"] - start["output.log_z"])
        for engine in (alone, one_of_two)
    ]
    assert moved[1] == pytest.approx(moved[0] / 2, rel=1e-4)


def test_nan_reaches_the_tally() -> None:
    """A diverged model is noticed: neither padding nor clamping may hide NaN or infinity."""
    ids, counts = random_text(300, vocabulary=12, line=15)
    for value in (np.nan, np.inf):
        for loss in ("neg", "hsigmoid", "sampled-softmax"):
            engine = make_engine(ids, counts, dim=SHORT, loss=loss, sample=0)
            engine.vectors[0, 3] = value
            assert not math.isfinite(engine.train(Block(0, 0, 0, len(ids), 0.0), LR, 0).loss)
