"""What goes wrong in the midst of a run: the message, the exit status, and what is on disk
afterwards."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.forks import Fork
from w2v.runs.checkpoint import newest_checkpoint
from w2v.system.lock import locked
from w2v.vectors import load_vectors
from w2v.words.fused import HogwildEngine

from .conftest import Run
from .faults import BEGUN, SAVED, TRAIN, WHOLE, at_block, begun, names, reference, resumed

pytestmark = pytest.mark.usefixtures("prompt")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_says_how_to_go_on(
    w2v: Run, corpus: str, tmp_path: Path, number: int
) -> None:
    process = Fork(*SAVED, "--epochs", "10000000", folder=tmp_path)
    deadline = time.monotonic() + 300
    while not list(tmp_path.glob("run/checkpoints/step-*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    out, err = process.communicate(timeout=300)
    assert (process.returncode, out) == (128 + number, "run\n"), err
    assert err.splitlines()[-1].endswith(
        "the vectors learnt so far are in run; resume with: w2v train --resume run"
    )
    assert names(tmp_path / "run") == WHOLE
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    found, damaged = newest_checkpoint(tmp_path / "run")
    assert found is not None and not damaged
    assert np.array_equal(load_vectors(tmp_path / "run").matrix, found.tensors["input"])


def test_a_killed_run_has_no_vectors_and_says_so(w2v: Run, corpus: str, tmp_path: Path) -> None:
    process = Fork(*SAVED, "--epochs", "10000000", folder=tmp_path)
    deadline = time.monotonic() + 300
    while not list(tmp_path.glob("run/checkpoints/step-*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    second = w2v("train", "--resume", "run", "--quiet")
    assert second.returncode == 2
    assert (
        second.stderr
        == f"w2v train: run is being written by another run (process {process.pid}): wait until it"
        " ends, or name another --output\n"
    )
    process.kill()
    process.wait(timeout=300)
    for verb in (["nearest", "run", "w1"], ["eval", "run"], ["info", "run"]):
        done = w2v(*verb)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"w2v {verb[0]}: run is an unfinished run, ")
        assert done.stderr.endswith(" no vectors yet; resume it: w2v train --resume run\n")


def test_two_runs_do_not_write_to_one_place(w2v: Run, corpus: str, tmp_path: Path) -> None:
    for output in ("run", "v.bin"):
        with locked(tmp_path / output):
            done = w2v(*TRAIN, "--output", output)
        assert (done.returncode, done.stdout) == (2, "")
        assert (
            done.stderr
            == f"w2v train: {output} is being written by another run (process {os.getpid()}): wait"
            " until it ends, or name another --output\n"
        )
    with locked(tmp_path / "corpus-skip-gram-neg"):
        assert w2v(*TRAIN).stdout == "corpus-skip-gram-neg-2\n"
    assert names(tmp_path) == ["corpus-skip-gram-neg-2", "corpus.txt"]


def test_a_rate_at_which_nothing_is_learnt(w2v: Run, corpus: str, tmp_path: Path) -> None:
    for arguments in (TRAIN, [*TRAIN, "--output", "v.bin"]):
        done = w2v(*arguments, "--lr", "1000", "--epochs", "50")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("w2v train: the loss became ") and "(step " in done.stderr
        assert done.stderr.endswith("; try a smaller --lr (given: 1000). Nothing was written\n")
    assert names(tmp_path) == ["corpus.txt"]


def test_divergence_keeps_the_last_state_that_is_sound(
    w2v: Run, corpus: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = HogwildEngine.train

    def train(self: HogwildEngine, block: Any, lr: float, thread: int = 0) -> Any:
        return original(self, block, 1e9 if block.epoch == 3 else lr, thread)

    monkeypatch.setattr(HogwildEngine, "train", train)
    done = w2v(*SAVED)
    assert (done.returncode, done.stdout) == (1, "")
    found, damaged = newest_checkpoint(tmp_path / "run")
    assert found is not None and not damaged
    assert all(np.isfinite(array).all() for array in found.tensors.values())
    assert found.state["result"]["fraction"] <= 0.6
    assert done.stderr.splitlines()[-1].endswith(
        f"try a smaller --lr (given: 0.025). Kept: run/checkpoints/step-{found.step}, from"
        " before; to start from its vectors, train with --init run"
    )
    assert begun(tmp_path / "run") == BEGUN
    done = w2v(*TRAIN, "--init", "run", "--output", "new", "--lr", "0.01", "--epochs", "1")
    assert (done.returncode, done.stdout) == (0, "new\n")


def test_a_worker_that_raises(
    w2v: Run, corpus: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise ZeroDivisionError("broken")

    expected = reference(w2v, tmp_path)
    with monkeypatch.context() as patch:
        at_block(patch, 5, broken)
        done = w2v(*SAVED)
    assert (done.returncode, done.stdout) == (1, "")
    kept, failed = done.stderr.splitlines()
    assert kept.startswith("warning: the run has failed. Kept: run/checkpoints/step-")
    assert failed.startswith("w2v train: internal error: ZeroDivisionError: broken")
    assert begun(tmp_path / "run") == BEGUN
    assert resumed(w2v, tmp_path) == expected


def test_no_memory_for_a_checkpoint(
    w2v: Run, corpus: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = reference(w2v, tmp_path)
    original = HogwildEngine.state

    def state(self: HogwildEngine) -> Any:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(HogwildEngine, "state", state)
        done = w2v(*SAVED)
    assert original is HogwildEngine.state
    assert (done.returncode, done.stdout) == (0, "run\n")
    (warning,) = done.stderr.splitlines()
    start = (
        "warning: no checkpoint could be written, there is none, and training goes on: there is no"
        " memory"
    )
    assert warning.startswith(start)
    assert (tmp_path / "run" / "vectors.npy").read_bytes() == expected


def test_an_evaluation_that_fails_leaves_the_run_as_it_is(
    w2v: Run, corpus: str, tmp_path: Path
) -> None:
    expected = reference(w2v, tmp_path)
    done = w2v("eval", "whole", "no-such-set.txt")
    assert (done.returncode, done.stdout) == (2, "") and "no-such-set.txt" in done.stderr
    assert (tmp_path / "whole" / "vectors.npy").read_bytes() == expected


def test_a_finished_run_says_that_it_is(w2v: Run, corpus: str, tmp_path: Path) -> None:
    assert w2v(*SAVED).returncode == 0
    (
        tmp_path / ".run.lock"
    ).touch()  # of a process that was killed just after it had written the result
    with locked(tmp_path / "run"):
        assert "run is being written by another run" in w2v("train", "--resume", "run").stderr
    (tmp_path / ".run.lock").touch()
    done = w2v("train", "--resume", "run")
    assert not (tmp_path / ".run.lock").exists()
    assert (done.returncode, done.stdout) == (0, "run\n")
    assert done.stderr == "run is finished, after 6 epochs; increase --epochs to go on\n"
    grown = w2v("train", "--resume", "run", "--epochs", "8", "--quiet", "--json")
    assert grown.returncode == 0 and '"epochs_done": 8.0' in grown.stdout
    for options in (["--config", "x.yaml"], ["--dry-run"]):
        refused = w2v("train", "--resume", "run", *options)
        assert (
            refused.returncode == 2
            and f"{options[0]} cannot be combined with --resume" in refused.stderr
        )


def test_a_stream_has_no_checkpoints(w2v: Run, corpus: str) -> None:
    done = w2v(*TRAIN, "--output", "-", "--checkpoint-every", "1k")
    assert done.returncode == 2
    assert "--checkpoint-every needs a run directory, and --output - is a stream" in done.stderr
    done = w2v(*TRAIN, "--checkpoint-every", "5")
    assert (
        done.returncode == 2
        and "--checkpoint-every 5 is not an interval: give a time such as 30s" in done.stderr
    )
