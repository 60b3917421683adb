"""Real training runs in a test's own folder, on corpora written from lines of words."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import w2v.run
from w2v.settings.build import build_config
from w2v.settings.config import Config
from w2v.training.report import Plan, Reporter, RunSummary, SilentReporter
from w2v.training.task import Context
from w2v.vectors import WordVectors, load_vectors

# few kernels, small rows; a test that wants something else says so
DEFAULTS = {
    "dim": "16",
    "min_count": "1",
    "sample": "0",
    "epochs": "2",
    "threads": "1",
    "window": "3",
}


@dataclass(frozen=True)
class Trained:
    """A finished run."""

    summary: RunSummary
    path: Path

    @property
    def vectors(self) -> WordVectors:
        return load_vectors(self.path)

    @property
    def matrix(self) -> np.ndarray:
        return np.array(self.vectors.matrix)


Train = Callable[..., Trained]


def run(
    config: Config,
    *,
    use_cache: bool = False,
    reporter: Reporter | None = None,
    stop: threading.Event | None = None,
    resume: Path | None = None,
) -> RunSummary:
    """A run, of which nobody hears and which nobody stops, unless the test says so."""
    reporter, stop = reporter or SilentReporter(), stop or threading.Event()
    return w2v.run.run(Context(config, reporter, stop, use_cache, resume))


def plan(config: Config, *, use_cache: bool = False, reporter: Reporter | None = None) -> Plan:
    """What the run would do."""
    return w2v.run.plan(Context(config, reporter or SilentReporter(), use_cache=use_cache))


def only_so_much_memory(monkeypatch: pytest.MonkeyPatch, free: int | None) -> None:
    """Lets every engine find so many bytes free."""
    for module in ("w2v.words.fused", "w2v.words.cost", "w2v.lm.task"):
        monkeypatch.setattr(f"{module}.available_memory", lambda: free)


def write_corpus(path: Path, lines: Iterable[Sequence[str]]) -> None:
    """One line per sentence, words separated by blanks."""
    path.write_text("".join(" ".join(line) + "\n" for line in lines))


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is cached for the user."""
    monkeypatch.setenv("W2V_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def polled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run reports, and sees whether it is to stop, every millisecond."""
    for name in ("POLL_SECONDS", "REPORT_SECONDS"):
        monkeypatch.setattr(f"w2v.training.trainer.{name}", 0.001)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The empty working directory of a test's runs."""
    place = tmp_path / "work"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


@pytest.fixture
def train(folder: Path) -> Train:
    """train(lines, dim=…, …): trains on lines of words (or on files, given as strings) and returns
    a Trained."""

    def call(
        corpus: Sequence[Any],
        *,
        reporter: Reporter | None = None,
        stop: threading.Event | None = None,
        yaml: Path | None = None,
        **settings: object,
    ) -> Trained:
        names: tuple[str, ...] | None = ("corpus.txt",)
        if corpus and isinstance(corpus[0], str):
            names = tuple(corpus)
        elif corpus:
            write_corpus(folder / "corpus.txt", corpus)
        given = {
            **({} if yaml else DEFAULTS),
            **{name: str(value) for name, value in settings.items()},
        }
        config = build_config({"corpus": names if corpus else None, **given}, yaml)
        summary = run(
            config,
            use_cache=False,
            reporter=reporter or SilentReporter(),
            stop=stop or threading.Event(),
        )
        return Trained(summary, folder / summary.output)

    return call


@pytest.fixture
def zipf_lines() -> list[list[str]]:
    """400 lines of 0 to 39 words, 60 distinct ones, word i about 1 / (i + 1) as often as the
    first."""
    generator = np.random.default_rng(5)
    share = 1 / np.arange(1, 61)
    draw = generator.choice(60, 20_000, p=share / share.sum())
    cuts = np.cumsum(generator.integers(0, 40, 400))
    return [[f"w{i}" for i in part] for part in np.split(draw[: cuts[-1]], cuts[:-1])]
