"""The faults that can be made from outside, made to processes of their own, with both engines and
language models."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from tests.forks import Fork
from w2v.runs.checkpoint import newest_checkpoint
from w2v.vectors import load_vectors

from .conftest import Run
from .faults import BEGUN, WHOLE, begun, names, step

KINDS = {
    "hogwild": [],
    "autograd": ["--model", "cbow", "--loss", "softmax", "--batch-size", "500"],
    "lm": [
        "--model",
        "lm",
        "--hidden",
        "8",
        "--batch-size",
        "4",
        "--bptt",
        "20",
        "--valid",
        "corpus.txt",
    ],
}
COMMON = [
    "--dim",
    "8",
    "--min-count",
    "1",
    "--threads",
    "1",
    "--quiet",
    "--no-cache",
    "--checkpoint-every",
    "0.3k",
]
WAIT = 300.0  # seconds


class Running:
    """A process of `w2v train` that would not end by itself, and the lines of its stderr so far."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder, self.lines = folder, list[str]()
        self.process = Fork("train", *arguments, folder=folder)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))

    def wait_for(self, what: Callable[[], object]) -> None:
        """Until what() is true."""
        deadline = time.monotonic() + WAIT
        while not what():
            assert self.process.poll() is None and time.monotonic() < deadline, self.lines
            time.sleep(0.02)

    def checkpoints(self, run: str = "run") -> list[str]:
        """Names of the checkpoints."""
        return [path.name for path in (self.folder / run).glob("checkpoints/step-*")]

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Sends a signal; status and stdout at the end."""
        self.process.send_signal(number)
        self.process.wait(timeout=WAIT)
        self._reader.join(timeout=WAIT)
        assert self.process.stdout
        assert not any("Traceback" in line for line in self.lines), self.lines
        return self.process.returncode, self.process.stdout.read()


@contextmanager
def training(folder: Path, kind: str, *more: str, output: str = "run") -> Iterator[Running]:
    """A run that has written a checkpoint."""
    arguments = [
        "corpus.txt",
        *COMMON,
        *KINDS[kind],
        "--epochs",
        "100000000",
        "--output",
        output,
        *more,
    ]
    running = Running(folder, *arguments)
    try:
        running.wait_for(lambda: running.checkpoints(output))
        yield running
    finally:
        if running.process.poll() is None:
            running.process.kill()
            running.process.wait(timeout=WAIT)


def whole(kind: str) -> list[str]:
    return sorted([*WHOLE, "model.safetensors"]) if kind == "lm" else WHOLE


def epochs_of(run: Path) -> float:
    found, damaged = newest_checkpoint(run)
    assert found is not None and not damaged
    assert all(np.isfinite(array).all() for array in found.tensors.values())
    return float(found.state["result"]["fraction"]) * 1e6


def reconcile(run: Path) -> float:
    """Fails unless summary.json and metrics.jsonl agree to the last word; the epochs done."""
    summary = json.loads((run / "summary.json").read_text())
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    lines = [line for line in lines if "words" in line]
    words, last = summary["words"], lines[-1]
    assert summary["interrupted"] is True
    assert (
        words["passed"]
        == words["trained"] + words["subsampled"] + words["passed_left_out"]
        == last["words"]
        > 0
    )
    assert all(
        line["words"] == line["trained"] + line["subsampled"] + line["left_out"] for line in lines
    )
    assert sum(line["predictions"] for line in lines) == summary["predictions"] > 0
    return float(summary["epochs_done"])


@pytest.mark.parametrize(("kind", "number"), [("autograd", signal.SIGINT), ("lm", signal.SIGTERM)])
def test_a_signal(kind: str, number: int, corpus: str, tmp_path: Path) -> None:
    with training(tmp_path, kind) as running:
        assert running.end(number) == (128 + number, "run\n")
    what = "model learnt so far is" if kind == "lm" else "vectors learnt so far are"
    assert running.lines[-1].endswith(f"the {what} in run; resume with: w2v train --resume run")
    assert names(tmp_path / "run") == whole(kind)
    assert names(tmp_path) == ["corpus.txt", "run"]
    reconcile(tmp_path / "run")
    done = epochs_of(tmp_path / "run")
    resumed = Running(tmp_path, "--resume", "run", "--quiet", "--no-cache")
    resumed.wait_for(lambda: epochs_of(tmp_path / "run") > done)
    assert resumed.end()[0] == 143
    assert reconcile(tmp_path / "run") > done


@pytest.mark.parametrize("kind", ["hogwild", "lm"])
def test_a_disk_that_fills_up(kind: str, corpus: str, tmp_path: Path) -> None:
    with training(tmp_path, kind) as running:
        limits = resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE)
        # bytes of any file
        resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, (600, limits[1]))
        running.wait_for(
            lambda: any("no checkpoint could be written" in line for line in running.lines)
        )
        kept = running.checkpoints()
        assert running.end() == (1, "")
    warnings = [line for line in running.lines if line.startswith("warning: ")]
    (warning,) = [line for line in warnings if "no checkpoint" in line]
    last = max(kept, key=step)
    assert warning.startswith(
        f"warning: no checkpoint could be written, run/checkpoints/{last} stays the latest one, and"
        " training goes on: cannot write run/checkpoints/step-"
    )
    assert warning.endswith(": File too large: free some space, or mend the folder")
    assert running.lines[-1].startswith("w2v train: cannot write ")
    assert running.lines[-1].endswith(
        f". Kept: run/checkpoints/{last}; to go on: w2v train --resume run"
    )
    assert begun(tmp_path / "run") == BEGUN
    assert running.checkpoints() == kept and names(tmp_path / "run" / "checkpoints") == sorted(kept)
    resumed = Running(tmp_path, "--resume", "run", "--no-cache")
    resumed.wait_for(
        lambda: any("resuming from run/checkpoints/" + last in line for line in resumed.lines)
    )
    resumed.wait_for(lambda: last not in resumed.checkpoints())
    assert resumed.end() == (143, "run\n")
    assert names(tmp_path / "run") == whole(kind)


@pytest.mark.parametrize(
    ("kind", "output", "gone"), [("hogwild", "sub/run", "sub"), ("lm", "run", "run")]
)
def test_an_output_that_vanishes(
    kind: str, output: str, gone: str, corpus: str, tmp_path: Path
) -> None:
    (tmp_path / "sub").mkdir()
    with training(tmp_path, kind, output=output) as running:
        (tmp_path / gone).rename(tmp_path / "elsewhere")  # at one stroke, whatever is being written
        # the run may still be removing something there
        shutil.rmtree(tmp_path / "elsewhere", ignore_errors=True)
        running.wait_for(lambda: running.checkpoints(output))
        assert running.end() == (143, f"{output}\n")
    told = f"warning: {output} was removed while the run was writing to it; it has been made again"
    assert told in running.lines
    assert names(tmp_path / output) == whole(kind)
    assert epochs_of(tmp_path / output) > 0
    assert len(load_vectors(tmp_path / output)) == (42 if kind == "lm" else 40)


@pytest.mark.parametrize("kind", ["hogwild", "lm"])
def test_two_runs_with_one_output(kind: str, corpus: str, process: Run, tmp_path: Path) -> None:
    with training(tmp_path, kind) as running:
        for arguments in (
            ["corpus.txt", *COMMON, *KINDS[kind], "--output", "run", "--overwrite"],
            ["--resume", "run"],
        ):
            second = process("train", *arguments)
            assert (second.returncode, second.stdout) == (2, "")
            assert (
                second.stderr == "w2v train: run is being written by another run (process"
                f" {running.process.pid}): wait until it ends, or name another --output\n"
            )
        assert running.end() == (143, "run\n")
    assert names(tmp_path / "run") == whole(kind)
    assert epochs_of(tmp_path / "run") > 0


@pytest.mark.parametrize("kind", ["hogwild", "lm"])
def test_a_corpus_that_changes_after_it_was_read(
    kind: str, corpus: str, process: Run, tmp_path: Path
) -> None:
    text = (tmp_path / corpus).read_text()
    with training(tmp_path, kind) as running:
        (tmp_path / corpus).write_text(text.replace("w1 ", "w2 w2 "))
        assert running.end() == (143, "run\n")
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    changed = process("train", "--resume", "run", "--no-cache")
    assert (changed.returncode, changed.stdout) == (2, "")
    message = changed.stderr.splitlines()[-1]
    assert message.startswith(
        f"w2v train: run cannot go on: {os.path.realpath(tmp_path)}/corpus.txt has changed ("
    )
    (tmp_path / corpus).unlink()
    gone = process("train", "--resume", "run", "--no-cache")
    told = "--valid" if kind == "lm" else "run cannot go on without the text that it was trained on"
    assert (gone.returncode, gone.stdout) == (2, "")
    assert gone.stderr.splitlines()[-1].startswith(f"w2v train: {told}: no such corpus: ")
    assert {
        path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()
    } == before


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_run(kind: str, corpus: str, process: Run, tmp_path: Path) -> None:
    with training(tmp_path, kind) as running:
        assert running.end(signal.SIGKILL) == (-9, "")
    assert begun(tmp_path / "run") == BEGUN
    assert epochs_of(tmp_path / "run") > 0
    verb = ["eval", "run", "--text", "corpus.txt"] if kind == "lm" else ["nearest", "run", "w1"]
    done = process(*verb)
    what = "model" if kind == "lm" else "vectors"
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"w2v {verb[0]}: run is ") and f"no {what} yet" in done.stderr
    assert done.stderr.endswith(": w2v train --resume run\n")


@pytest.mark.parametrize(
    ("lr", "settings"),
    [("1000", []), ("1000", ["--loss", "hsigmoid"]), ("1e+39", [*KINDS["lm"], "--clip", "0"])],
)
def test_a_rate_at_which_nothing_is_learnt(
    lr: str, settings: list[str], corpus: str, process: Run, tmp_path: Path
) -> None:
    done = process(
        "train", "corpus.txt", *COMMON, *settings, "--lr", lr, "--epochs", "9", "--output", "run"
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("w2v train: the loss became ") and done.stderr.count("\n") == 1
    assert done.stderr.endswith(f"try a smaller --lr (given: {lr}). Nothing was written\n")
    assert names(tmp_path) == ["corpus.txt"]
