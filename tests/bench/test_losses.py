"""Forward + backward of the losses: the processes that are measured, their turns, the numbers they
compute."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from harness import losses
from harness.losses import CONTESTS, NAMES, Contest, Setup, Shape, check, measure
from harness.worker import Worker
from serve import data

from w2v.errors import InputError, RunError
from w2v.losses.table import LOSSES

ECHO = """
import json, sys
for line in sys.stdin:
    request = json.loads(line)
    if "die" in request:
        sys.exit("the reason")
    answer = {"error": "no such thing"} if "fail" in request else {"got": request}
    print(json.dumps(answer), flush=True)
"""


def state(pid: int) -> str:
    """The state of a process: R, S, T (stopped) ..."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_a_worker_answers_and_is_stopped_in_between() -> None:
    with Worker([sys.executable, "-c", ECHO], {}) as worker:
        pid = worker._process.pid
        for number in range(3):
            assert worker.ask({"number": number}) == {"got": {"number": number}}
            for _ in range(6000):  # the signal takes effect a moment later
                if state(pid) == "T":
                    break
                time.sleep(0.05)
            assert state(pid) == "T"
        with pytest.raises(RunError, match="no such thing"):
            worker.ask({"fail": 1})
        with pytest.raises(RunError, match="ended with status 1: the reason"):
            worker.ask({"die": 1})
        with pytest.raises(RunError, match="ended with status 1"):
            worker.ask({"number": 1})
    assert not os.path.exists(f"/proc/{pid}")


class StandIn:
    """A worker that computes nothing; all of them write into one diary."""

    diary: list[str]
    crashing: str

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self._name = command[-1].removesuffix("_losses")

    def __enter__(self) -> StandIn:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def ask(self, request: dict[str, object]) -> dict[str, float]:
        if "build" in request:
            if self._name == self.crashing:
                raise RunError("it ended with status -11: crash")
            self._name = f"{self._name} {request['build']}"
            return {"loss": 9.0 if "nce" in self._name and "tensor" in self._name else 3.0}
        self.diary.append(self._name.split()[0])
        return {"seconds": len(self.diary) * 1e-3}


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> type[StandIn]:
    StandIn.diary, StandIn.crashing = [], ""
    monkeypatch.setattr(losses, "Worker", StandIn)
    monkeypatch.setattr(losses, "version", lambda library, python: "1.0")
    return StandIn


PYTHONS = {"torch": sys.executable, "tensorflow": "/tf", "paddle": "/pd"}


def test_contestants_take_turns(stand_in: type[StandIn]) -> None:
    said: list[str] = []
    results = measure(Setup(PYTHONS, ("nce", "softmax"), repeat=3), said.append)
    assert stand_in.diary == ["w2v", "tensorflow"] * 3 + ["w2v", "torch"] * 3
    nce = results["rows"][1]
    assert nce["milliseconds"] == pytest.approx({"median": 4, "low": 2, "high": 6})
    assert nce["ratio"] == pytest.approx({"median": 4 / 3, "low": 6 / 5, "high": 2})
    assert results["rows"][0]["ratio"] is None
    assert "warning: nce: the loss of tensorflow nce_loss is 9.0000, w2v's is 3.0000" in said
    assert not any("softmax: the loss" in text for text in said)


def test_a_reference_that_crashes_is_left_out(stand_in: type[StandIn]) -> None:
    stand_in.crashing = "paddle"
    said: list[str] = []
    results = measure(Setup(PYTHONS, ("hsigmoid",), repeat=1), said.append)
    assert [row["library"] for row in results["rows"]] == ["w2v"]
    assert (
        sum("failed and is left out (it ended with status -11: crash)" in text for text in said)
        == 2
    )
    stand_in.crashing = "w2v"
    with pytest.raises(RunError, match="hsigmoid failed"):
        measure(Setup(PYTHONS, ("hsigmoid",), repeat=1), said.append)


def test_every_loss_is_measured() -> None:
    assert {contest.loss for contest in CONTESTS} == {*LOSSES}
    assert len(NAMES) == len(LOSSES) + 1


def test_shapes_that_do_not_fit() -> None:
    with pytest.raises(InputError, match="--samples 64 is more than --vocabulary 60"):
        check(Setup({}, sampled=Shape(4, 4, 60)))
    with pytest.raises(InputError, match="--cutoffs 20,10 must ascend and lie in 1 to 99"):
        check(Setup({}, sampled=Shape(4, 4, 100), cutoffs=(20, 10)))


TINY = (
    "--n",
    "16",
    "--dim",
    "32",
    "--vocabulary",
    "60",
    "--cutoffs",
    "10,30",
    "--samples",
    "6",
    "--full",
    "12,8,50",
    "--memory",
    "64,8,5000",
    "--repeat",
    "1",
    "--seconds",
    "0",
    "--threads",
    "1",
)


def test_against_torch(bench: Callable[..., object]) -> None:
    done = bench("losses", *TINY, "--json", "--only", "softmax,adaptive-softmax,softmax-memory")
    assert done.returncode == 0, done.stderr  # type: ignore[attr-defined]
    results = json.loads(done.stdout)  # type: ignore[attr-defined]
    rows = {(row["loss"], row["library"]): row for row in results["rows"]}
    assert {*rows} == {
        (loss, library) for loss in ("softmax", "adaptive-softmax") for library in ("w2v", "torch")
    }
    given = data({"n": 12, "dim": 8, "vocabulary": 50})
    scores = given["hidden"].astype(float) @ given["weight"].T + given["bias"]
    expected = np.mean(np.log(np.exp(scores).sum(1)) - scores[np.arange(12), given["labels"]])
    for library in ("w2v", "torch"):
        assert rows["softmax", library]["mean_loss"] == pytest.approx(expected, rel=1e-5)
        assert rows["softmax", library]["milliseconds"]["median"] > 0
    assert rows["softmax", "torch"]["ratio"] is not None
    assert rows["adaptive-softmax", "w2v"]["n"] == 16
    assert results["versions"]["torch"]
    memory = results["memory"]
    assert memory["logits_bytes"] == 4 * 64 * 5000
    assert 0 <= memory["growth_bytes"] < 300_000_000


@pytest.mark.parametrize(
    "contest", [each for each in CONTESTS if each.loss not in ("softmax", "adaptive-softmax")]
)
def test_every_function_of_ours_runs(contest: Contest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    from w2v_losses import BUILDERS

    case = {"n": 8, "dim": 6, "vocabulary": 40, "samples": 5, "cutoffs": [10, 20]}
    step = BUILDERS[contest.ours](case, data(case))
    assert np.isfinite(step())
    assert step() > 0


def test_torch_and_ours_agree_on_smoothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    import torch_losses
    import w2v_losses

    case = {"n": 8, "dim": 6, "vocabulary": 40}
    theirs = torch_losses.BUILDERS["cross_entropy(label_smoothing=0.1)"](case, data(case))
    ours = w2v_losses.BUILDERS["LabelSmoothing"](case, data(case))
    assert ours() == pytest.approx(theirs(), rel=1e-5)
