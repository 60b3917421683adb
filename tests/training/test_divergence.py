"""A learning rate with which nothing can be learnt ends the run with a message, even if the loss
stays finite."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import w2v
from w2v.errors import RunError
from w2v.runs.checkpoint import newest_checkpoint

TEXT = ["the cat sat on the mat", "a dog ran far", "a cat ran on the far mat"] * 40
SMALL: dict[str, Any] = {"dim": 4, "threads": 1, "min_count": 1, "progress": False}
LM: dict[str, Any] = {"model": "lm", "layers": 1, "bptt": 5, "batch_size": 4}
KINDS: list[dict[str, Any]] = [
    {"loss": "neg"},
    {"loss": "softmax"},
    {"loss": "softmax", "optimizer": "sgd"},
    {"loss": "am-softmax"},
    {"engine": "autograd", "optimizer": "sparse-adam"},
    {"model": "cbow", "loss": "hsigmoid", "engine": "autograd", "optimizer": "sgd"},
    {**LM, "optimizer": "sgd"},
    {**LM, "optimizer": "adagrad", "loss": "hsigmoid"},
    {**LM, "optimizer": "adamw", "arch": "gru"},
    {**LM, "optimizer": "sgd", "arch": "transformer", "loss": "nce"},
    {**LM, "optimizer": "adagrad", "loss": "am-softmax"},
]


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("lr", [1e22, 1e30, 1e300])
def test_a_rate_beyond_all_bounds(tmp_path: Path, kind: dict[str, Any], lr: float) -> None:
    with pytest.raises(RunError, match="smaller `lr`") as told:
        w2v.train(TEXT, output=tmp_path / "run", lr=lr, **SMALL, **kind)
    assert "\n" not in str(told.value) and not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", [{"loss": "softmax"}, {**LM, "optimizer": "adagrad"}], ids=str)
def test_step_rate_and_remedy_are_told(kind: dict[str, Any]) -> None:
    told = r"step \d+\) at learning rate .*diverged.* smaller `lr` \(given: 1e\+10\)"
    with pytest.raises(RunError, match=told):
        w2v.train(TEXT, lr=1e10, **SMALL, **kind)


@pytest.mark.parametrize(
    ("lr", "kind"), [(10, {"loss": "softmax"}), (200, {**LM, "optimizer": "adagrad"})], ids=str
)
def test_a_loss_worse_than_knowing_nothing_is_told(lr: float, kind: dict[str, Any]) -> None:
    with pytest.warns(UserWarning, match=rf"worse than .*smaller `lr` \(given: {lr}\)"):
        run = w2v.train(TEXT, lr=lr, **SMALL, **kind)
    assert np.isfinite(run.summary["final_loss"])


@pytest.mark.parametrize("kind", [{"loss": "softmax"}, LM], ids=str)
def test_the_last_sound_state_is_kept(
    tmp_path: Path, kind: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from w2v.training.schedule import Schedule

    usual = Schedule.rate
    monkeypatch.setattr(
        Schedule, "rate", lambda self, done, *more: 1e28 if done > 0.7 else usual(self, done, *more)
    )
    with pytest.raises(RunError, match=r"Kept: .*step-\d+, from before"):
        w2v.train(TEXT, output=tmp_path / "run", checkpoint_every="1h", epochs=4, **SMALL, **kind)
    found, damaged = newest_checkpoint(tmp_path / "run")
    assert found is not None and not damaged
    sound = [array for array in found.tensors.values() if array.dtype.kind == "f"]
    assert max(np.abs(array).max() for array in sound) < 1e6
