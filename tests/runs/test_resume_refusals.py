"""What must be as it was for a run to be gone on with: options, checkpoints, text; or a refusal
that says why."""

import dataclasses
import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from tests.resumption import Killed, Told, go_on, kill, killed_after, steps, vectors
from tests.trained import run
from w2v.errors import InputError
from w2v.runs.resume import finished, resumed_config
from w2v.settings.build import build_config
from w2v.training.report import SilentReporter
from w2v.words.fused import HogwildEngine

pytestmark = pytest.mark.usefixtures("prompt")

REFUSED = [
    ({"dim": "20"}, r"`dim` 20 cannot be changed \(it is 16\)"),
    (
        {"lr": "0.1", "loss": "nce"},
        r"`lr` 0.1 cannot be changed \(it is 0.025\); `loss` nce cannot be changed",
    ),
    ({"corpus": ("other.txt",)}, r"it takes no `corpus`"),
    ({"output": "x"}, r"`output` x cannot be changed"),
    ({"epochs": "1"}, r"`epochs` 1 is less than the 2 of the run"),
    ({"top_k": "5"}, r"`top_k` 5 cannot be given"),
    ({"dim": "x"}, r"`dim` x is not a whole number"),
]


@pytest.mark.parametrize(("given", "message"), REFUSED)
def test_what_would_make_another_run_is_refused_by_name(train, zipf_lines, given, message):
    train(zipf_lines, output="run", checkpoint_every="0.5k")
    with pytest.raises(InputError, match=rf"`resume` run goes on with the run as it is: {message}"):
        resumed_config(Path("run"), given)


def test_what_changes_nothing_may_be_said_again(train, zipf_lines):
    train(zipf_lines, output="run", checkpoint_every="0.5k")
    config = resumed_config(
        Path("run"),
        {"corpus": ("corpus.txt",), "output": "run", "dim": "16", "keep": "5", "threads": "3"},
    )
    assert (config.checkpoints.keep, config.training.threads) == (5, 3)
    assert config.notes == (
        "with `threads` 3 instead of 1 the result is not bit for bit that of an unbroken run",
    )
    assert finished(Path("run"), config)


@pytest.mark.parametrize("name", ["nothing", "file", "folder"])
def test_what_is_no_run(folder, name):
    (folder / "folder").mkdir()
    (folder / "file").touch()
    with pytest.raises(InputError, match=rf"`resume` {name} (does not exist|is no run directory)"):
        resumed_config(Path(name), {})


def test_a_run_whose_config_was_edited(train, zipf_lines, monkeypatch):
    kill(train, zipf_lines, monkeypatch, 7, checkpoint_every="0.5k")
    path = Path("run") / "config.yaml"
    path.write_text(path.read_text().replace("window: 3", "window: 4"))
    with pytest.raises(
        InputError, match=r"run/config.yaml says window: 4, but the checkpoint .* was made with 3"
    ):
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
    with pytest.raises(
        InputError,
        match=rf"step-{third} is damaged.* So are the 2 before it; remove all/checkpoints",
    ):
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
        message = (
            r"run cannot go on: .*corpus.txt has changed \(.* bytes then, .* now\): .* words then,"
            r" .* now; put"
        )
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
    with pytest.raises(InputError, match="the same number of words, but different"):
        go_on()


def test_the_cache_still_holds_a_text_that_has_vanished(train, zipf_lines, monkeypatch, folder):
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
    gone = (
        f"{folder}/corpus.txt has vanished since the run began; it goes on with the text as it was,"
        " which the cache"
    )
    assert f"{gone} holds" in told.said
    assert vectors("run") == vectors("whole")


def test_a_finished_run_without_checkpoints_cannot_grow(train, zipf_lines):
    train(zipf_lines, output="run")
    assert finished(Path("run"), resumed_config(Path("run"), {}))
    with pytest.raises(InputError, match=r"run holds a result but no checkpoint .* `init` run"):
        go_on(epochs=9)


def test_checkpoints_of_another_engine_do_not_fit(train, zipf_lines, monkeypatch):
    kill(train, zipf_lines, monkeypatch, 7, checkpoint_every="0.5k")
    monkeypatch.setattr(
        HogwildEngine, "state", lambda self: {"input": np.zeros((60, 17), np.float32)}
    )
    with pytest.raises(
        InputError,
        match=r"the checkpoint run/checkpoints/step-\d+ does not fit this run: the state",
    ):
        go_on()


def test_a_language_model_is_not_sent_to_start_from_its_vectors(train, zipf_lines):
    words, lm = Path("words.txt"), {"model": "lm", "arch": "lbl", "context": 2}
    words.write_text("w1\nw2\nw3\n")
    train(zipf_lines, output="bare", **lm)
    train(zipf_lines, output="run", checkpoint_every="0.5k", vocab=str(words), **lm)
    words.write_text("w1\nw2\nw4\n")
    for name, why in (("bare", "no checkpoint"), ("run", "the vocabulary of the same text")):
        with pytest.raises(InputError, match=f"{name} .*{why}") as refused:
            go_on(name, epochs=9)
        assert "init" not in str(refused.value)
