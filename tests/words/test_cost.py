"""The predicted cost of a run of the autograd engine, and what happens if it is too high."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import w2v.run
from tests.trained import only_so_much_memory, plan
from w2v.errors import RunError
from w2v.settings.build import build_config
from w2v.training.report import SilentReporter
from w2v.training.task import Context
from w2v.words import cost as estimate


def config_of(**settings):
    given = {"sample": "0", "engine": "autograd", "device": "cpu"}
    given |= {name: str(value) for name, value in settings.items()}
    return build_config({"corpus": ("x",), **given})


def test_a_run_of_hours_is_foretold(monkeypatch):
    counts = np.maximum(5, 10**7 // np.arange(1, 200_001))
    cpu = torch.device("cpu")
    monkeypatch.setattr(estimate, "speed_of", lambda device, dim: 1e11)
    message = estimate.warning(
        config_of(loss="softmax", dim=100, window=5), counts, int(counts.sum()), cpu
    )
    assert message is not None
    assert message.startswith(
        "`loss` softmax scores all 200,000 words for every hidden vector: this will take about"
    )
    assert "days. Cheaper: `loss` adaptive-softmax, hsigmoid, neg," in message
    assert estimate.warning(config_of(loss="adaptive-softmax"), counts, 10**9, cpu) is None
    assert estimate.warning(config_of(loss="softmax"), counts[:50], 10**5, cpu) is None


def test_the_estimate_counts_the_products():
    # sentences of one distinct word per batch cannot be: every word is in every batch of 16384
    counts, length = np.full(10, 1000), 10_000
    config = config_of(loss="softmax", dim=100, window=5, epochs=3, batch_size=1000)
    assert estimate.products_of(config, counts, length) == pytest.approx(
        2 * 3 * 10 * 10 * 100 * 10 * 3, rel=1e-3
    )
    cbow = config_of(loss="softmax", model="cbow", dim=100, window=5, epochs=3, batch_size=1000)
    assert estimate.products_of(cbow, counts, length) == pytest.approx(
        2 * 3 * 10_000 * 10 * 100 * 3
    )


def test_plan_of_the_autograd_engine(train, folder, zipf_lines):
    train(zipf_lines, loss="sampled-softmax")
    config = build_config(
        {
            "corpus": ("corpus.txt",),
            "dim": "16",
            "min_count": "1",
            "model": "cbow",
            "loss": "nce",
            "engine": "autograd",
        }
    )
    planned = plan(config, use_cache=False, reporter=SilentReporter())
    assert planned.training_seconds is not None and planned.training_seconds > 0
    assert planned.memory_bytes > 300 << 20


@pytest.fixture
def gpu(monkeypatch):
    """Provides a GPU that can be asked for its memory and nothing else: a function that sets its
    free bytes."""
    for module in ("words.cost", "words.autograd", "training.device"):
        monkeypatch.setattr(f"w2v.{module}.find_device", lambda name: torch.device("cuda", 1))
    only_so_much_memory(monkeypatch, 8 << 30)
    asked = []

    def free(count, reserved=0, allocated=0):
        monkeypatch.setattr(
            torch.cuda, "mem_get_info", lambda device: asked.append(device) or (count, 80 << 30)
        )
        monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: reserved)
        monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: allocated)
        return asked

    return free


def test_the_memory_of_a_gpu_is_checked_before_a_run(gpu, monkeypatch):
    config, words = config_of(loss="softmax", device="cuda:1", dim=100), 3_000_000
    needed = estimate.working_bytes(config, words)
    assert needed > 3 * 4 * words * 100  # both matrices and the gradient of one
    assert gpu(needed) == []

    def check() -> None:
        w2v.run.check_memory(w2v.run.make_task(Context(config)), words)

    check()
    gpu(needed - 200, reserved=300, allocated=100)  # PyTorch's cache can be used again
    check()
    asked = gpu(needed - 1)
    with pytest.raises(
        RunError,
        match=rf"training 3,000,000 words x 100 needs {needed / 1e9:.1f} GB of memory on cuda:1, "
        rf"{needed / 1e9:.1f} GB are free; lower `dim`, raise `min_count` or set `max_vocab`, or"
        r" use `device` cpu",
    ):
        check()
    assert set(asked) == {torch.device("cuda", 1)}
    gpu(10 << 20)
    with pytest.raises(
        RunError,
        match=r"of memory on cuda:1, 0\.0 GB are free; lower `dim`, `batch_size`, `window`",
    ):
        check()
    gpu(80 << 30)
    only_so_much_memory(monkeypatch, 1 << 30)
    with pytest.raises(RunError, match=r"needs 3\.6 GB of memory, 1\.1 GB are free; lower `dim`"):
        check()


def test_the_plan_tells_the_memory_where_training_happens(
    gpu, folder, zipf_lines, train, monkeypatch
):
    train(zipf_lines)
    gpu(7 << 10)
    config = build_config({"corpus": ("corpus.txt",), "loss": "softmax", "device": "cuda:1"})
    planned = plan(config, use_cache=False, reporter=SilentReporter())
    assert planned.training_seconds is None and planned.memory_available_bytes == 7 << 10
    assert planned.memory_bytes == estimate.working_bytes(config, planned.vocabulary)
