"""Language models on a GPU: how often a step waits for the GPU, and that the numbers equal those of
a CPU."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

from tests.lm.test_engine import V, config_of
from tests.lm.test_waits import KINDS
from w2v.lm.columns import Source
from w2v.lm.engine import LanguageModelEngine
from w2v.losses.math import exponentials
from w2v.losses.math.cross_entropy import linear_cross_entropy
from w2v.losses.math.products import bfloat16_products
from w2v.losses.table import LOSSES
from w2v.training.schedule import Block

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU"),
]


def engine_of(device: str, **given: str) -> LanguageModelEngine:
    steps = np.random.default_rng(1).choice([1, 3, 7], 990, p=[0.6, 0.3, 0.1])
    ids = (steps.cumsum() % V).astype(np.int32)
    config = config_of(device=device, **given)
    made = LanguageModelEngine(config, Source(ids, None, 0), np.arange(2 * V, V, -1))
    made.warm_up()
    return made


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("loss", LOSSES)
def test_a_step_waits_once_and_adaptive_softmax_twice(loss, kind):
    engine = engine_of("cuda", loss=loss, **KINDS[kind])
    engine.train(Block(0, 0, 0, 320, 0.0), 0.1)  # libraries have been loaded then
    torch.cuda.synchronize()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            engine._step(20, 30, 0.1)
        finally:
            torch.cuda.set_sync_debug_mode("default")
    waited = [each for each in told if "synchronizing" in str(each.message)]
    assert len(waited) <= (2 if loss == "adaptive-softmax" else 1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("loss", LOSSES)
def test_it_learns_what_a_cpu_learns(loss, kind):
    given = {"loss": loss, **KINDS[kind], "dropout": "0"}
    losses, states = [], []
    for device in ("cpu", "cuda"):
        engine = engine_of(device, **given)
        losses.append(engine.train(Block(0, 0, 0, 640, 0.0), 0.01).mean_loss)
        states.append(engine.state())
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)
    for name, array in states[0].items():
        np.testing.assert_allclose(states[1][name], array, rtol=1e-2, atol=2e-4, err_msg=name)


@pytest.mark.parametrize("given", [{"precision": "bf16"}, {"compile": "true"}], ids=str)
@pytest.mark.parametrize("kind", ["lstm, adagrad", "transformer, adamw"])
def test_bf16_and_compiled_bodies_stay_close(kind, given):
    block, plain = Block(0, 0, 0, 640, 0.0), {**KINDS[kind], "dropout": "0"}
    expected = engine_of("cuda", **plain).train(block, 0.01).mean_loss
    found = engine_of("cuda", **plain, **given).train(block, 0.01).mean_loss
    assert found == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("reduced", [False, True])
@pytest.mark.parametrize("classes", [1003, 50_000])
def test_the_fused_pass_is_what_the_operators_are(classes, reduced, monkeypatch):
    torch.manual_seed(1)
    hidden = torch.randn(300, 64, device="cuda", requires_grad=True)
    weight = torch.randn(classes, 64, device="cuda", requires_grad=True)
    target = torch.randint(classes, (300,), device="cuda")
    found = []
    for fuses in (lambda z: False, exponentials.fuses):
        monkeypatch.setattr(exponentials, "fuses", fuses)
        if reduced:
            with bfloat16_products():
                losses = linear_cross_entropy(hidden, weight, target)
        else:
            losses = linear_cross_entropy(hidden, weight, target)
        found.append([losses, *torch.autograd.grad(losses.sum(), (hidden, weight))])
    for ours, theirs in zip(*found, strict=True):
        tolerance = (3e-2 if reduced else 2e-4) * theirs.abs().max().item()
        torch.testing.assert_close(ours, theirs, rtol=1e-2 if reduced else 1e-4, atol=tolerance)
