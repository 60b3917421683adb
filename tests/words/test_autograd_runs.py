"""Whole runs of the autograd engine: they learn, are repeatable, account for all words, refuse what
they cannot do, and stop softly."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from w2v.errors import InputError, RunError
from w2v.losses.table import LOSSES
from w2v.training.optimizers import OPTIMIZERS
from w2v.training.report import SilentReporter


def halves(count=900):
    """Returns lines that hold words either of the one half of the vocabulary or of the other."""
    generator = np.random.default_rng(2)
    return [
        [f"{'uv'[side]}{i}" for i in generator.integers(0, 12, 8)]
        for side in generator.integers(0, 2, count)
    ]


@pytest.mark.parametrize(
    ("loss", "model"),
    [*((loss, "skip-gram") for loss in LOSSES), ("softmax", "cbow"), ("hsigmoid+neg", "cbow")],
)
def test_every_loss_learns(train, loss, model):
    more = {"cutoffs": "8"} if loss == "adaptive-softmax" else {}
    trained = train(
        halves(), loss=loss, model=model, epochs=3, engine="autograd", device="cpu", **more
    )
    assert (trained.summary.engine, trained.summary.model) == ("autograd", model)
    assert trained.summary.final_loss is not None
    rows = trained.matrix / np.linalg.norm(trained.matrix, axis=1, keepdims=True)
    side = np.array([word[0] == "u" for word in trained.vectors.words])
    cosines = rows @ rows.T
    assert cosines[side][:, side].mean() > cosines[side][:, ~side].mean() + 0.3


@pytest.mark.parametrize("optimizer", [name for name in OPTIMIZERS if name != "adamw"])
@pytest.mark.parametrize("loss", ["hsigmoid", "neg"])
def test_one_thread_and_a_seed_repeat_bit_for_bit(train, zipf_lines, loss, optimizer):
    settings = {
        "loss": loss,
        "optimizer": optimizer,
        "sample": 0.01,
        "engine": "autograd",
        "device": "cpu",
    }
    first, second = (train(zipf_lines, seed=7, epochs=1, **settings) for _ in range(2))
    assert first.matrix.tobytes() == second.matrix.tobytes()
    assert first.summary.final_loss == second.summary.final_loss
    assert (
        np.abs(train(zipf_lines, seed=8, epochs=1, **settings).matrix - first.matrix).max() > 1e-3
    )


def test_the_words_reconcile(train, zipf_lines):
    by_engine = [
        train(zipf_lines, sample=0.005, min_count=100, engine=engine, max_sentence=7).summary.words
        for engine in ("hogwild", "autograd")
    ]
    assert by_engine[0] == by_engine[1]
    assert by_engine[0].subsampled > 0 < by_engine[0].passed_left_out


def test_divergence_is_an_error_and_writes_nothing(train, folder, zipf_lines):
    with pytest.raises(RunError, match=r"the loss became .* try a smaller `lr`"):
        train(zipf_lines, loss="neg", engine="autograd", optimizer="sgd", lr=1e30)
    assert [path.name for path in folder.iterdir()] == ["corpus.txt"]


def test_a_loss_that_cannot_be_used_with_the_vocabulary(train, folder, zipf_lines):
    with pytest.raises(InputError, match=r"`loss` sampled-softmax with 60 words: .*61.*60"):
        train(zipf_lines, loss="sampled-softmax", negatives=61, engine="autograd", device="cpu")
    assert [path.name for path in folder.iterdir()] == ["corpus.txt"]


class Listener(SilentReporter):
    def __init__(self):
        self.said: list[str] = []

    def stage(self, text):
        self.said.append(text)

    def warn(self, text):
        self.said.append(f"warning: {text}")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {},
            (
                "training 60 words x 16, skip-gram, loss neg, 1 threads; engine hogwild: `loss`"
                " neg has a fused kernel"
            ),
        ),
        (
            {"loss": "neg", "engine": "autograd"},
            "1 threads; engine autograd with adagrad: given by `engine`",
        ),
        (
            {"model": "cbow", "optimizer": "adagrad"},
            "cbow, loss neg, 1 threads; engine autograd with adagrad: `opti",
        ),
        ({"loss": "softmax"}, "engine autograd with adagrad: `loss` softmax needs it"),
    ],
)
def test_the_run_says_which_engine_and_why(train, zipf_lines, settings, said):
    listener = Listener()
    device = {} if settings == {} else {"device": "cpu"}
    train(zipf_lines, epochs=1, reporter=listener, **settings, **device)
    assert said in listener.said[0]


def test_stopped_before_training_keeps_the_starting_vectors(train, zipf_lines):
    stop = threading.Event()
    stop.set()
    engines = ("hogwild", "autograd")
    here, there = (
        train(zipf_lines, stop=stop, engine=engine, device="cpu").matrix for engine in engines
    )
    assert (here == there).all()
