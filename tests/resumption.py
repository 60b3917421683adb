"""What the tests of runs that end early share: ways to end a run, to go on with it, and to compare
what it leaves."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.trained import run
from w2v.runs.resume import resumed_config
from w2v.training.report import RunSummary, SilentReporter
from w2v.words.autograd import AutogradEngine
from w2v.words.fused import HogwildEngine


class Killed(Exception):
    """Ends a run in the midst of training, as if the process had died."""


class StopAfter:
    """A stop signal that becomes set once it has been asked so often; by then some blocks have been
    trained."""

    def __init__(self, asked: int) -> None:
        self.left = asked

    def is_set(self) -> bool:
        self.left -= 1
        return self.left < 0


class StopAt(SilentReporter):
    """Stops the run once the fraction is reached."""

    def __init__(self, stop: threading.Event, fraction: float) -> None:
        self.stop, self.fraction = stop, fraction

    def training(self, progress) -> None:
        if progress.fraction >= self.fraction:
            self.stop.set()


class Told(SilentReporter):
    """Keeps what people would read."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text):
        self.said.append(text)

    warn = stage = note


def killed_after(monkeypatch, blocks: int, error: BaseException | None = None) -> None:
    """Lets both engines train so many blocks and no more."""
    left = [blocks]

    def failing(original):
        def train(self, block, lr, thread=0):
            if block.stop > block.start:  # not when a kernel is only warmed up
                left[0] -= 1
                if left[0] < 0:
                    raise error or Killed
            return original(self, block, lr, thread)

        return train

    for engine in (HogwildEngine, AutogradEngine):
        monkeypatch.setattr(engine, "train", failing(engine.train))


def kill(train, lines, monkeypatch, blocks, **settings):
    with monkeypatch.context() as patch:
        killed_after(patch, blocks)
        with pytest.raises(Killed):
            train(lines, output="run", **settings)


def go_on(
    path: str = "run", *, reporter=None, use_cache: bool = False, **given: object
) -> RunSummary:
    config = resumed_config(Path(path), {name: str(value) for name, value in given.items()})
    return run(
        config,
        use_cache=use_cache,
        reporter=reporter or SilentReporter(),
        stop=threading.Event(),
        resume=Path(path),
    )


def plain(summary: RunSummary) -> dict:
    """What two equal runs have in common."""
    values = summary.as_dict()
    for name in ("output", "seconds", "words_per_second", "checkpoint"):
        del values[name]
    return values


def vectors(path: str) -> bytes:
    return (Path(path) / "vectors.npy").read_bytes()


def steps(path: str = "run") -> list[int]:
    return sorted(
        int(entry.name.removeprefix("step-")) for entry in (Path(path) / "checkpoints").iterdir()
    )
