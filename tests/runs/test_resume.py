"""Runs that end early and are gone on with: the same bytes as a run in one piece."""

import dataclasses
import json
import threading
from pathlib import Path

import pytest

from tests.resumption import (
    Killed,
    StopAfter,
    Told,
    go_on,
    kill,
    killed_after,
    plain,
    steps,
    vectors,
)
from w2v.errors import InputError, RunError
from w2v.runs.checkpoint import load_checkpoint
from w2v.runs.resume import comparable, finished, resumed_config
from w2v.training.schedule import Schedule
from w2v.words.fused import HogwildEngine

pytestmark = pytest.mark.usefixtures("prompt")

RUNS = {
    "neg": {"loss": "neg", "sample": 0.01},
    "hsigmoid": {"loss": "hsigmoid"},
    "nce": {"loss": "nce", "nce_bias": "true", "nce_log_z": "learned"},
    "softmax": {"loss": "softmax", "batch_size": 1000},
    "adam": {
        "loss": "nce",
        "nce_log_z": "learned",
        "nce_bias": "true",
        "optimizer": "sparse-adam",
        "batch_size": 1000,
    },
    "subwords": {"loss": "neg", "subwords": "2-3", "buckets": 500},
    "softmax of subwords": {
        "loss": "softmax",
        "subwords": "2-3",
        "buckets": 500,
        "batch_size": 1000,
    },
    "cbow": {
        "model": "cbow",
        "loss": "adaptive-softmax",
        "cutoffs": "8,30",
        "div_value": 2,
        "batch_size": 1000,
    },
}


@pytest.mark.parametrize("name", RUNS)
def test_a_killed_run_ends_in_the_same_bytes(train, zipf_lines, monkeypatch, name):
    settings = {**RUNS[name], "epochs": 3, "checkpoint_every": "0.5k"}
    whole = train(zipf_lines, output="whole", **settings)
    kill(train, zipf_lines, monkeypatch, 5, **settings)
    assert not (Path("run") / "vectors.npy").exists()
    assert steps() == [4, 5]
    with monkeypatch.context() as patch:  # and once more, further on
        killed_after(patch, 4)
        with pytest.raises(Killed):
            go_on()
    assert steps() == [8, 9]
    summary = go_on()
    assert vectors("run") == vectors("whole")
    assert plain(summary) == plain(whole.summary)
    last = [
        load_checkpoint(Path(path) / "checkpoints" / f"step-{steps(path)[-1]}")
        for path in ("run", "whole")
    ]
    for key, array in last[0].tensors.items():
        assert array.tobytes() == last[1].tensors[key].tobytes(), key
    for key in ("settings", "schedule", "watchers"):
        assert last[0].state[key] == last[1].state[key]
    for key in ("total", "epochs", "fraction"):
        assert last[0].state["result"][key] == last[1].state["result"][key]


def test_the_metrics_reconcile_across_a_resumption(train, zipf_lines, monkeypatch):
    monkeypatch.setattr("w2v.training.trainer.REPORT_SECONDS", 0.0)
    monkeypatch.setattr("w2v.training.trainer.METRICS_SECONDS", 0.0)
    monkeypatch.setattr("w2v.training.trainer.POLL_SECONDS", 0.001)
    slow = HogwildEngine.train

    def train_slowly(self, block, lr, thread=0):
        threading.Event().wait(0.004)
        return slow(self, block, lr, thread)

    monkeypatch.setattr(HogwildEngine, "train", train_slowly)
    settings = {"sample": 0.01, "min_count": 30, "epochs": 10, "checkpoint_every": "0.5k"}
    kill(train, zipf_lines, monkeypatch, 40, **settings)
    summary = go_on()
    lines = [json.loads(line) for line in (Path("run") / "metrics.jsonl").read_text().splitlines()]
    assert len(lines) > 20
    words = summary.words
    assert words.passed == 10 * words.read == 10 * sum(map(len, zipf_lines))
    assert words.passed == words.trained + words.subsampled + words.passed_left_out
    for line in lines:
        assert line["words"] == line["trained"] + line["subsampled"] + line["left_out"]
    for name in ("seconds", "words", "trained", "subsampled", "left_out", "fraction"):
        values = [line[name] for line in lines]
        assert values == sorted(values), name
    last = lines[-1]
    assert (
        last["words"],
        last["trained"],
        last["subsampled"],
        last["left_out"],
        last["fraction"],
    ) == (words.passed, words.trained, words.subsampled, words.passed_left_out, 1)
    state = json.loads(
        (Path("run") / "checkpoints" / f"step-{steps()[-1]}" / "state.json").read_text()
    )["result"]
    assert sum(line["predictions"] for line in lines) == state["total"]["predictions"]
    booked = sum(line["predictions"] * (line["loss"] or 0) for line in lines)
    assert booked == pytest.approx(state["total"]["loss"], rel=1e-12)
    assert sum(tally["loss"] for tally in state["epochs"]) == pytest.approx(
        state["total"]["loss"], rel=1e-12
    )
    assert json.loads((Path("run") / "summary.json").read_text())["words"] == dataclasses.asdict(
        words
    )


@pytest.mark.parametrize("every", [None, "1h"])
def test_a_stopped_run_can_always_go_on(train, zipf_lines, every):
    settings = {} if every is None else {"checkpoint_every": every}
    whole = train(zipf_lines, output="whole", epochs=4, **settings)
    stopped = train(zipf_lines, output="run", epochs=4, stop=StopAfter(15), **settings)
    assert stopped.summary.interrupted and 0 < stopped.summary.epochs_done < 4
    assert stopped.summary.checkpoint == str(Path("run") / "checkpoints" / f"step-{steps()[-1]}")
    assert len(stopped.matrix) == 60
    summary = go_on()
    assert vectors("run") == vectors("whole")
    assert plain(summary) == plain(whole.summary)
    assert (Path("run") / "checkpoints").exists() == (every is not None)
    assert json.loads((Path("run") / "summary.json").read_text())["interrupted"] is False


