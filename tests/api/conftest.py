"""What all tests of the public face share: a text, small settings, a place of their own."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import w2v

ROOT = Path(__file__).parent.parent.parent
SMALL: Any = {
    "dim": 8,
    "min_count": 1,
    "sample": 0,
    "epochs": 2,
    "threads": 1,
    "window": 3,
    "progress": False,
}
LM: Any = {
    "model": "lm",
    "optimizer": "sgd",
    "dim": 8,
    "layers": 1,
    "epochs": 2,
    "threads": 1,
    "batch_size": 4,
    "bptt": 8,
    "progress": False,
}


def _numbers() -> list[list[int]]:
    draw = random.Random(1)
    return [
        [int(30 * draw.random() ** 2) for _ in range(draw.randrange(3, 15))] for _ in range(100)
    ]


NUMBERS = _numbers()
TOKENS = [[str(number) for number in line] for line in NUMBERS]
LINES = [" ".join(line) for line in TOKENS]


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory, a cache and a folder for temporary files of the test's own."""
    for name in ("work", "cache", "tmp"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("W2V_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))


@pytest.fixture
def corpus() -> Path:
    path = Path("corpus.txt")
    path.write_text("".join(line + "\n" for line in LINES))
    return path


@pytest.fixture
def left(tmp_path: Path) -> Any:
    """What is in the folder for temporary files."""
    return lambda: sorted(path.name for path in (tmp_path / "tmp").iterdir())


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + 300
    while new := set(threading.enumerate()) - before:
        assert time.monotonic() < deadline, new
        time.sleep(0.01)


def matrix(run: w2v.Run) -> np.ndarray:
    return np.array(run.vectors.matrix)


@pytest.fixture
def polled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run reports, and sees whether it is to stop, every millisecond."""
    for name in ("POLL_SECONDS", "REPORT_SECONDS"):
        monkeypatch.setattr(f"w2v.training.trainer.{name}", 0.001)


def lines_once() -> Iterator[str]:
    yield from LINES


def python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        timeout=300,
    )
