"""Runs that end early and are gone on with: the same bytes as a run in one piece, or a refusal that says why."""

import dataclasses
import json
import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from w2v.checkpoint import load_checkpoint
from w2v.errors import InputError, RunError
from w2v.training.autograd import AutogradEngine
from w2v.training.checkpoints import Checkpointer
from w2v.training.hogwild import HogwildEngine
from w2v.training.report import RunSummary, SilentReporter
from w2v.training.resume import finished, resumed_config
from w2v.training.run import run
from w2v.training.schedule import LinearDecay

ENGINES = {"hogwild": HogwildEngine, "autograd": AutogradEngine}
RUNS = {
    "neg": {"loss": "neg", "sample": 0.01},
    "hsigmoid": {"loss": "hsigmoid"},
    "nce": {"loss": "nce", "nce_bias": "true", "nce_log_z": "learned"},
    "softmax": {"loss": "softmax", "batch_size": 1000},
    "adam": {"loss": "nce", "nce_log_z": "learned", "nce_bias": "true", "optimizer": "sparse-adam", "batch_size": 1000},
    "cbow": {"model": "cbow", "loss": "adaptive-softmax", "cutoffs": "8,30", "div_value": 2, "batch_size": 1000},
}


class Killed(Exception):
    """Ends a run in the midst of training, as if the process had died."""


