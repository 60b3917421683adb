"""What the tests of comparisons share: a stand-in for a training, and the verb."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.forks import Fork
from w2v.cli.app import main
from w2v.comparison import compare as module
from w2v.comparison.child import Job, figures_of, scored
from w2v.comparison.table import Row, Score
from w2v.training.report import Reporter

SPEED = {"softmax": 1000.0, "nce": 4000.0, "hsigmoid": 5000.0}


class StandIn:
    """train_apart that leaves a run directory and a row as a training would, and remembers its
    jobs."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self.failing: dict[str, str] = {}
        self.interrupted = False

    def __call__(self, job: Job, reporter: Reporter, stop: threading.Event) -> Row:
        self.jobs.append(job)
        row = job.row
        folder = Path(str(job.config.output.output))
        reporter.stage(f"{row.name}: training")
        if row.loss in self.failing:
            return replace(row, status="failed", problem=self.failing[row.loss])
        assert folder.is_dir() == job.resume or job.config.output.overwrite
        folder.mkdir(exist_ok=True)
        (folder / "metrics.jsonl").write_text(
            '{"seconds": 4.0, "fraction": 0.5, "epoch": 1}\n{"epoch": 1, "validation_perplexity":'
            ' 90.0, "seconds": 7}\n{"seconds": 10.0, "fraction": 1.0, "epoch": 2}\n{"epoch": 2,'
            ' "validation_perplexity": 80.5}\n'
        )
        summary: dict[str, Any] = {
            "epochs": 2,
            "epochs_done": 2.0,
            "seconds": {"training": 10.0},
            "words_per_second": SPEED.get(row.loss, 1.0),
            "interrupted": self.interrupted,
        }
        if job.config.model.model == "lm":
            summary["validation"] = {"perplexity": 80.5}
        figures = figures_of(summary, folder)
        results = [Score(name, "analogies", 0.25, 0.125, 0.5, 0.75) for name in job.sets]
        figures |= scored(results)
        return replace(row, **figures, peak_memory_bytes=123_000_000)

    @property
    def trained(self) -> list[str]:
        return [Path(str(job.config.output.output)).name for job in self.jobs if not job.resume]


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    found = StandIn()
    monkeypatch.setattr(module, "train_apart", found)
    return found


class Child(Fork):
    """A child that is forked from a process that has imported everything; gets its end of the pipe
    as its stdin."""

    def __init__(self, command: list[str], *, pass_fds: list[int], **given: Any) -> None:
        nothing = os.open(os.devnull, os.O_RDWR)
        streams, code = (pass_fds[0], nothing, nothing), command[2]
        super().__init__("0", folder=Path.cwd(), changes=given["env"], code=code, streams=streams)
        os.close(nothing)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)


@pytest.fixture
def quick_children(monkeypatch: pytest.MonkeyPatch) -> None:
    instead = SimpleNamespace(Popen=Child, DEVNULL=subprocess.DEVNULL)
    monkeypatch.setattr("w2v.comparison.child.subprocess", instead)


Verb = Callable[..., tuple[int, str, str]]


@pytest.fixture
def verb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Verb:
    """`w2v compare` in an empty directory: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("W2V_CACHE_DIR", str(tmp_path / "cache"))
    for name in ("text.txt", "valid.txt"):
        (tmp_path / name).write_text("a b c d e f\nb a d c f e\n" * 40)

    def run(*arguments: str) -> tuple[int, str, str]:
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            status = main(["compare", *arguments])
        for stream in (out, err):
            stream.flush()
        # type: ignore[attr-defined]
        return status, out.buffer.getvalue().decode(), err.buffer.getvalue().decode()

    return run


LM = ["text.txt", "--model", "lm", "--valid", "valid.txt", "--output", "c"]
