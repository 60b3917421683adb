"""How often a batch of the autograd engine waits for a GPU, counted without one; and that the code
paths for a GPU compute the same numbers."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from tests.waits import waits
from tests.words.test_autograd import engine_of, stream
from w2v.losses.options import SampledOptions
from w2v.losses.table import LOSSES
from w2v.system import gpu
from w2v.training.schedule import Block
from w2v.words.autograd import AutogradEngine

IDS = stream(40, 900)
# of a layer itself, with targets that share hidden rows
MORE = {name: 1 for name in ("am-softmax", "l-softmax", "sm-softmax")}
MORE |= {"adaptive-softmax": 2, "sampled-softmax": 4}


def made(loss: str, model: str) -> AutogradEngine:
    more = {"negatives": 4} if issubclass(LOSSES[loss].options, SampledOptions) else {}
    more |= {"cutoffs": 10} if loss == "adaptive-softmax" else {}
    return engine_of(IDS, 40, loss=loss, model=model, min_count=1, **more)


@pytest.mark.parametrize("model", ["skip-gram", "cbow"])
@pytest.mark.parametrize("loss", LOSSES)
def test_a_batch_waits_at_most_four_times(loss, model):
    found: Counter[str]
    with waits() as found:
        engine = made(loss, model)
        windows = engine._reader.read(0, len(IDS), 1, 2)
        engine._step(windows, 0, 100, 0.02)
        found.clear()
        engine._step(windows, 100, 300, 0.02)
    few = LOSSES[loss].draws_noise or LOSSES[loss].sparse
    assert found.total() <= (4 if few else 3) + MORE.get(loss, 0)


@pytest.mark.parametrize("model", ["skip-gram", "cbow"])
@pytest.mark.parametrize("loss", LOSSES)
def test_the_ways_of_a_gpu_lead_to_the_same_numbers(loss, model, monkeypatch):
    found = []
    for host in ("cpu", "no device"):
        monkeypatch.setattr(gpu, "HOST", host)
        engine = made(loss, model)
        tally = engine.train(Block(0, 0, 0, len(IDS), 0.0), 0.05)
        found.append((tally.mean_loss, engine.state()))
    (ours, here), (theirs, there) = found
    assert theirs == pytest.approx(ours, rel=1e-6)
    for name, array in here.items():
        np.testing.assert_allclose(there[name], array, rtol=1e-4, atol=1e-6, err_msg=name)
