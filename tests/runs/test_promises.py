"""What a run says before the long part: of its threads, its disk, and what is not as it was."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import yaml

from tests.resumption import StopAfter, Told, go_on, vectors
from w2v.errors import RunError
from w2v.runs.checkpoint import save_checkpoint

TEXT = [["a", "b", "c", "d"], ["b", "a"], ["c", "e", "a", "b"]] * 40


def rows_of(path: str) -> list[dict]:
    """The rows at an epoch's end."""
    lines = (Path(path) / "metrics.jsonl").read_text().splitlines()
    return [row for row in map(json.loads, lines) if "epoch_loss" in row]


@pytest.mark.parametrize(
    "settings",
    [{}, {"threads": 2}, {"threads": 2, "deterministic": "true"}, {"loss": "softmax"}],
    ids=["one thread", "threads", "rounds", "autograd"],
)
def test_a_row_for_every_epoch(train, folder, settings):
    trained = train(TEXT, output="run", epochs=4, checkpoint_every="1h", **settings)
    rows = rows_of("run")
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    assert rows[-1]["epoch_loss"] == trained.summary.final_loss
    of_history = [line for line in trained.summary.history if line.get("kind") == "epoch"]
    assert [line["loss"] for line in of_history] == [row["epoch_loss"] for row in rows]
    go_on("run", epochs=6)
    assert [row["epoch"] for row in rows_of("run")] == [1, 2, 3, 4, 5, 6]


def test_a_row_for_every_epoch_through_a_stop(train, folder):
    whole = train(TEXT, output="whole", epochs=60)
    stopped = train(TEXT, output="run", epochs=60, stop=StopAfter(30))
    done = int(stopped.summary.epochs_done)
    assert [row["epoch"] for row in rows_of("run")] == [*range(1, done + 1)]
    go_on("run")
    losses, expected = (
        [row["epoch_loss"] for row in rows_of(path)] for path in ("run", str(whole.path))
    )
    assert losses == expected


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_are_part_of_the_promise(train, folder, threads):
    told = Told()
    train(TEXT, output="run", threads=threads, deterministic="true", reporter=told)
    assert any("`deterministic`" in line and f"`threads` {threads}" in line for line in told.said)
    assert yaml.safe_load(Path("run/config.yaml").read_text())["threads"] == threads


def test_another_machine_is_noted(train, folder, monkeypatch):
    train(TEXT, output="run", checkpoint_every="1h")
    state = next(Path("run/checkpoints").glob("step-*")) / "state.json"
    made = json.loads(state.read_text())["made_with"]
    assert {"processor", "numpy", "numba"} <= made.keys()
    told = Told()
    go_on("run", epochs=3, reporter=told)
    assert not any("bit for bit" in line for line in told.said)
    monkeypatch.setattr("w2v.runs.resume.made_with", lambda: {**made, "numba": "7"})
    go_on("run", epochs=4, reporter=told)
    (line,) = [line for line in told.said if "bit for bit" in line]
    assert "numba 7" in line and made["numba"] in line and "numpy" not in line


@pytest.mark.parametrize("small_disk", [32], indirect=True)
def test_a_disk_that_is_too_small_is_told_before_training(train, small_disk, monkeypatch):
    monkeypatch.setattr("w2v.run._train", lambda *given: pytest.fail("it has begun"))
    lines = [[f"w{i}", f"w{i + 1}"] for i in range(700)]
    with pytest.raises(RunError, match="No space left on device: the result takes"):
        train(lines, output=small_disk / "run")
    assert not list(small_disk.iterdir())


def test_what_is_lost_when_a_run_keeps_no_checkpoint(train, folder):
    class Warned(Told):
        def warn(self, text):
            self.said.append(f"warning: {text}")

    for every, lost in ({}, True), ({"checkpoint_every": "1h"}, False):
        train(TEXT, output="old", overwrite="true", **every)
        told = Warned()
        train(TEXT, output="new", overwrite="true", init="old", reporter=told)
        warned = [line for line in told.said if "the output layer starts" in line]
        assert len(warned) == lost and all(line.startswith("warning") for line in warned)
        assert all("`checkpoint_every`" in line for line in warned)
    assert vectors("new")


@pytest.mark.parametrize("every", ["1G", "100h", "1k"])
def test_every_epoch_ends_with_a_checkpoint_however_slowly_they_are_written(
    train, folder, monkeypatch, every
):
    def slow(*arguments):
        time.sleep(0.05)
        return save_checkpoint(*arguments)

    monkeypatch.setattr("w2v.runs.checkpointer.save_checkpoint", slow)
    trained = train(TEXT, output="run", epochs=5, checkpoint_every=every, keep=100)
    steps = {int(path.name.removeprefix("step-")) for path in Path("run/checkpoints").iterdir()}
    per_epoch = max(steps) // 5
    assert trained.summary.epochs_done == 5
    assert steps >= {per_epoch * epoch for epoch in range(1, 6)}
