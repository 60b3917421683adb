"""How often training waits for a GPU, counted without one; and that the ways it goes there lead to
the same numbers."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests.lm.test_engine import V, config_of
from tests.waits import waits
from w2v.lm import columns, cost
from w2v.lm.columns import Source
from w2v.lm.engine import LanguageModelEngine
from w2v.lm.task import LanguageModelTask
from w2v.losses.math import paths, score_sums
from w2v.losses.table import LOSSES
from w2v.sampling.candidates import Sampler
from w2v.system import gpu
from w2v.training import device

KINDS = {
    "lstm, adagrad": {"dropout": "0.2"},
    "transformer, adamw": {"arch": "transformer", "optimizer": "adamw", "positions": "learned"},
    "gru, sparse-adam": {"arch": "gru", "optimizer": "sparse-adam", "variational": "true"},
    "ffnn, sgd": {"arch": "ffnn", "optimizer": "sgd", "clip": "0"},
    "lbl, adagrad": {"arch": "lbl"},
}


@pytest.fixture(scope="module")
def text() -> np.ndarray:
    steps = np.random.default_rng(1).choice([1, 3, 7], 990, p=[0.6, 0.3, 0.1])
    return (steps.cumsum() % V).astype(np.int32)


def engine_of(text: np.ndarray, **given: str) -> LanguageModelEngine:
    made = LanguageModelEngine(config_of(**given), Source(text, None, 0), np.arange(2 * V, V, -1))
    made._state = made.model.start(16)
    return made


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("loss", LOSSES)
def test_a_step_waits_once_and_adaptive_softmax_twice(text, monkeypatch, loss, kind):
    draw = Sampler.sample

    def drawn_here(self, *args, generator=None, **more):
        given = generator if generator is not None else args[3]
        assert given.device.type == "cpu"  # so its values are at hand
        before = dict(found)
        try:
            return draw(self, *args, **more)
        finally:
            found.clear()
            found.update(before)

    with waits() as found:
        engine = engine_of(text, loss=loss, **KINDS[kind])
        engine._step(0, 10, 0.1)
        monkeypatch.setattr(Sampler, "sample", drawn_here)
        found.clear()
        engine._step(10, 20, 0.1)
    assert found == {"tolist": 2 if loss == "adaptive-softmax" else 1}


def test_what_waits_is_counted():
    x = torch.arange(6.0)
    with waits() as found:
        x[x > 2]
        x[0].item(), bool(x[1] > 0), x.tolist(), torch.tensor([1.0]), x.nonzero()
        x.long().repeat_interleave(x.long()), torch.where(x > 2, x, 0.0), x.long().bincount()
        x[torch.tensor([1])], torch.where(x > 2, x, -x)
    assert found == {
        "index": 1,
        "_local_scalar_dense": 2,
        "tolist": 1,
        "tensor": 2,
        "nonzero": 1,
        "where": 1,
        "repeat_interleave": 1,
        "bincount": 1,
    }


@pytest.mark.parametrize("tied", ["false", "true"])
@pytest.mark.parametrize("loss", LOSSES)
def test_the_ways_of_a_gpu_lead_to_the_same_numbers(text, monkeypatch, loss, tied):
    if tied == "true" and not LOSSES[loss].tied:
        pytest.skip("cannot be tied")
    given = {"loss": loss, "tied": tied, "optimizer": "adamw", "clip": "0.05", "accumulate": "2"}
    monkeypatch.setattr(score_sums, "DEVICE_BYTES", 4 * 70 * V)  # blocks of 70 of 160 rows
    found = []
    for host in ("cpu", "no device"):
        monkeypatch.setattr(gpu, "HOST", host)
        engine = engine_of(text, **given)
        losses = [engine._step(start, start + 20, 0.01) for start in (0, 20)]
        found.append((losses, engine.state()))
    (ours, here), (theirs, there) = found
    assert theirs == pytest.approx(ours, rel=1e-6)
    for name, array in here.items():
        np.testing.assert_allclose(there[name], array, rtol=2e-4, atol=2e-6, err_msg=name)


def test_long_paths_are_not_padded(text, monkeypatch):
    monkeypatch.setattr(paths, "LONGEST", 2)
    with waits() as found:
        engine = engine_of(text, loss="hsigmoid")
        engine._step(0, 10, 0.1)
        found.clear()
        engine._step(10, 20, 0.1)
    assert found == {"tolist": 1, "_local_scalar_dense": 1}


def test_a_text_too_large_for_a_gpu_is_sent_segment_by_segment(text, monkeypatch):
    monkeypatch.setattr(gpu, "HOST", "no device")
    read = {}
    for held in (1 << 20, 10):
        monkeypatch.setattr(columns, "DEVICE_BYTES", held)
        monkeypatch.setattr(columns, "PIECE", 100)
        whole = engine_of(text).columns
        assert (whole._sent is not None) == (held > 10)
        read[held] = [whole.read(*rows) for rows in ((0, 10), (5, 61), (60, whole.rows))]
    for ours, theirs in zip(*read.values(), strict=True):
        for one, other in zip(ours, theirs, strict=True):
            assert one.dtype == other.dtype == torch.int64
            assert torch.equal(one, other)


@pytest.mark.parametrize("host", ["cpu", "no device"])
def test_tokens_that_there_are_not_are_refused_when_they_are_sent(text, monkeypatch, host):
    monkeypatch.setattr(gpu, "HOST", host)
    wrong = text.copy()
    wrong[5] = V
    with pytest.raises(ValueError, match=f"range from 0 to {V}"):
        engine_of(wrong)._step(0, 10, 0.1)


def test_memory_is_asked_of_the_gpu_that_trains_and_of_the_machine_that_writes(monkeypatch):
    """Both matrices, 4 · 1,000,000 · 64 bytes each, with two moments; the machine copies all."""
    config = config_of(dim="64", loss="sampled-softmax", optimizer="adamw")
    found = {}
    for name in ("cpu", "cuda:1"):
        for module in (cost, device):
            monkeypatch.setattr(module, "find_device", lambda _, name=name: torch.device(name))
        monkeypatch.setattr(device, "free_memory", lambda _: 10 << 30)
        found[name] = LanguageModelTask.demands(SimpleNamespace(config=config), 1_000_000)
    (alone,), (besides, there) = found.values()
    tables = 2 * 4 * 64 * 1_000_000
    assert there.where == "memory on cuda:1" and there.available == 10 << 30
    assert alone.where == besides.where == "memory"
    assert 3 * tables < there.needed <= alone.needed
    assert 4 * tables < besides.needed < 4 * tables + (3 << 30)
