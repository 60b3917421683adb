"""The trainings of a comparison, each in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.comparison.conftest import LM, Verb
from w2v.comparison.child import Job, train_apart
from w2v.comparison.compare import Comparison
from w2v.comparison.table import Row, load_table
from w2v.settings.build import build_config
from w2v.training.report import Progress, SilentReporter


def job(folder: Path, text: str, **settings: str) -> Job:
    """A training of an hour in `folder`, unless the settings say otherwise."""
    corpus = folder / "corpus.txt"
    if not corpus.exists():
        corpus.write_text(text)
    given = {"epochs": "100000000", "threads": "1", "dim": "4", "min_count": "1", **settings}
    config = build_config({"corpus": (str(corpus),), "output": str(folder / "run"), **given})
    return Job(Row("neg", "neg", "training"), config, False, False, {})


class Watching(SilentReporter):
    """Sets `began` once training goes on, and then does something."""

    def __init__(self, then: Callable[[], None]) -> None:
        self.began, self._then = threading.Event(), then

    def training(self, progress: Progress) -> None:
        if not self.began.is_set():
            self.began.set()
            self._then()


TEXT = "a b c d e f\nb a d c f e\n" * 40


def children() -> set[int]:
    """The processes that this one has started."""
    found = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return {*map(int, found)}


@pytest.mark.usefixtures("quick_children")
def test_a_training_is_stopped_softly(tmp_path: Path) -> None:
    stop = threading.Event()
    row = train_apart(job(tmp_path, TEXT), Watching(stop.set), stop)
    assert (row.status, row.problem) == ("interrupted", "stopped before the end")
    assert 5e6 < (row.peak_memory_bytes or 0) < 5e9
    assert any((tmp_path / "run" / "checkpoints").iterdir())
    row = train_apart(replace(job(tmp_path, TEXT), resume=True), Watching(stop.set), stop)
    assert row.status == "interrupted"


def test_a_killed_child_is_told_in_one_line(tmp_path: Path) -> None:
    before = children()  # such as the one that forks for other tests

    def kill() -> None:
        (child,) = children() - before
        os.kill(child, signal.SIGKILL)

    row = train_apart(job(tmp_path, TEXT), Watching(kill), threading.Event())
    assert (row.status, row.problem) == ("failed", "killed by SIGKILL, perhaps for lack of memory")


@pytest.mark.usefixtures("quick_children")
def test_what_fails_in_the_child_is_told(tmp_path: Path) -> None:
    row = train_apart(job(tmp_path, "a a a"), SilentReporter(), threading.Event())
    assert row.status == "failed" and str(row.problem).startswith(
        "the corpus repeats a single word"
    )


@pytest.mark.usefixtures("quick_children")
def test_nothing_is_kept_of_a_stop_before_training(tmp_path: Path) -> None:
    """A FIFO without a writer keeps the child waiting until it is told."""
    os.mkfifo(tmp_path / "corpus.txt")
    stop = threading.Event()
    threading.Timer(2, stop.set).start()
    row = train_apart(job(tmp_path, TEXT), SilentReporter(), stop)
    assert (row.status, row.problem) == ("interrupted", "stopped before there was anything to save")
    assert not (tmp_path / "run").exists()


def test_from_python(tmp_path: Path) -> None:
    (tmp_path / "corpus.txt").write_text(TEXT)
    (tmp_path / "q.txt").write_text(": capitals\na b c d\n")
    compared = Comparison(
        tmp_path / "corpus.txt",
        {"neg": {"noise_power": "0.5"}, "tree": {"loss": "hsigmoid"}},
        {"dim": "4", "threads": "1", "epochs": "1", "min_count": "1"},
        output=tmp_path / "compared",
        questions=tmp_path / "q.txt",
        use_cache=False,
    ).run()
    assert [(row["name"], row["loss"], row["status"]) for row in compared.rows] == [
        ("neg", "neg", "done"),
        ("tree", "hsigmoid", "done"),
    ]
    assert [row["settings"].get("noise_power") for row in compared.rows] == [0.5, None]
    assert all(row["accuracy"] in (0, 1) for row in compared.rows)
    heading, *lines = compared.table().splitlines()
    assert heading.split()[:4] == ["name", "loss", "status", "accuracy"]
    assert [line.split()[0] for line in lines] == ["neg", "tree"]


@pytest.mark.usefixtures("quick_children")
def test_two_losses_end_to_end(verb: Verb, tmp_path: Path) -> None:
    more = [
        "--dim",
        "6",
        "--epochs",
        "2",
        "--batch-size",
        "2",
        "--bptt",
        "5",
        "--threads",
        "1",
        "--layers",
        "1",
    ]
    status, out, err = verb(*LM, *more, "--losses", "softmax,hsigmoid", "--lr", "2")
    assert status == 0, err
    for line in out.splitlines():
        name, perplexity, seconds, speed, speedup, memory, state = line.split("\t")
        assert 1 < float(perplexity) < 30 and state == "done"
        assert float(seconds) > 0 and float(speed) > 0 and float(speedup) > 0
        assert int(memory) > 1e8
        summary = json.loads((tmp_path / "c" / name / "summary.json").read_text())
        assert summary["validation"]["perplexity"] == pytest.approx(float(perplexity), rel=1e-4)
    rows = load_table(tmp_path / "c")
    assert [len(row.curve) for row in rows.values()] == [2, 2]
    assert min(value for _, value in rows["softmax"].curve) == rows["softmax"].perplexity
