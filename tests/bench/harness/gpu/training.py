"""Whole runs: what an epoch teaches with damping, without and on the CPU, and how fast five epochs
are."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any
from unittest import mock

import w2v
import w2v.words.gpu
from harness.gpu.parts import Asked, Figures

AUTOGRAD_BYTES = 5_000_000  # of the text: it is slow
TINY = {"dim": 8, "window": 2, "min_count": 1, "sample": 0, "negatives": 2}


@contextmanager
def undamped() -> Iterator[None]:
    """As if one window were in flight."""
    made = w2v.words.gpu.damping_by_rate
    with mock.patch.object(w2v.words.gpu, "damping_by_rate", lambda *given: made(*given[:-1], 1)):
        yield


def _run(asked: Asked, engine: str, **settings: Any) -> w2v.Run:
    device = "cpu" if engine == "hogwild" else asked.device
    given = {**(TINY if asked.tiny else {}), "corpus": asked.corpus, **settings}
    corpus = given.pop("corpus")
    return w2v.train(corpus, engine=engine, device=device, seed=1, progress=False, **given)


def accuracy(asked: Asked) -> Figures:
    """One epoch, skip-gram, negative sampling."""
    for name, engine, damps in (
        ("CPU", "hogwild", True),
        ("GPU", "triton", True),
        ("GPU, undamped", "triton", False),
    ):
        yield f"an epoch: {name}", lambda e=engine, d=damps: _learnt(asked, e, d)


def _learnt(asked: Asked, engine: str, damps: bool) -> dict[str, Any]:
    with nullcontext() if damps else undamped():
        run = _run(asked, engine, epochs=1)
    scores = {}
    if asked.sets:
        results = {Path(name).stem: run.vectors.evaluate(name) for name in asked.sets}
    else:
        results = run.vectors.evaluate()
    for name, result in results.items():
        scores[name] = getattr(result, "accuracy", None) or getattr(result, "spearman", None)
    return {"value": run.summary["final_loss"], "unit": "nats", "scores": scores}


def speed(asked: Asked) -> Figures:
    """Words of the text × epochs per second of training, by the run's own summary."""
    for name, engine, dim in (
        ("GPU, dim 100", "triton", 100),
        ("GPU, dim 300", "triton", 300),
        ("CPU, dim 100", "hogwild", 100),
        ("autograd on the GPU, dim 100", "autograd", 100),
    )[:: 2 if asked.tiny else 1]:
        yield f"five epochs: {name}", lambda e=engine, d=dim: _speed(asked, e, d)


def _speed(asked: Asked, engine: str, dim: int) -> dict[str, Any]:
    epochs, settings = (1, {}) if asked.tiny or engine == "autograd" else (5, {"dim": dim})
    with tempfile.TemporaryDirectory() as folder:
        if engine == "autograd" and not asked.tiny and asked.corpus.endswith(".txt"):
            part = Path(folder) / "part.txt"
            with open(asked.corpus, "rb") as file:
                part.write_bytes(file.read(AUTOGRAD_BYTES))
            settings = {"corpus": str(part), "dim": dim}
        run = _run(asked, engine, epochs=epochs, **settings)
    summary = run.summary
    return {
        "value": summary["words_per_second"],
        "unit": "words/s",
        "epochs": epochs,
        "seconds": summary["seconds"],
        "threads": summary["threads"],
    }
