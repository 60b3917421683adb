"""Engines over made-up texts, and whether a block of theirs is the definition's step."""

from __future__ import annotations

import copy
import math

import numpy as np

from tests.kernels import reference
from w2v.sampling.unigram import alias_table, unigram_probabilities
from w2v.settings.build import build_config
from w2v.settings.config import Config
from w2v.training.schedule import Block
from w2v.tree import huffman
from w2v.words.fused import HogwildEngine

LR = 0.05


def make_engine(ids: np.ndarray, counts: np.ndarray, **options: object) -> HogwildEngine:
    """An engine with random weights on both sides (output rows of 0 would hide half of the
    arithmetic)."""
    given = {name: str(value) for name, value in options.items()}
    config = build_config({"corpus": ("x",), "threads": "1", **given})
    engine = HogwildEngine(config, ids, counts)
    random = np.random.default_rng(7)
    for table in matrices(engine):
        table[:] = random.normal(0, 0.3, table.shape)
    return engine


def matrices(engine: HogwildEngine) -> list[np.ndarray]:
    """Input rows, output rows of inner nodes, output rows of words."""
    weights = engine.weights
    return [table.matrix for table in (weights.input, weights.path, weights.noise)]


def definition_of(engine: HogwildEngine, counts: np.ndarray) -> reference.Model:
    """The float64 model that starts where the engine stands."""
    return definition(engine.config, matrices(engine), counts)


def definition(config: Config, tables: list[np.ndarray], counts: np.ndarray) -> reference.Model:
    """The float64 model that starts from input rows, output rows of inner nodes and of words."""
    model = reference.Model(*(table.astype(float) for table in tables), np.zeros(len(counts)))
    model.cbow = config.model.model == "cbow"
    model.mean, model.share = config.model.cbow_hidden == "mean", config.model.cbow_grad == "mean"
    loss, options = config.training.loss, config.loss
    if loss.startswith("hsigmoid"):
        tree = huffman(counts)
        model.paths = [(tree.path(word)[0], 1 - tree.path(word)[1]) for word in range(len(counts))]
    if loss == "hsigmoid":
        return model
    noise = unigram_probabilities(counts, options.noise_power)
    model.negatives = options.negatives
    model.skip_hits = loss in ("neg", "hsigmoid+neg") or (
        loss == "sampled-softmax" and options.remove_hits
    )
    model.accept, model.alias = alias_table(noise)
    if loss == "sampled-softmax":
        model.cross_entropy, model.offsets = True, -np.log(options.negatives * noise)
    if loss == "nce":
        log_z = {"auto": math.log(len(counts)), "learned": 0.0}.get(options.nce_log_z)
        model.offsets = -(float(options.nce_log_z) if log_z is None else log_z) - np.log(
            options.negatives * noise
        )
        model.train_shared_bias = options.nce_log_z == "learned"
    model.train_bias = options.has_bias
    return model


def seeds(engine: HogwildEngine, epoch: int = 0, index: int = 0) -> tuple[int, int]:
    """(key of sub-sampling, seed of everything else) of a block."""
    run = engine.config.training.seed
    key, seed = (
        np.random.SeedSequence([run, *parts]).generate_state(1, np.uint64)[0]
        for parts in ((0, epoch), (1, epoch, index))
    )
    return int(key), int(seed)


def assert_same_update(
    ids: np.ndarray, counts: np.ndarray, lr: float = LR, **options: object
) -> None:
    """Trains one block both ways and compares matrices, biases, loss and counts."""
    engine = make_engine(ids, counts, **options)
    model = definition_of(engine, counts)
    before = copy.deepcopy(model)
    tally = engine.train(Block(0, 0, 0, len(ids), 0.0), lr, 0)
    key, seed = seeds(engine)
    config = engine.config
    loss, predictions, trained = reference.train(
        model, ids, engine._keep, config.model.window, config.corpus.max_sentence, lr, key, seed
    )
    assert (tally.predictions, tally.trained) == (predictions, trained)
    assert tally.read == int((ids >= 0).sum())
    assert tally.rare == int((ids >= len(counts)).sum())
    assert tally.dropped == tally.read - tally.rare - tally.trained
    np.testing.assert_allclose(tally.loss, loss, rtol=2e-6, atol=1e-6)
    for found, expected in zip(
        matrices(engine), (model.w_in, model.w_path, model.w_noise), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-6)
    weights = engine.weights
    if model.train_bias:
        np.testing.assert_allclose(
            weights.bias.matrix[: len(counts), 0], model.bias, rtol=2e-5, atol=2e-6
        )
    np.testing.assert_allclose(weights.log_z.matrix[0, 0], model.shared_bias, rtol=2e-5, atol=2e-6)
    for table in (weights.input, weights.path, weights.noise):
        padding = table.floats[:, config.model.dim :]
        assert not padding.any(), "padded columns must stay 0"
    if predictions:
        assert not np.allclose(before.w_in, model.w_in)


def random_text(
    words: int, vocabulary: int, line: int, seed: int = 3
) -> tuple[np.ndarray, np.ndarray]:
    """(ids, counts): Zipf-like ids, some beyond the vocabulary, lines of random length."""
    random = np.random.default_rng(seed)
    ids = np.minimum(random.zipf(1.4, words) - 1, vocabulary + 1).astype(np.int32)
    ids[random.random(words) < 1 / line] = -1
    counts = np.sort(np.bincount(ids[(ids >= 0) & (ids < vocabulary)], minlength=vocabulary) + 1)[
        ::-1
    ]
    return ids, counts
