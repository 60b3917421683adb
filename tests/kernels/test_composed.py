"""Words made of n-grams: the kernel makes the same updates as the float64 definition in
reference.py, and a window's update is that of autograd."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from tests.kernels import reference
from tests.kernels.engines import LR, definition_of, random_text, seeds
from w2v.settings.build import build_config
from w2v.training.schedule import Block
from w2v.words.fused import HogwildEngine
from w2v.words.inputs import make_inputs

# n-grams that many have, one twice in a word, and words that have one alone; sorted by count
WORDS = ["the", "a", "then", "banana", "there", "an", "bathe", "天气", "nanana", "übung", "b", "x"]


def engine_of(ids: np.ndarray, counts: np.ndarray, **options: object) -> HogwildEngine:
    """An engine of random weights whose words are WORDS or, behind them, numbers."""
    given = {"subwords": "2-3", "buckets": "23", "dim": "20", "threads": "1", "sample": "0"}
    given |= {name: str(value) for name, value in options.items()}
    config = build_config({"corpus": ("x",), **given})
    words = [*WORDS, *(str(number) for number in range(len(WORDS), len(counts)))][: len(counts)]
    engine = HogwildEngine(config, ids, counts, make_inputs(config, words, counts))
    random, weights = np.random.default_rng(7), engine.weights
    for table in (weights.input, weights.ngrams, weights.path, weights.noise):
        table.matrix[:] = random.normal(0, 0.3, table.matrix.shape)
    return engine


def definition(engine: HogwildEngine, counts: np.ndarray) -> reference.Model:
    """The float64 model that starts where the engine stands."""
    model, inputs = definition_of(engine, counts), engine.inputs
    assert inputs is not None
    model.parts = [inputs.rows[start:stop] for start, stop in pairwise(inputs.starts)]
    model.w_ngrams = engine.weights.ngrams.matrix.astype(float)
    return model


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"loss": "neg"}, (600, 12, 15)),
        # one line, longer than the buffer that slides over the text
        ({"loss": "neg", "window": 9, "sample": 0.05, "buckets": 997}, (1800, 300, 10**9)),
        ({"loss": "neg", "window": 1, "max_sentence": 7, "subwords": "3-6"}, (300, 40, 20)),
        ({"loss": "hsigmoid", "model": "cbow"}, (600, 12, 15)),
        ({"loss": "hsigmoid", "model": "cbow", "cbow_grad": "mean"}, (600, 40, 40)),
        ({"loss": "hsigmoid", "model": "cbow", "cbow_hidden": "sum"}, (600, 12, 15)),
    ],
)
def test_same_update_as_the_definition(
    options: dict[str, object], text: tuple[int, int, int]
) -> None:
    ids, counts = random_text(*text)
    engine = engine_of(ids, counts, **options)
    model, before = definition(engine, counts), engine.vectors
    tally = engine.train(Block(0, 0, 0, len(ids), 0.0), LR, 0)
    settings = engine.config.model.window, engine.config.corpus.max_sentence, LR
    loss, predictions, trained = reference.train(
        model, ids, engine._keep, *settings, *seeds(engine)
    )
    assert (tally.predictions, tally.trained) == (predictions, trained)
    np.testing.assert_allclose(tally.loss, loss, rtol=2e-6)
    weights = engine.weights
    tables = weights.input, weights.ngrams, weights.path, weights.noise
    expected = model.w_in, model.w_ngrams, model.w_path, model.w_noise
    for table, matrix in zip(tables, expected, strict=True):
        np.testing.assert_allclose(table.matrix, matrix, rtol=5e-5, atol=5e-6)
        assert not table.floats[:, engine.config.model.dim :].any(), "padded columns must stay 0"
    vectors = [model.composed(word) for word in range(len(counts))]
    np.testing.assert_allclose(engine.vectors, vectors, rtol=5e-5, atol=5e-6)
    assert not np.allclose(before, vectors)


def test_every_row_of_a_word_moves_by_the_gradient_of_their_mean() -> None:
    """One window: with word w's n rows of mean m, loss L(m) and autograd's gradient of each row
    (dL/dm) / n times how often the word has it, each moves by -lr · n of that."""
    ids, counts = np.array([3, 8, -1], np.int32), np.array([50, 9, 7, 6, 5, 4, 3, 2, 2])
    engine = engine_of(ids, counts, loss="hsigmoid", model="cbow", window=1)
    model = definition(engine, counts)
    assert model.parts is not None and model.w_ngrams is not None and model.paths is not None
    own, ngrams, nodes = (
        torch.from_numpy(matrix).clone().requires_grad_()
        for matrix in (model.w_in, model.w_ngrams, model.w_path)
    )
    losses = []
    for word, target in ((8, 3), (3, 8)):
        rows = torch.cat([own[word : word + 1], ngrams[model.parts[word].astype(np.int64)]])
        path, labels = model.paths[target]
        scores = nodes[path.astype(np.int64)] @ rows.mean(0)
        signs = torch.from_numpy(np.where(labels > 0, 1.0, -1.0))
        losses.append(-torch.nn.functional.logsigmoid(signs * scores).sum())
    # the first window moves the nodes, but no row that the second one reads: it waits in the ring
    tally = engine.train(Block(0, 0, 0, len(ids), 0.0), 1e-3, 0)
    assert tally.loss == pytest.approx(sum(losses).item(), rel=1e-2)
    size = {word: 1 + len(model.parts[word]) for word in (3, 8)}
    for word, loss in zip((8, 3), losses, strict=True):
        (gradient,) = torch.autograd.grad(loss, own, retain_graph=True)
        moved = engine.weights.input.matrix[word] - model.w_in[word]
        expected = -1e-3 * size[word] * gradient[word].numpy()
        np.testing.assert_allclose(moved, expected, rtol=2e-2, atol=3e-7)
    grads = [torch.autograd.grad(loss, ngrams, retain_graph=True)[0] for loss in losses]
    expected = -1e-3 * (size[8] * grads[0] + size[3] * grads[1]).numpy()
    moved = engine.weights.ngrams.matrix - model.w_ngrams
    np.testing.assert_allclose(moved, expected, rtol=2e-2, atol=3e-6)


def test_measuring_writes_nothing() -> None:
    ids, counts = random_text(600, 12, 15)
    engine = engine_of(ids, counts, loss="neg")
    before = {name: array.copy() for name, array in engine.state().items()}
    found = [engine.measure(ids, Block(0, 0, 0, len(ids), 0.0), 0) for _ in range(2)]
    assert found[0] == found[1] and found[0].predictions > 0
    for name, array in engine.state().items():
        np.testing.assert_array_equal(array, before[name], err_msg=name)


def test_blocks_see_across_their_cuts_when_lines_are_never_split() -> None:
    ids, counts = random_text(2000, vocabulary=30, line=10**9)
    engine = engine_of(ids, counts, window=1, max_sentence=0, sample=0.02)
    whole = engine.train(Block(0, 0, 0, len(ids), 0.0), LR, 0)
    cuts = [0, 1, 13, 700, 701, 1999, len(ids)]
    parts = [
        engine.train(Block(0, index, *span, 0.0), LR, 0)
        for index, span in enumerate(pairwise(cuts))
    ]
    assert sum(part.predictions for part in parts) == whole.predictions == 2 * (whole.trained - 1)
