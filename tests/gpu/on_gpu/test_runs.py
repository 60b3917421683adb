"""Whole runs on a GPU: they learn what runs on a CPU learn, can be resumed on the other device and
back, and end with a message if they cannot begin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import w2v
from tests.gpu.conftest import INTERPRETED
from w2v.errors import InputError

pytestmark = pytest.mark.gpu
DEMO = Path(__file__).parents[3] / "data" / "demo.txt.xz"
TINY = {"dim": 8, "window": 2, "min_count": 1, "sample": 0, "negatives": 2, "epochs": 2}


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("W2V_CACHE_DIR", str(tmp_path / "cache"))
    if not INTERPRETED:
        return str(DEMO)
    random = np.random.default_rng(2)
    lines = ["".join(f"w{i} " for i in random.integers(0, 12, 7)) for _ in range(8)]
    (tmp_path / "c.txt").write_text("\n".join(lines))
    return str(tmp_path / "c.txt")


def train(corpus: str, device: str, **settings: Any) -> w2v.Run:
    given = {**(TINY if INTERPRETED else {}), **settings}
    engine = "hogwild" if device == "none" else "triton"
    where = "cpu" if device == "none" else device
    return w2v.train(corpus, device=where, engine=engine, progress=False, seed=1, **given)


@pytest.mark.parametrize("loss", ["neg", "nce", "sampled-softmax", "hsigmoid"])
@pytest.mark.parametrize("model", ["skip-gram", "cbow"])
def test_a_run_learns_what_the_usual_engine_learns(
    loss: str, model: str, corpus: str, device: str
) -> None:
    if INTERPRETED and (loss, model) != ("neg", "skip-gram"):
        pytest.skip("as the others, and slow in the interpreter")
    own, usual = (train(corpus, each, loss=loss, model=model) for each in (device, "none"))
    assert own.summary["engine"] == "triton"
    for name in ("read", "trained", "subsampled"):
        assert own.summary["words"].get(name) == usual.summary["words"].get(name)
    near = 0.2 if INTERPRETED else 0.05  # few windows, which reach differently far
    assert own.summary["final_loss"] == pytest.approx(usual.summary["final_loss"], rel=near)
    if not INTERPRETED:
        scores = [run.vectors.evaluate()["demo-analogies"].accuracy or 0.0 for run in (own, usual)]
        assert scores[0] > scores[1] - 0.03


def test_a_run_goes_on_on_the_other_device_and_back(
    corpus: str, device: str, tmp_path: Path
) -> None:
    run = train(corpus, device, epochs=1, output=tmp_path / "run")
    words = run.summary["words"]["trained"]
    for epochs, where in ((2, "cpu"), (3, device)):
        again = w2v.train(corpus, resume=run.path, device=where, epochs=epochs, progress=False)
        assert again.summary["epochs_done"] == epochs
        assert again.summary["words"]["trained"] == pytest.approx(epochs * words, rel=0.2)
    assert np.isfinite(again.vectors.matrix).all()


def test_what_cannot_be_is_refused(corpus: str, device: str) -> None:
    with pytest.raises(InputError, match="deterministic"):
        train(corpus, "cuda", deterministic=True)
    with pytest.raises(InputError, match="softmax"):
        train(corpus, device, loss="softmax")
    with pytest.raises(InputError, match="cuda:99"):
        train(corpus, "cuda:99")
