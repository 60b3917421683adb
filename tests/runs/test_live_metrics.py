"""metrics.jsonl and TensorBoard's events while a run trains, is killed and goes on."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import w2v
from tests.forks import Fork
from w2v.runs.metrics import Feed, File
from w2v.training.report import SilentReporter

CORPUS = [" ".join(f"w{(7 * i * i + j) % 97}" for j in range(20)) for i in range(400)]


def started(folder: Path, *options: str) -> Fork:
    (folder / "corpus.txt").write_text("\n".join(CORPUS))
    options = ("--min-count", "1", "--dim", "8", "--threads", "1", "-o", "run", *options)
    return Fork("train", "corpus.txt", "--quiet", "--no-cache", *options, folder=folder)


def lines_of(path: Path) -> list[dict[str, Any]]:
    """The lines of a file, which are whole."""
    data = path.read_bytes() if path.exists() else b""
    assert data == b"" or data.endswith(b"\n")
    return [json.loads(line) for line in data.splitlines()]


def killed(folder: Path, *options: str) -> list[dict[str, Any]]:
    """The metrics of a run that is killed after some checkpoints and lines."""
    run = started(folder, "--epochs", "100000000", "--checkpoint-every", "40k", *options)
    until = time.monotonic() + 300
    metrics = folder / "run" / "metrics.jsonl"
    while len(lines_of(metrics)) < 60 or not any((folder / "run" / "checkpoints").iterdir()):
        assert run.poll() is None and time.monotonic() < until
        time.sleep(0.05)
    run.send_signal(signal.SIGKILL)
    run.wait()
    return lines_of(metrics)


def test_they_grow_without_checkpoints_too(tmp_path: Path) -> None:
    run = started(tmp_path, "--epochs", "100000000")
    metrics, until = tmp_path / "run" / "metrics.jsonl", time.monotonic() + 300
    while len(lines_of(metrics)) < 5:
        assert run.poll() is None and time.monotonic() < until
        time.sleep(0.05)
    run.kill()
    run.wait()
    words = [line["words"] for line in lines_of(metrics)]
    assert words == sorted(words)
    assert {each.name for each in (tmp_path / "run").iterdir()} == {
        *("config.yaml", "format_version", "metrics.jsonl", "vocab.tsv")
    }
    again = w2v.train(resume=tmp_path / "run", progress=False, callbacks=[lambda event: "stop"])
    after = lines_of(metrics)
    assert after == again.history[: len(after)] and after[0]["words"] <= words[0]
    # a result is replaced when the new one is whole
    before = (tmp_path / "run" / "vectors.npy").read_bytes()
    seen = []
    w2v.train(
        CORPUS,
        dim=8,
        min_count=1,
        output=tmp_path / "run",
        overwrite=True,
        progress=False,
        callbacks=[lambda _: seen.append((tmp_path / "run" / "vectors.npy").read_bytes())],
    )
    assert seen and set(seen) == {before}


def test_a_killed_run_leaves_whole_lines_and_repeats_none(tmp_path: Path) -> None:
    before = killed(tmp_path)
    words = [line["words"] for line in before]
    assert words == sorted(words) and sum("epoch_loss" in line for line in before) > 10
    checkpoints = sorted((tmp_path / "run" / "checkpoints").iterdir())
    kept = lines_of(checkpoints[-1] / "metrics.jsonl")
    run = w2v.load(tmp_path / "run") if (tmp_path / "run" / "vectors.npy").exists() else None
    assert run is None, "the run was killed before its end"
    again = Fork("train", "--resume", "run", "--quiet", folder=tmp_path)
    until = time.monotonic() + 300
    while len(after := lines_of(tmp_path / "run" / "metrics.jsonl")) < len(before) + 20:
        assert again.poll() is None and time.monotonic() < until
        time.sleep(0.05)
    again.kill()
    again.wait()
    after = lines_of(tmp_path / "run" / "metrics.jsonl")
    assert after[: len(kept)] == kept
    epochs = [line["epoch"] for line in after if "epoch_loss" in line]
    assert epochs == list(range(1, len(epochs) + 1))
    words = [line["words"] for line in after]
    assert words == sorted(words)


def test_the_file_is_what_the_end_writes(tmp_path: Path) -> None:
    seen: list[list[dict[str, Any]]] = []

    def look(event: Any) -> None:
        seen.append(lines_of(tmp_path / "run" / "metrics.jsonl"))

    run = w2v.train(
        CORPUS,
        min_count=1,
        dim=8,
        epochs=4,
        checkpoint_every="1h",
        output=tmp_path / "run",
        callbacks=[look],
        progress=False,
    )
    lines = lines_of(tmp_path / "run" / "metrics.jsonl")
    assert [line for line in run.history if line.get("kind") != "epoch"] == lines
    assert all(each == lines[: len(each)] for each in seen)
    assert any(0 < len(each) < len(lines) for each in seen)


def test_what_cannot_be_written_does_not_end_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    class Reporter(SilentReporter):
        def warn(self, text: str) -> None:
            told.append(text)

    path = tmp_path / "metrics.jsonl"
    feed = Feed([File(path)], 1, Reporter())  # type: ignore[arg-type]
    lines: list[dict[str, Any]] = [{"loss": float(n)} for n in range(5)]
    feed(lines[:3])
    feed(lines[:3])
    assert lines_of(path) == lines[1:3]
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:4]))
    feed(lines[:4])
    feed(lines)
    monkeypatch.undo()
    assert lines_of(path) == lines[1:3]
    assert len(told) == 1 and str(path) in told[0]


def test_without_the_package_a_line_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("w2v.runs.metrics.find_spec", lambda name: None)
    with pytest.raises(w2v.RunError, match=r"`tensorboard` .* pip install tensorboard"):
        w2v.train(CORPUS, tensorboard=tmp_path / "board", output=tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def scalars(folder: Path) -> dict[str, Sequence[Any]]:
    found = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    board = found.EventAccumulator(str(folder), size_guidance={"scalars": 0})
    board.Reload()
    return {name: board.Scalars(name) for name in board.Tags()["scalars"]}


def same_numbers(board: dict[str, Sequence[Any]], lines: list[dict[str, Any]]) -> None:
    for name in ("loss", "lr", "epoch_loss", "validation_loss"):
        measured = [line[name] for line in lines if line.get(name) is not None]
        values = [event.value for event in board.get(name, [])]
        np.testing.assert_allclose(values, measured, rtol=1e-6)
    steps = [event.step for event in board["lr"]]
    assert steps == [line["words"] for line in lines if "lr" in line]


def test_events_hold_the_numbers_of_the_lines(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    (tmp_path / "valid.txt").write_text("\n".join(CORPUS[:40]))
    run = w2v.train(
        CORPUS,
        min_count=1,
        dim=8,
        epochs=3,
        valid=tmp_path / "valid.txt",
        tensorboard=tmp_path / "board",
        output=tmp_path / "run",
        progress=False,
    )
    lines = lines_of(run.path / "metrics.jsonl")
    board = scalars(tmp_path / "board")
    same_numbers(board, lines)
    assert "tensorboard: " + str(tmp_path / "board") in (run.path / "config.yaml").read_text()


def test_events_of_a_run_that_went_on_repeat_none(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    killed(tmp_path, "--tensorboard", "board")
    kept = lines_of(sorted((tmp_path / "run" / "checkpoints").iterdir())[-1] / "metrics.jsonl")
    time.sleep(1.1)  # the names of the files hold the second, and are read in their order
    run = w2v.train(resume=tmp_path / "run", callbacks=[lambda event: "stop"], progress=False)
    lines = lines_of(run.path / "metrics.jsonl")
    assert lines[: len(kept)] == kept
    same_numbers(scalars(tmp_path / "board"), lines)
