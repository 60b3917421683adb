"""The engine around the fused kernel: starting vectors, and the random seeds of a block."""

import numpy as np
import pytest

from w2v.settings.build import build_config
from w2v.training.schedule import Block
from w2v.words.fused import HogwildEngine, Tally


def config_of(**settings):
    given = {name: str(value) for name, value in settings.items()}
    return build_config({"corpus": ("x",), "dim": "16", "threads": "2", **given})


def engine_of(words=50, **settings):
    return HogwildEngine(config_of(**settings), np.zeros(100, np.int32), np.ones(words, np.int64))


def test_starting_vectors_are_small_and_uniform():
    engine = engine_of(words=20_000, dim=20)
    engine.initialise()
    vectors = engine.vectors
    assert (vectors.shape, vectors.dtype) == ((20_000, 20), np.float32)
    assert np.abs(vectors).max() <= 0.25 / np.sqrt(20)
    # uniform in ±0.25 / sqrt(dim): mean 0, variance width² / 12
    width = 0.5 / np.sqrt(20)
    assert abs(vectors.mean()) < 5 * (width / np.sqrt(12)) / np.sqrt(vectors.size)
    assert vectors.var() == pytest.approx(width**2 / 12, rel=0.01)
    assert len(np.unique(vectors, axis=0)) == 20_000
    assert not engine.weights.noise.matrix.any()


def test_starting_vectors_depend_on_the_seed_alone():
    starts = []
    for settings in ({"seed": 1}, {"seed": 1, "threads": 1, "loss": "hsigmoid"}, {"seed": 2}):
        engine = engine_of(**settings)
        engine.initialise()
        starts.append(engine.vectors.copy())
    assert (starts[0] == starts[1]).all()
    assert (starts[0] != starts[2]).any(axis=1).all()


def random_numbers(monkeypatch, **settings):
    """Returns {(epoch, index, thread): (key, seed)} as passed to the kernel."""
    engine, found = engine_of(**settings), {}

    def record(*arguments):
        found[current] = tuple(int(number) for number in arguments if isinstance(number, np.uint64))

    monkeypatch.setattr(engine, "_kernel", record)
    for epoch in range(12):
        for index in range(40):
            for thread in range(2):
                current = (epoch, index, thread)
                engine.train(Block(epoch, index, index, index + 1, 0.0), 0.1, thread)
    return found


@pytest.mark.parametrize("seed", [0, 1, 2**32 + 1, 2**63 - 1])
def test_random_numbers_belong_to_epoch_and_block(monkeypatch, seed):
    found = random_numbers(monkeypatch, seed=seed)
    assert all(found[epoch, index, 0] == found[epoch, index, 1] for epoch, index, _ in found), (
        "whichever thread"
    )
    keys = {epoch: {found[epoch, index, 0][0] for index in range(40)} for epoch in range(12)}
    assert all(len(each) == 1 for each in keys.values()), (
        "sub-sampling has one key per epoch, for all its blocks"
    )
    assert len(set.union(*keys.values())) == 12
    assert len({numbers[1] for numbers in found.values()}) == 12 * 40


def test_random_numbers_depend_on_the_seed(monkeypatch):
    first, second = (random_numbers(monkeypatch, seed=seed) for seed in (1, 2))
    assert not {number for pair in first.values() for number in pair} & {
        number for pair in second.values() for number in pair
    }


def bounds_of(config, ids):
    return HogwildEngine(config, ids, np.ones(30, np.int64)).bounds()


@pytest.mark.parametrize(
    "settings", [{}, {"loss": "hsigmoid"}, {"dim": "300", "window": "10", "negatives": "20"}]
)
def test_blocks_are_small(settings):
    ids = np.tile(np.append(np.arange(30), -1), 60_000).astype(np.int32)
    config = config_of(**settings)
    bounds = bounds_of(config, ids)
    assert (bounds[0], bounds[-1]) == (0, len(ids))
    sizes = np.diff(bounds)
    assert sizes[:-1].min() >= 1000
    rows = config.loss.negatives + 1 if hasattr(config.loss, "negatives") else 16
    assert 6 * sizes.max() * config.model.dim * rows * (config.model.window + 1) < 4e9, (
        "0.1 s at 40 GFLOP/s"
    )


def test_a_huge_max_sentence_leaves_blocks_small():
    ids = np.tile(np.append(np.arange(30), -1), 20_000).astype(np.int32)
    bounds = bounds_of(config_of(max_sentence=10**9), ids)
    assert len(bounds) > 20


def test_small_corpora_have_blocks_enough_for_a_smooth_learning_rate():
    ids = np.tile(np.append(np.arange(30), -1), 20_000).astype(np.int32)
    assert 5 * (len(bounds_of(config_of(), ids)) - 1) >= 240  # 5 epochs


def test_tally():
    tally = Tally()
    assert np.isnan(tally.mean_loss)
    for _ in range(2):
        tally.add(Tally(loss=3.0, predictions=4, read=10, rare=1, dropped=2, trained=7))
    assert tally == Tally(loss=6.0, predictions=8, read=20, rare=2, dropped=4, trained=14)
    assert tally.mean_loss == 0.75
