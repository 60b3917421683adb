"""What comes out of a run, where it is, and how it goes on."""

from __future__ import annotations

import gc
import json
import os
import typing
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import w2v
from tests import forks

from .conftest import LINES, LM, SMALL, lines_once, matrix


def test_what_a_run_tells() -> None:
    run = w2v.train(LINES, **SMALL, output="run")
    assert run.path.is_dir() and run.path == Path("run").absolute()
    saved = json.loads((run.path / "summary.json").read_text())
    assert saved["words"] == run.summary["words"] and saved["final_loss"] > 0
    assert run.summary["epochs_done"] == 2 and run.summary["interrupted"] is False
    assert run.summary["vocabulary"] == len(run.vectors)
    epochs = [line for line in run.history if line.get("kind") == "epoch"]
    assert [line["epoch"] for line in epochs] == [1, 2]
    assert epochs[-1]["loss"] == run.summary["final_loss"]
    assert os.fspath(run) == str(run.path) and "2 of 2 epochs" in repr(run)
    vectors = w2v.load(run)
    assert isinstance(vectors, w2v.WordVectors)
    assert np.array_equal(vectors.matrix, run.vectors.matrix)
    os.chdir("/")
    assert w2v.load(run.path)


@pytest.mark.parametrize("name", ["vectors.txt", "vectors.bin", "vectors.npy"])
def test_a_file_of_vectors(name: str) -> None:
    run = w2v.train(LINES, **SMALL, output=Path(name))
    assert run.path.is_file()
    loaded = w2v.load(name)
    assert isinstance(loaded, w2v.WordVectors)
    assert loaded.words == run.vectors.words
    expected = matrix(w2v.train(LINES, **SMALL))
    np.testing.assert_allclose(run.vectors.matrix, expected, rtol=1e-6)
    with pytest.raises(w2v.InputError):
        _ = run.model
    with pytest.raises(w2v.InputError):
        run.resume(epochs=3)


def test_without_output_nothing_remains(left: Any) -> None:
    run = w2v.train(LINES, **SMALL)
    assert len(left()) == 1 and run.path.is_dir()
    longer = run.resume(epochs=3, progress=False)
    vectors = run.vectors.matrix[:1].copy()
    del run
    gc.collect()
    assert longer.path.is_dir() and len(longer.vectors) and vectors.shape == (1, 8)
    del longer
    gc.collect()
    assert left() == [] and list(Path().iterdir()) == []


@pytest.mark.parametrize("output", ["run", "vectors.bin"])
def test_vectors_of_a_later_run_are_told(output: str) -> None:
    first, second = (
        w2v.train(LINES, **{**SMALL, "seed": seed, "output": output, "overwrite": True})
        for seed in (1, 2)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(second.vectors)
    with pytest.warns(UserWarning, match="overwritten") as told:
        assert len(first.vectors)
    assert told[0].filename == __file__


def test_a_failure_leaves_nothing(left: Any) -> None:
    with pytest.raises(w2v.InputError):
        w2v.train(["a"], **SMALL)
    with pytest.raises(w2v.InputError):
        w2v.train(LINES, **{**SMALL, "dim": 0})

    def fail(event: w2v.Event) -> None:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        w2v.train(LINES, **SMALL, callbacks=[fail])
    gc.collect()
    assert left() == [] and list(Path().iterdir()) == []


def test_a_language_model(left: Any) -> None:
    Path("valid.txt").write_text("\n".join(LINES[:20]))
    events: list[w2v.Event] = []
    run = w2v.train(LINES, **LM, valid=Path("valid.txt"), callbacks=[events.append])
    assert run.summary["model"] == "lm"
    assert {"progress", "epoch", "validation"} <= {event.kind for event in events}
    score = float(run.model.perplexity("valid.txt"))
    assert 1 < score < len(run.model.tokens)
    assert score == pytest.approx(run.summary["validation"]["perplexity"], rel=1e-5)
    text = run.model.generate("1 2", words=5, seed=2)
    assert text.startswith("1 2") and text == run.model.generate("1 2", words=5, seed=2)
    assert run.vectors.matrix.shape == (len(run.model.tokens), 8)
    loaded = w2v.load(run)
    assert isinstance(loaded, w2v.LanguageModel)
    assert float(loaded.perplexity("valid.txt")) == score
    longer = run.resume(epochs=3, progress=False)
    assert longer.summary["epochs_done"] == 3
    assert float(longer.model.perplexity("valid.txt")) != score
    with pytest.raises(w2v.InputError):
        _ = w2v.train(LINES, **SMALL).model


def test_several_losses(corpus: Path) -> None:
    found = w2v.compare(
        corpus,
        {"neg": {"negatives": np.int64(5)}, "hsigmoid": {}},
        output=Path("table"),
        **{name: value for name, value in SMALL.items() if name != "progress"},
    )
    assert [row.status for row in found.results] == ["done", "done"]
    with pytest.raises(w2v.InputError):
        w2v.compare(typing.cast(Any, LINES), ["neg", "nce"])


def test_resume_goes_on_as_the_command_line_does(corpus: Path) -> None:
    run = w2v.train(corpus, **SMALL, output="run").resume(epochs=4, progress=False)
    assert run.summary["epochs_done"] == 4
    epochs = [line["epoch"] for line in run.history if line.get("kind") == "epoch"]
    assert epochs == [1, 2, 3, 4]
    w2v.train(corpus, **SMALL, output="other")
    done = forks.run(*["train", "--resume", "other", "--epochs", "4", "-q"], folder=Path.cwd())
    assert done.returncode == 0, done.stderr
    assert np.array_equal(matrix(run), np.load("other/vectors.npy"))
    with pytest.raises(w2v.InputError):
        run.resume(epochs=3)


def test_a_run_that_was_stopped_goes_on_to_the_result_of_one_that_was_not(polled: None) -> None:
    longer = {**SMALL, "epochs": 30}
    whole = w2v.train(LINES * 10, **longer)
    seen = []

    def stop(event: w2v.Event) -> object:
        seen.append(event)
        return "stop" if event.kind == "progress" and event["fraction"] > 0.1 else None

    part = w2v.train(LINES * 10, **longer, callbacks=[stop])
    assert part.summary["interrupted"] is True and 0 < part.summary["epochs_done"] < 30
    assert len(part.vectors) == len(whole.vectors)
    rest = part.resume(progress=False)
    assert rest.summary["interrupted"] is False and rest.summary["epochs_done"] == 30
    assert np.array_equal(matrix(rest), matrix(whole))


def test_from_memory_a_run_goes_on_with_the_text_given_again() -> None:
    run = w2v.train(lines_once(), **SMALL, output="run")
    with pytest.raises(w2v.InputError):  # the generator is used up
        run.resume(epochs=3)
    again = w2v.train(lines_once(), resume=run, epochs=3, progress=False)
    expected = w2v.train(LINES, **SMALL).resume(epochs=3, progress=False)
    assert np.array_equal(matrix(again), matrix(expected))
    with pytest.raises(w2v.InputError):
        w2v.train(LINES[:50], resume=run, epochs=4, progress=False)
    kept = w2v.train(LINES, resume=w2v.train(lines_once(), **SMALL), epochs=3, progress=False)
    gc.collect()
    assert np.array_equal(matrix(kept), matrix(expected))
