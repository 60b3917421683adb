"""Runs with the GPU engine on the command line, in Triton's interpreter: they are resumed by the
CPU engine and the other way round, are repeatable, account for all words, validate, and end with a
message."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from w2v.cli.app import main
from w2v.cli.interrupt import Stop
from w2v.training.engine import Tally, WordEngine
from w2v.training.schedule import Block, cut_blocks
from w2v.words.fused import HogwildEngine
from w2v.words.gpu import TritonEngine

pytestmark = pytest.mark.triton

SMALL = ["--dim", "16", "--window", "2", "--threads", "1"]
SMALL += ["--min-count", "2", "--sample", "0.05"]
LOSSES = {
    "neg": ["--loss", "neg"],
    "nce": ["--loss", "nce", "--nce-bias", "--nce-log-z", "learned"],
    "hsigmoid": ["--loss", "hsigmoid"],
    "cbow": ["--loss", "hsigmoid+neg", "--model", "cbow"],
}


@pytest.fixture(autouse=True)
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("W2V_CACHE_DIR", str(tmp_path / "cache"))
    random = np.random.default_rng(3)
    words = random.zipf(1.4, (16, 8)) % 30
    lines = [" ".join(f"w{i}" for i in line) + "\n" for line in words]
    Path("c.txt").write_text("".join(lines))
    Path("valid.txt").write_text("".join(lines[::5]))
    # as small as those of an interpreted run, so that it ends in their midst
    bounds = lambda self, ranks=1: cut_blocks(self._ids, 30, 1000)  # noqa: E731
    monkeypatch.setattr(HogwildEngine, "bounds", bounds)
    monkeypatch.setattr("w2v.words.gpu.INTERPRETED_BLOCK", 30)


def w2v(*arguments: str) -> None:
    assert main(["train", *arguments]) == 0


def summary(run: str) -> dict[str, Any]:
    return json.loads((Path(run) / "summary.json").read_text())


def fate(run: str) -> dict[str, int]:
    """Returns how the words were used. Checks that the metrics agree at every line and that the
    loss is their sum."""
    lines = [json.loads(line) for line in (Path(run) / "metrics.jsonl").open()]
    lines = [line for line in lines if "words" in line]  # the others are of validation
    for line in lines:
        assert line["words"] == line["trained"] + line["subsampled"] + line["left_out"]
    words: dict[str, int] = summary(run)["words"]
    last = lines[-1]
    assert last["words"] == words["passed"] and last["trained"] == words["trained"]
    assert words["passed"] == words["trained"] + words["subsampled"] + words["passed_left_out"]
    assert min(words["trained"], words["subsampled"], words["passed_left_out"]) > 0
    assert sum(line["predictions"] for line in lines) == summary(run)["predictions"]
    return words


def stopped(engine: type[WordEngine], blocks: int, *arguments: str) -> None:
    """Trains so many blocks and then simulates Ctrl-C."""
    original, left, set_it, heard = engine.train, [blocks], Stop.set, threading.Event()

    def train(self: WordEngine, block: Block, lr: float, thread: int = 0) -> Tally:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGINT)
            assert heard.wait(60)
        return original(self, block, lr, thread)

    def set_and_tell(self: Stop) -> None:
        set_it(self)
        heard.set()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "train", train)
        patch.setattr(Stop, "set", set_and_tell)
        assert main(["train", *arguments]) == 130


@pytest.mark.parametrize("loss", LOSSES)
def test_a_run_goes_on_in_the_other_engine_and_back(
    loss: str, capsys: pytest.CaptureFixture[str]
) -> None:
    new = ["c.txt", *SMALL, *LOSSES[loss], "--epochs", "2", "--output"]
    w2v(*new, "whole")
    stopped(HogwildEngine, 5, *new, "run")
    stopped(TritonEngine, 2, "--resume", "run", "--engine", "triton")
    told = capsys.readouterr().err
    assert "with --engine triton instead of hogwild" in told and "not bit for bit" in told
    assert summary("run")["engine"] == "triton"
    assert 1 < summary("run")["epochs_done"] < 2
    w2v("--resume", "run", "--device", "cpu")
    assert summary("run")["engine"] == "hogwild"
    assert fate("run") == fate("whole"), "the same words survive"
    assert summary("run")["final_loss"] == pytest.approx(summary("whole")["final_loss"], rel=0.05)


def test_an_interrupted_run_ends_as_an_unbroken_one(capsys: pytest.CaptureFixture[str]) -> None:
    """This holds in the interpreter, which runs one program after the other."""
    new = ["c.txt", *SMALL, "--engine", "triton", "--epochs", "2", "--vectors", "both", "--centre"]
    new += ["--valid", "valid.txt", "--patience", "9", "--checkpoint-every", "0.05k"]
    w2v(*new, "--output", "whole")
    assert "interpreter" in capsys.readouterr().err
    stopped(TritonEngine, 4, *new, "--output", "run")
    w2v("--resume", "run", "--device", "auto")
    same, vectors = (Path(run, "vectors.npy").read_bytes() for run in ("run", "whole"))
    assert same == vectors
    assert fate("run") == fate("whole")
    assert summary("run")["validation"]["loss"] == summary("whole")["validation"]["loss"]
    assert np.load("run/vectors.npy").shape[1] == 32
    known, ended = summary("whole"), summary("whole")["validation"]
    assert ended["predictions"] > 0 and 0 < ended["loss"] < 2.2 * known["final_loss"]


def test_vectors_of_another_run_are_where_training_begins() -> None:
    w2v("c.txt", *SMALL, "--output", "old", "--epochs", "1")
    new = ["--init", "old", "--engine", "triton", "--epochs", "1", "--lr", "1e-9"]
    w2v("c.txt", *SMALL, *new, "--output", "new")
    np.testing.assert_allclose(np.load("new/vectors.npy"), np.load("old/vectors.npy"), atol=1e-6)


def test_a_run_that_diverges_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["c.txt", *SMALL, "--engine", "triton", "--lr", "1e20", "--output", "never"]
    assert main(["train", *arguments]) == 1
    told = capsys.readouterr().err.splitlines()[-1]
    assert "training has diverged; try a smaller --lr (given: 1e+20)" in told
    assert not Path("never").exists()


def test_a_plan_tells_memory_and_time(capsys: pytest.CaptureFixture[str]) -> None:
    w2v("c.txt", *SMALL, "--engine", "triton", "--dry-run", "--json", "--output", "never")
    plan = json.loads(capsys.readouterr().out)
    assert plan["memory_bytes"] > 300 << 20 and plan["training_seconds"] > 0
