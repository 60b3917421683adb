"""What the user holds, copied, pickled, and sent to other processes and back."""

from __future__ import annotations

import copy
import gc
import multiprocessing
import os
import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import w2v
from w2v.settings.build import build_config
from w2v.vectors import WordVectors

from .conftest import LINES, LM, SMALL, lines_once, matrix

Way = Callable[[Any], Any]


@pytest.fixture(params=["copy", "deepcopy", "pickle"])
def way(request: pytest.FixtureRequest) -> Way:
    ways: dict[str, Way] = {"copy": copy.copy, "deepcopy": copy.deepcopy}
    return ways.get(request.param, lambda thing: pickle.loads(pickle.dumps(thing)))


WORDS = [" ".join(f"w{number}" for number in line.split()) for line in LINES]


def test_a_run_outlives_the_one_it_was_made_of(way: Way, left: Any) -> None:
    small = w2v.train(LINES, **SMALL)
    longer = small.resume(epochs=3, progress=False)
    expected, history, summary = matrix(longer), longer.history, longer.summary
    found = way(longer)
    del small, longer
    gc.collect()
    assert np.array_equal(matrix(found), expected)
    assert (found.history, found.summary) == (history, {**summary, "output": str(found.path)})
    again = w2v.train(LINES, resume=found, epochs=4, progress=False)
    assert again.summary["epochs_done"] == 4
    del found, again
    gc.collect()
    assert left() == []


def test_what_else_there_is(way: Way) -> None:
    events: list[w2v.Event] = []
    small = w2v.train(WORDS, **SMALL, callbacks=[events.append])
    events = [event for event in events if event.kind == "epoch"]
    Path("pairs.tsv").write_text("w0\tw1\t3\nw1\tw2\t1\nw2\tw3\t2\n")
    Path("questions.txt").write_text(": a\nw0 w1 w2 w3\nw1 w0 w3 w2\n")
    vectors = small.vectors
    equal: list[Any] = [vectors.config, build_config({"corpus": ("x",)}), events]
    equal += [vectors.evaluate("pairs.tsv", intervals=True), vectors.evaluate("questions.txt")]
    equal += [vectors.card(), vectors.nearest("w1")]
    for thing in equal:
        assert way(thing) == thing
    found = way(vectors)
    assert found.words == vectors.words and np.array_equal(found.matrix, vectors.matrix)
    assert np.array_equal(found.counts, vectors.counts) and found.nearest("w1") == equal[-1]
    with pytest.raises(w2v.InputError) as unknown:
        vectors.nearest("w111")
    assert str(way(unknown.value)) == str(unknown.value)
    assert vars(way(unknown.value)) == vars(unknown.value)
    phrases = w2v.phrases(LINES, min_count=1, threshold=0.1)
    words = LINES[0].split()
    assert way(phrases).join(words) == phrases.join(words) != words
    model = w2v.train(LINES, **LM).model
    assert way(model).score(LINES[:2])[0].log_prob == model.score(LINES[:2])[0].log_prob


@pytest.mark.parametrize("start", ["spawn", "fork"])
def test_there_and_back(
    start: str, left: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A temporary run that a process made comes to another one with its files."""
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    context = multiprocessing.get_context(start)
    with ProcessPoolExecutor(1, context) as pool:
        run = pool.submit(w2v.train, LINES, **SMALL, seed=3).result()
        assert np.array_equal(matrix(run), matrix(w2v.train(LINES, **SMALL, seed=3)))
        asked = WordVectors.nearest, run.vectors
        assert pool.submit(*asked, "1").result() == run.vectors.nearest("1")
        with pytest.raises(w2v.InputError) as unknown:
            pool.submit(*asked, "11111").result()
        assert "11111" in str(unknown.value)
    with pytest.raises(w2v.InputError):  # the text stayed there
        run.resume(epochs=3)
    assert w2v.train(lines_once(), resume=run, epochs=3, progress=False).summary["epochs_done"] == 3
    del run
    gc.collect()
    assert left() == []


def test_a_fork_that_ends_takes_no_files_along() -> None:
    small = w2v.train(LINES, **SMALL)
    child = os.fork()
    if not child:
        del small
        gc.collect()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert (small.path / "vectors.npy").is_file()
