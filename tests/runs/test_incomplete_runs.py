"""Runs to go on with that are named oddly or lack a file, and runs that are not for this
program."""

import threading
from pathlib import Path

import pytest

from tests.trained import run
from w2v.errors import InputError
from w2v.runs.resume import resumed_config
from w2v.settings.build import build_config
from w2v.system.lock import locked
from w2v.training.report import SilentReporter

TEXT = [["a", "b", "c", "d"], ["b", "a"], ["c", "e", "a", "b"]] * 40


class StopAfter:
    left = 2

    def is_set(self):
        self.left -= 1
        return self.left < 0


@pytest.fixture
def stopped(train, folder):
    """A run that was stopped, and the vectors of one that was not."""
    whole = train(TEXT, output="whole", epochs=9)
    assert train(TEXT, output="run", epochs=9, stop=StopAfter()).summary.interrupted
    return whole.matrix.tobytes()


def go_on(path):
    config = resumed_config(Path(path), {})
    return run(
        config,
        use_cache=False,
        reporter=SilentReporter(),
        stop=threading.Event(),
        resume=Path(path),
    )


@pytest.mark.parametrize("name", [".", "../run", "checkpoints/..", "../link"])
def test_a_run_under_another_name(stopped, folder, monkeypatch, name):
    (folder / "link").symlink_to("run")
    monkeypatch.chdir(folder / "run")
    summary = go_on(name)
    assert not summary.interrupted
    assert (folder / "run" / "vectors.npy").read_bytes() == (
        folder / "whole" / "vectors.npy"
    ).read_bytes()
    assert Path(summary.output).resolve() == folder.resolve() / "run"
    assert not list(folder.glob(".*"))


@pytest.mark.parametrize("name", [".", "../link"])
def test_two_names_of_a_run_have_one_lock(stopped, folder, monkeypatch, name):
    (folder / "link").symlink_to("run")
    monkeypatch.chdir(folder / "run")
    with locked(folder / "run"), pytest.raises(InputError, match="is being written by another run"):
        go_on(name)


@pytest.mark.parametrize("name", ["vocab.tsv", "format_version"])
def test_a_file_that_a_run_begins_with_is_made_again(stopped, folder, name):
    before = (folder / "run" / name).read_bytes()
    (folder / "run" / name).unlink()
    go_on("run")
    assert (folder / "run" / name).read_bytes() == before
    assert (folder / "run" / "vectors.npy").read_bytes() == (
        folder / "whole" / "vectors.npy"
    ).read_bytes()


def test_a_run_of_a_newer_version(stopped, folder, train):
    (folder / "run" / "format_version").write_text("2\n")
    before = {path: path.stat().st_mtime_ns for path in (folder / "run").rglob("*")}
    with pytest.raises(InputError, match="run has format_version '2', this w2v reads 1"):
        go_on("run")
    with pytest.raises(InputError, match="run has format_version '2', this w2v reads 1"):
        train(TEXT, output="new", init="run")
    assert {path: path.stat().st_mtime_ns for path in (folder / "run").rglob("*")} == before


def test_settings_that_are_lost(stopped, folder):
    (folder / "run" / "config.yaml").write_bytes(b"")
    with pytest.raises(
        InputError, match=r"`resume` run: the run's settings cannot be read: no corpus"
    ):
        go_on("run")


def test_two_damaged_checkpoints(train, folder):
    train(TEXT, output="run", epochs=2, checkpoint_every="1G")
    places = sorted((folder / "run" / "checkpoints").iterdir())
    assert len(places) == 2
    for place in places:
        (place / "manifest.json").write_bytes(b"")
    config = build_config({"epochs": "3"}, "run/config.yaml")
    with pytest.raises(
        InputError, match=r"manifest.json has unexpected content .* So is the one before it; remove"
    ):
        run(
            config,
            use_cache=False,
            reporter=SilentReporter(),
            stop=threading.Event(),
            resume=Path("run"),
        )


def test_a_language_model_is_no_start_for_word_vectors(train, folder):
    train(TEXT, output="lm", model="lm", batch_size=2)
    with pytest.raises(
        InputError, match=r"`init` lm is the run of a language model: .* w2v export lm -o"
    ):
        train(TEXT, output="new", init="lm")