class Told(SilentReporter):
    """Keeps what people would read."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text):
        self.said.append(text)

    warn = stage = note


@pytest.fixture(autouse=True)
def prompt(monkeypatch):
    """Every checkpoint that is due is taken, whether the disk is fast or not; and nothing is cached for the user."""

    def wait(self):
        self.close()
        return False

    monkeypatch.setattr(Checkpointer, "_busy", wait)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("W2V_CACHE_DIR", str(tmp_path / "cache"))


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

    for engine in ENGINES.values():
        monkeypatch.setattr(engine, "train", failing(engine.train))


def kill(train, lines, monkeypatch, blocks, **settings):
    with monkeypatch.context() as patch:
        killed_after(patch, blocks)
        with pytest.raises(Killed):
            train(lines, output="run", **settings)


def go_on(path: str = "run", *, reporter=None, use_cache: bool = False, **given: object) -> RunSummary:
    config = resumed_config(Path(path), {name: str(value) for name, value in given.items()})
    return run(
        config, use_cache=use_cache, reporter=reporter or SilentReporter(), stop=threading.Event(), resume=Path(path)
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
    return sorted(int(entry.name.removeprefix("step-")) for entry in (Path(path) / "checkpoints").iterdir())


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
    last = [load_checkpoint(Path(path) / "checkpoints" / f"step-{steps(path)[-1]}") for path in ("run", "whole")]
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
    assert (last["words"], last["trained"], last["subsampled"], last["left_out"], last["fraction"]) == (
        words.passed, words.trained, words.subsampled, words.passed_left_out, 1,
    )  # fmt: skip
    state = json.loads((Path("run") / "checkpoints" / f"step-{steps()[-1]}" / "state.json").read_text())["result"]
    assert sum(line["predictions"] for line in lines) == state["total"]["predictions"]
    booked = sum(line["predictions"] * (line["loss"] or 0) for line in lines)
    assert booked == pytest.approx(state["total"]["loss"], rel=1e-12)
    assert sum(tally["loss"] for tally in state["epochs"]) == pytest.approx(state["total"]["loss"], rel=1e-12)
    assert json.loads((Path("run") / "summary.json").read_text())["words"] == dataclasses.asdict(words)


class StopAfter:
    """Becomes set once it has been asked so often."""

    def __init__(self, asked: int) -> None:
        self.left = asked

    def is_set(self) -> bool:
        self.left -= 1
        return self.left < 0


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


def test_a_stopped_run_whose_state_cannot_be_saved_keeps_its_vectors(train, zipf_lines, monkeypatch):
    def no_space(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("w2v.checkpoint._write", no_space)
    told = Told()
    stopped = train(zipf_lines, output="run", epochs=4, stop=StopAfter(15), reporter=told)
    assert (stopped.summary.interrupted, stopped.summary.checkpoint) == (True, None)
    assert told.said[-1].startswith("the run cannot be gone on with, its state could not be saved: cannot write")
    assert len(stopped.matrix) == 60
    assert steps() == []
    with pytest.raises(InputError, match="run holds a result but no checkpoint"):
        go_on()


def test_a_vector_file_keeps_no_checkpoint(train, zipf_lines):
    stopped = train(zipf_lines, output="v.npy", epochs=4, stop=StopAfter(15))
    assert stopped.summary.interrupted and stopped.summary.checkpoint is None
    with pytest.raises(InputError, match=r"--checkpoint-every needs a run directory, and --output w.bin is a vector"):
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
    schedule = LinearDecay(0.025)
    for epoch, index, lr in rates:
        assert lr == pytest.approx(schedule.rate((epoch + bounds[index] / bounds[-1]) / 5))
    assert (summary.epochs, summary.epochs_done, summary.interrupted) == (5, 5, False)
    assert summary.words.passed == 5 * summary.words.read
    assert resumed_config(Path("run"), {}).training.epochs == 5
    assert finished(Path("run"), resumed_config(Path("run"), {})) is not None


REFUSED = [
    ({"dim": "20"}, r"--dim 20 cannot be changed \(it is 16\)"),
    ({"lr": "0.1", "loss": "nce"}, r"--lr 0.1 cannot be changed \(it is 0.025\); --loss nce cannot be changed"),
    ({"corpus": ("other.txt",)}, r"it names no CORPUS"),
    ({"output": "x"}, r"--output x cannot be changed"),
    ({"epochs": "1"}, r"--epochs 1 is less than the 2 of the run"),
    ({"top_k": "5"}, r"--top-k 5 cannot be given"),
]


@pytest.mark.parametrize(("given", "message"), REFUSED)
def test_what_would_make_another_run_is_refused_by_name(train, zipf_lines, given, message):
    train(zipf_lines, output="run", checkpoint_every="0.5k")
    with pytest.raises(InputError, match=rf"--resume run goes on with the run as it is: {message}"):
        resumed_config(Path("run"), given)


def test_what_changes_nothing_may_be_said_again(train, zipf_lines):
    train(zipf_lines, output="run", checkpoint_every="0.5k")
    config = resumed_config(
        Path("run"), {"corpus": ("corpus.txt",), "output": "run", "dim": "16", "keep": "5", "threads": "3"}
    )
    assert (config.checkpoints.keep, config.threads) == (5, 3)
    assert config.notes == (
        "with --threads 3 instead of 1 the result is not bit for bit that of an unbroken run",
    )  # fmt: skip
    assert finished(Path("run"), config)


@pytest.mark.parametrize("name", ["nothing", "file", "folder"])
def test_what_is_no_run(folder, name):
    (folder / "folder").mkdir()
    (folder / "file").touch()
    with pytest.raises(InputError, match=rf"--resume {name} (does not exist|is no run directory)"):
        resumed_config(Path(name), {})


def test_a_run_whose_config_was_edited(train, zipf_lines, monkeypatch):
    kill(train, zipf_lines, monkeypatch, 7, checkpoint_every="0.5k")
    path = Path("run") / "config.yaml"
    path.write_text(path.read_text().replace("window: 3", "window: 4"))
    with pytest.raises(InputError, match=r"run/config.yaml says window: 4, but the checkpoint .* was made with 3"):
        go_on()


def test_damaged_checkpoints_are_passed_over(train, zipf_lines, monkeypatch):
    train(zipf_lines, output="whole", checkpoint_every="0.5k")
    kill(train, zipf_lines, monkeypatch, 13, checkpoint_every="0.5k", keep=3)
    first, second, third = steps()
    spoil = Path("run") / "checkpoints" / f"step-{third}" / "tensors.safetensors"
    content = bytearray(spoil.read_bytes())
    content[-100] ^= 4
    spoil.write_bytes(content)
    shutil.copytree("run", "all")
    told = Told()
    go_on(reporter=told)
    assert any(
        f"step-{third} is damaged: tensors.safetensors does not have the checksum" in text
        and text.endswith(f"The one before it is used, run/checkpoints/step-{second}")
        for text in told.said
    )
    assert vectors("run") == vectors("whole")
    assert third not in steps()
    for step in (first, second):
        (Path("all") / "checkpoints" / f"step-{step}" / "manifest.json").write_text("{")
    with pytest.raises(InputError, match=rf"step-{third} is damaged.* So are the 2 before it; remove all/checkpoints"):
        go_on("all")
    assert steps("all") == [first, second, third]


@pytest.mark.parametrize("change", ["vanished", "changed", "touched"])
def test_a_corpus_that_is_not_as_it_was(train, zipf_lines, monkeypatch, change):
    settings = {"checkpoint_every": "0.5k"}
    train(zipf_lines, output="whole", **settings)
    kill(train, zipf_lines, monkeypatch, 7, **settings)
    text = Path("corpus.txt").read_text()
    if change == "vanished":
        os.unlink("corpus.txt")
        message = r"run cannot go on without the text that it was trained on: no such corpus"
    elif change == "changed":
        Path("corpus.txt").write_text(text.replace("w1 ", "w2 w1 ", 3))
        message = r"run cannot go on: .*corpus.txt has changed \(.* bytes then, .* now\): .* words then, .* now; put"
    else:
        os.utime("corpus.txt", (1, 1))
        message = ""
    if message:
        with pytest.raises(InputError, match=message):
            go_on()
        Path("corpus.txt").write_text(text)
    go_on()
    assert vectors("run") == vectors("whole")


def test_the_same_words_in_another_order_are_another_text(train, zipf_lines, monkeypatch):
    kill(train, zipf_lines, monkeypatch, 7, checkpoint_every="0.5k")
    lines = Path("corpus.txt").read_text().splitlines()
    Path("corpus.txt").write_text("\n".join(reversed(lines)) + "\n")
    with pytest.raises(InputError, match="as many words, but others or in another order"):
        go_on()


def test_the_cache_still_holds_a_text_that_has_vanished(train, zipf_lines, monkeypatch, folder):
    from w2v.config import build_config

    train(zipf_lines, output="whole", checkpoint_every="0.5k")
    config = build_config({}, "whole/config.yaml")
    config = dataclasses.replace(config, output=dataclasses.replace(config.output, output="run"))
    with monkeypatch.context() as patch:
        killed_after(patch, 7)
        with pytest.raises(Killed):
            run(config, use_cache=True, reporter=SilentReporter(), stop=threading.Event())
    os.unlink("corpus.txt")
    told = Told()
    go_on(use_cache=True, reporter=told)
    gone = f"{folder}/corpus.txt has vanished since the run began; it goes on with the text as it was, which the cache"
    assert f"{gone} holds" in told.said
    assert vectors("run") == vectors("whole")


def test_a_finished_run_without_checkpoints_cannot_grow(train, zipf_lines):
    train(zipf_lines, output="run")
    assert finished(Path("run"), resumed_config(Path("run"), {}))
    with pytest.raises(InputError, match=r"run holds a result but no checkpoint .* --init run"):
        go_on(epochs=9)


def test_checkpoints_of_another_engine_do_not_fit(train, zipf_lines, monkeypatch):
    kill(train, zipf_lines, monkeypatch, 7, checkpoint_every="0.5k")
    monkeypatch.setattr(HogwildEngine, "state", lambda self: {"input": np.zeros((60, 17), np.float32)})
    with pytest.raises(InputError, match=r"the checkpoint run/checkpoints/step-\d+ does not fit this run: the state"):
        go_on()


def test_a_failing_run_says_what_is_kept(train, zipf_lines, monkeypatch):
    told = Told()
    with monkeypatch.context() as patch:
        killed_after(patch, 6, RunError("x"))
        with pytest.raises(RunError, match=r"x. Kept is run/checkpoints/step-\d+; to go on: w2v train --resume run"):
            train(zipf_lines, output="run", checkpoint_every="0.5k", reporter=told)
    with monkeypatch.context() as patch:
        killed_after(patch, 6)
        with pytest.raises(Killed):
            go_on(reporter=told)
    assert told.said[-1].startswith("the run has failed. Kept is run/checkpoints/step-")
