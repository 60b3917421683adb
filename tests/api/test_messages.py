"""What a program hears of a run: events, warnings, errors."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import w2v
from w2v.vectors import WordVectors

from .conftest import LINES, LM, SMALL


def test_callbacks_hear_of_everything_in_the_thread_of_the_caller(polled: None) -> None:
    Path("valid.txt").write_text("\n".join(LINES[:20]))
    heard: list[w2v.Event] = []
    threads = set()

    def hear(event: w2v.Event) -> None:
        heard.append(event)
        threads.add(threading.current_thread())

    run = w2v.train(
        LINES, **SMALL, valid="valid.txt", checkpoint_every="1k", output="run", callbacks=[hear]
    )
    by_kind: dict[str, list[w2v.Event]] = {}
    for event in heard:
        by_kind.setdefault(event.kind, []).append(event)
    assert set(by_kind) == {"progress", "epoch", "validation", "checkpoint"}
    assert threads == {threading.main_thread()}
    assert by_kind["progress"][-1]["fraction"] == 1
    assert [event["epoch"] for event in by_kind["epoch"]] == [1, 2]
    assert by_kind["epoch"][-1]["loss"] == run.summary["final_loss"]
    assert [event["epoch"] for event in by_kind["validation"]] == [1, 2]
    assert Path(by_kind["checkpoint"][-1]["path"]).parent.name == "checkpoints"


def test_only_the_word_stop_stops_a_run() -> None:
    answers: list[Callable[[w2v.Event], object]] = [
        lambda event: np.zeros(3),  # its comparison with a string is no truth value
        lambda event: "Stop",
    ]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run = w2v.train(LINES, **SMALL, callbacks=answers)
    assert run.summary["interrupted"] is False
    assert len(caught) == 1 and "'Stop'" in str(caught[0].message)


def test_an_exception_of_a_callback_comes_out(polled: None) -> None:
    calls = []

    def fail(event: w2v.Event) -> None:
        calls.append(event)
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        w2v.train(LINES * 10, **{**SMALL, "epochs": 50, "threads": 2}, callbacks=[fail])
    assert len(calls) == 1


def test_an_exception_of_a_callback_loses_nothing() -> None:
    def fail(event: w2v.Event) -> None:
        if event.kind == "epoch" and event["epoch"] == 2:
            raise ZeroDivisionError("mine")

    with pytest.warns(UserWarning, match="ZeroDivisionError"), pytest.raises(ZeroDivisionError):
        w2v.train(LINES, **{**SMALL, "epochs": 9, "output": "kept"}, callbacks=[fail])
    resumed = w2v.train(LINES, resume="kept", progress=False)
    whole = w2v.train(LINES, **{**SMALL, "epochs": 9})
    assert np.array_equal(resumed.vectors.matrix, whole.vectors.matrix)


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        w2v.train(LINES, **SMALL).resume(epochs=3, progress=False)
        w2v.train(LINES, **LM)
    assert capfd.readouterr() == ("", "")
    w2v.train(LINES, **{**SMALL, "progress": True})
    shown = capfd.readouterr()
    assert shown.out == "" and "words/s" in shown.err


def test_warnings_point_at_the_caller() -> None:
    with pytest.warns(UserWarning, match="`heads`") as caught:  # has no effect on word vectors
        w2v.train(LINES, **SMALL, heads=3)
    assert {Path(each.filename).name for each in caught} == {"test_messages.py"}


def test_warnings_of_vectors_point_at_the_caller() -> None:
    vectors = WordVectors(["a", "new york"], np.eye(2, dtype=np.float32), [5, 2])
    with pytest.warns(UserWarning) as caught:
        vectors.save("v.txt")
        vectors.encode(["unknown"])
        list(vectors.encode_stream(["unknown"]))
        vectors.embed(["unknown"], "e.npy")
    assert [each.filename for each in caught] == [__file__] * 4


WRONG: dict[str, tuple[Any, dict[str, Any]]] = {
    "no such file": ("nowhere.txt", {}),
    "no such path": (Path("nowhere.txt"), {}),
    "no corpus": (None, {}),
    "empty": ([], {}),
    "an empty path": ("", {}),
    "empty lines": (["", ""], {}),
    "a number": (5, {}),
    "bytes": (b"a b c", {}),
    "floats": ([[1.5, 2.5]], {}),
    "mixed": (["a b", ["c"]], {}),
    "None among lines": (["a b", None], {}),
    "no column": (LINES, {"column": "walk"}),
    "misspelt": (LINES, {"min_counts": 3}),
    "a word for a number": (LINES, {"dim": "ten"}),
    "a broken number": (LINES, {"dim": 10.5}),
    "out of range": (LINES, {"window": 0}),
    "not finite": (LINES, {"lr": float("nan")}),
    "no loss": (LINES, {"loss": "negg"}),
    "no boolean": (LINES, {"lowercase": "perhaps"}),
    "patience without valid": (LINES, {"patience": 2}),
    "freeze without init": (LINES, {"freeze": True}),
    "too frequent": (LINES, {"min_count": 10**6}),
    "valid is a list": (LINES, {"valid": ["a b c"]}),
    "valid is missing": (LINES, {"valid": "nowhere.txt"}),
    "init is missing": (LINES, {"init": "nowhere.bin"}),
    "config is missing": (LINES, {"config": "nowhere.yaml"}),
    "config is a number": (LINES, {"config": 3}),
    "resume is missing": (None, {"resume": "nowhere"}),
    "output is a number": (LINES, {"output": 3}),
    "output is nowhere": (LINES, {"output": "nowhere/run"}),
    "callbacks is a function": (LINES, {"callbacks": print}),
    "callbacks are no functions": (LINES, {"callbacks": ["stop"]}),
    "progress is a word": (LINES, {"progress": "bar"}),
    "interval": (LINES, {"checkpoint_every": "often"}),
    "device": (LINES, {"device": "gpu"}),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_cannot_be_used_is_told(kind: str, left: Any) -> None:
    corpus, settings = WRONG[kind]
    with pytest.raises(w2v.InputError) as caught:
        w2v.train(corpus, **{**SMALL, **settings})
    assert isinstance(caught.value, ValueError)
    message = str(caught.value)
    assert message and "--" not in message and "\n" not in message
    assert left() == [] and list(Path().iterdir()) == []


@pytest.mark.parametrize(
    ("wrong", "remedy"),
    [
        ({"cache": False}, "`use_cache`"),
        ({"no_cache": True}, "`use_cache`"),
        ({"quiet": True}, "`progress`"),
        ({"dry_run": True}, "command line"),
        ({"subwords": (3, 6)}, "3-6"),
        ({"checkpoint_every": (5, "m")}, "5m"),
        ({"config": {"dim": 4}}, r"\*\*"),
    ],
)
def test_remedies_are_named(wrong: dict[str, Any], remedy: str) -> None:
    with pytest.raises(w2v.InputError, match=remedy) as caught:
        w2v.train(LINES, **wrong)
    assert "--" not in str(caught.value) and "mean" not in str(caught.value)


@pytest.mark.parametrize("path", ["nowhere", 3, None, ".", b"nowhere"])
def test_load_tells_what_it_cannot_use(path: Any) -> None:
    with pytest.raises(w2v.InputError) as caught:
        w2v.load(path)
    assert "--" not in str(caught.value)


def test_what_fails_at_run_time(monkeypatch: pytest.MonkeyPatch) -> None:
    assert issubclass(w2v.RunError, RuntimeError) and issubclass(w2v.InputError, ValueError)
    with pytest.raises(w2v.RunError) as caught:
        w2v.train(LINES, **{**SMALL, "lr": 1e30})
    assert "--" not in str(caught.value) and "`lr`" in str(caught.value)


def test_text_that_was_not_read_as_it_is_is_told_by_all_that_read_it() -> None:
    Path("latin.txt").write_bytes(b"".join(line.encode() + b" \xf6\n" for line in LINES))
    told = rf"{len(LINES)} invalid UTF-8 sequences"
    with pytest.warns(UserWarning, match=told):
        model = w2v.train("latin.txt", **LM).model
    with pytest.warns(UserWarning, match=told) as seen:
        model.perplexity("latin.txt")
    with pytest.warns(UserWarning, match=told) as also:
        w2v.phrases("latin.txt", min_count=1)
    assert {warning.filename for warning in (*seen, *also)} == {__file__}
