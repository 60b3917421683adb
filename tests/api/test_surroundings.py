"""Runs in programs that have their own ways: threads, PyTorch's settings, closed streams."""

from __future__ import annotations

import functools
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import w2v

from .conftest import LINES, LM, SMALL, matrix

KINDS: dict[str, Any] = {
    "lm": {**LM, "dropout": 0.2, "epochs": 1},
    "softmax": {**SMALL, "loss": "softmax", "epochs": 1},
}


def trained(kind: str) -> np.ndarray:
    return matrix(w2v.train(LINES, **KINDS[kind]))


@functools.cache
def alone(kind: str) -> tuple[np.ndarray, float | None]:
    """What is learnt, and a perplexity."""
    run = w2v.train(LINES, **KINDS[kind])
    return matrix(run), float(run.model.perplexity("valid.txt")) if kind == "lm" else None


@pytest.fixture(autouse=True)
def valid() -> None:
    Path("valid.txt").write_text("\n".join(LINES[:20]))


def test_runs_in_threads_are_those_that_they_are_alone() -> None:
    expected = {kind: alone(kind)[0] for kind in KINDS}
    found: list[tuple[str, np.ndarray]] = []

    def train(kind: str) -> None:
        found.append((kind, trained(kind)))

    kinds = ["lm", "lm", "lm", "softmax"]
    threads = [threading.Thread(target=train, args=(kind,)) for kind in kinds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(kind for kind, _ in found) == kinds
    assert all(np.array_equal(learnt, expected[kind]) for kind, learnt in found)


@contextmanager
def as_set_by(name: str) -> Iterator[None]:
    import torch  # so late: for the other tests it takes a second

    modes: Any = {"no_grad": torch.no_grad, "inference": torch.inference_mode}
    with modes.get(name, torch.enable_grad)():
        before = torch.get_default_dtype()
        torch.set_default_dtype(torch.float64 if name == "float64" else before)
        torch.set_default_device("meta" if name == "meta" else None)
        try:
            yield
        finally:
            torch.set_default_dtype(before)
            torch.set_default_device(None)


@pytest.mark.parametrize("name", ["no_grad", "inference", "float64", "meta"])
def test_pytorch_as_the_program_has_set_it(name: str) -> None:
    import torch

    expected = {kind: alone(kind) for kind in KINDS}
    with as_set_by(name):
        threads, drawn = torch.get_num_threads(), torch.get_rng_state()
        assert np.array_equal(trained("softmax"), expected["softmax"][0])
        run = w2v.train(LINES, **KINDS["lm"])
        assert np.array_equal(matrix(run), expected["lm"][0])
        if name != "meta":
            assert float(run.model.perplexity("valid.txt")) == expected["lm"][1]
            assert run.model.score(LINES[:1])[0].log_prob < 0
        kept = torch.get_num_threads() == threads and torch.equal(torch.get_rng_state(), drawn)
    assert kept


class Closed:
    closed = True

    def isatty(self) -> bool:
        raise ValueError("I/O operation on closed file")


@pytest.mark.parametrize(("stream", "progress"), [(None, True), (Closed(), "auto")])
def test_without_stderr_there_is_no_bar(
    stream: Any, progress: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", stream)
    assert len(w2v.train(LINES, **{**SMALL, "progress": progress}).vectors) == 30


@pytest.mark.parametrize("output", ["run", "v.npy"])
def test_a_callback_may_go_elsewhere(output: str, monkeypatch: pytest.MonkeyPatch) -> None:
    here, sub = Path.cwd(), Path("sub").absolute()
    sub.mkdir()
    given: Any = {"callbacks": [lambda event: os.chdir(sub)], "progress": False}
    w2v.train(LINES, **{**SMALL, **given}, output=output)
    assert list(sub.iterdir()) == []
    assert len(w2v.load(here / output)) == 30
    if output == "run":
        monkeypatch.chdir(here)
        longer = w2v.train(LINES, resume=output, epochs=3, **given)
        assert longer.path == here / output and longer.summary["epochs_done"] == 3


def test_code_without_a_module() -> None:
    """Warnings name the caller's line, even if the caller was run by exec."""
    names: dict[str, Any] = {}
    with pytest.warns(UserWarning, match="invalid UTF-8|U\\+FFFD"):
        exec("import w2v; run = w2v.train([b'a b \\xff'] * 9, dim=2, min_count=1, sample=0)", names)
    del names["__builtins__"]
    assert "__name__" not in names and len(names["run"].vectors) == 3


def broken() -> Iterator[str]:
    yield from LINES
    raise OSError(5, "the line is dead")


@pytest.mark.parametrize(
    ("corpus", "kind", "told"),
    [
        (broken, w2v.RunError, "^reading the corpus failed: .*the line is dead"),
        (lambda: set(LINES), w2v.InputError, "type set"),
        (lambda: [frozenset(line.split()) for line in LINES], w2v.InputError, "line 1 .*frozenset"),
    ],
)
def test_corpora_that_fail_or_have_no_order(corpus: Any, kind: Any, told: str) -> None:
    with pytest.raises(kind, match=told):
        w2v.train(corpus(), **SMALL)
