"""What the tests of faults share: a small run that is saved on its way, and what is to be found in
its directory."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from w2v.words.fused import HogwildEngine

from .conftest import Run

TRAIN = [
    "train",
    "corpus.txt",
    "--dim",
    "8",
    "--epochs",
    "6",
    "--min-count",
    "1",
    "--threads",
    "1",
    "--quiet",
]
SAVED = [*TRAIN, "--output", "run", "--checkpoint-every", "0.3k"]
WHOLE = [
    "checkpoints",
    "config.yaml",
    "format_version",
    "metrics.jsonl",
    "summary.json",
    "vectors.npy",
    "vocab.tsv",
]
BEGUN = ["checkpoints", "config.yaml", "format_version", "vocab.tsv"]


def begun(run: Path) -> list[str]:
    """The names in a run directory but for metrics.jsonl, which grows while the run goes on."""
    return [name for name in names(run) if name != "metrics.jsonl"]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def step(name: str) -> int:
    """The number in a checkpoint's name."""
    return int(name.removeprefix("step-"))


def at_block(monkeypatch: pytest.MonkeyPatch, number: int, action: Callable[[], object]) -> None:
    """Something happens when so many blocks have been trained."""
    original, left = HogwildEngine.train, [number]

    def train(self: HogwildEngine, block: Any, lr: float, thread: int = 0) -> Any:
        if block.stop:
            left[0] -= 1
            if left[0] == -1:
                for each in threading.enumerate():
                    if each.name == "checkpoint":
                        each.join()
                action()
        return original(self, block, lr, thread)

    monkeypatch.setattr(HogwildEngine, "train", train)


def reference(w2v: Run, folder: Path) -> bytes:
    """The vectors of a run in which nothing goes wrong."""
    done = w2v(*TRAIN, "--output", "whole")
    assert done.returncode == 0, done
    return (folder / "whole" / "vectors.npy").read_bytes()


def resumed(w2v: Run, folder: Path) -> bytes:
    done = w2v("train", "--resume", "run", "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "run\n", ""), done
    assert names(folder / "run") == WHOLE, names(folder / "run")
    return (folder / "run" / "vectors.npy").read_bytes()