def test_a_stopped_run_whose_state_cannot_be_saved_keeps_its_vectors(
    train, zipf_lines, monkeypatch
):
    def no_space(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("w2v.runs.checkpoint.write_file", no_space)
    told = Told()
    stopped = train(zipf_lines, output="run", epochs=4, stop=StopAfter(15), reporter=told)
    assert (stopped.summary.interrupted, stopped.summary.checkpoint) == (True, None)
    assert told.said[-1].startswith(
        "the run cannot be resumed, its state could not be saved: cannot write"
    )
    assert len(stopped.matrix) == 60
    assert steps() == []
    with pytest.raises(InputError, match="run holds a result but no checkpoint"):
        go_on()


def test_a_vector_file_keeps_no_checkpoint(train, zipf_lines):
    stopped = train(zipf_lines, output="v.npy", epochs=4, stop=StopAfter(15))
    assert stopped.summary.interrupted and stopped.summary.checkpoint is None
    with pytest.raises(
        InputError,
        match=r"`checkpoint_every` needs a run directory, but `output` w.bin is a vector",
    ):
        train(zipf_lines, output="w.bin", checkpoint_every="0.5k")


def test_killed_before_the_first_checkpoint_begins_anew(train, zipf_lines, monkeypatch):
    whole = train(zipf_lines, output="whole", checkpoint_every="1h")
    kill(train, zipf_lines, monkeypatch, 5, checkpoint_every="1h")
    assert steps() == []
    told = Told()
    assert plain(go_on(reporter=told)) == plain(whole.summary)
    assert "run has no checkpoint yet: training starts from the beginning" in told.said
    assert vectors("run") == vectors("whole")


def test_killed_between_the_last_checkpoint_and_the_result(train, zipf_lines):
    whole = train(zipf_lines, output="run", checkpoint_every="0.5k")
    expected = vectors("run")
    for name in ("vectors.npy", "summary.json", "metrics.jsonl"):
        (Path("run") / name).unlink()
    assert plain(go_on()) == plain(whole.summary)
    assert vectors("run") == expected


@pytest.mark.parametrize("blocks", [None, 12])  # whole epochs trained, or half of them
def test_epochs_may_grow(train, zipf_lines, monkeypatch, blocks):
    if blocks is None:
        train(zipf_lines, output="run", checkpoint_every="0.5k", keep=1)
    else:
        kill(train, zipf_lines, monkeypatch, blocks, checkpoint_every="0.5k", keep=1)
    (before,) = (Path("run") / "checkpoints").iterdir()
    bounds = load_checkpoint(before).bounds
    rates = []
    original = HogwildEngine.train

    def train_and_note(self, block, lr, thread=0):
        if block.stop:
            rates.append((block.epoch, block.index, lr))
        return original(self, block, lr, thread)

    monkeypatch.setattr(HogwildEngine, "train", train_and_note)
    summary = go_on(epochs=5)
    done, per_epoch = int(before.name.removeprefix("step-")), len(bounds) - 1
    expected = [divmod(number, per_epoch) for number in range(done, 5 * per_epoch)]
    assert [(epoch, index) for epoch, index, _ in rates] == expected
    schedule = Schedule(0.025)
    for epoch, index, lr in rates:
        assert lr == pytest.approx(schedule.rate((epoch + bounds[index] / bounds[-1]) / 5))
    assert (summary.epochs, summary.epochs_done, summary.interrupted) == (5, 5, False)
    assert summary.words.passed == 5 * summary.words.read
    assert resumed_config(Path("run"), {}).training.epochs == 5
    assert finished(Path("run"), resumed_config(Path("run"), {})) is not None


def test_a_failing_run_says_what_is_kept(train, zipf_lines, monkeypatch):
    told = Told()
    with monkeypatch.context() as patch:
        killed_after(patch, 6, RunError("x"))
        with pytest.raises(
            RunError, match=r"x. Kept: run/checkpoints/step-\d+; to go on: `resume` run"
        ):
            train(zipf_lines, output="run", checkpoint_every="0.5k", reporter=told)
    with monkeypatch.context() as patch:
        killed_after(patch, 6)
        with pytest.raises(Killed):
            go_on(reporter=told)
    assert told.said[-1].startswith("the run has failed. Kept: run/checkpoints/step-")


def test_a_run_from_before_a_setting_goes_on(train, zipf_lines, monkeypatch):
    """Settings that a checkpoint does not know have the values that they had not to be named."""
    settings = {"epochs": 3, "checkpoint_every": "0.5k"}
    whole = train(zipf_lines, output="whole", **settings)
    new = ("tokenizer", "sentences", "phrases")

    def without(config):
        return {name: value for name, value in comparable(config).items() if name not in new}

    with monkeypatch.context() as patch:
        patch.setattr("w2v.runs.saving.comparable", without)
        kill(train, zipf_lines, patch, 5, **settings)
    recipe = Path("run/config.yaml")
    lines = [line for line in recipe.read_text().splitlines() if line.split(":")[0] not in new]
    recipe.write_text("\n".join(lines) + "\n")
    assert go_on().words == whole.summary.words
    assert vectors("run") == vectors("whole")
