"""Every argument of every public function, given what it does not take: it is done, or told in a
sentence; nothing fails somewhere inside."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import w2v

from .conftest import LINES, LM, SMALL

VALUES: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "True": lambda: True,
    "0": lambda: 0,
    "3": lambda: 3,
    "-1": lambda: -1,
    "1.5": lambda: 1.5,
    "NaN": lambda: float("nan"),
    "infinity": lambda: float("inf"),
    "1e30": lambda: 10**30,
    "1j": lambda: 1j,
    "empty": lambda: "",
    "a word": lambda: "nope",
    "NUL": lambda: "a\0b",
    "half a character": lambda: "\ud800",
    "bytes": lambda: b"a",
    "bytearray": lambda: bytearray(b"a"),
    "[]": list,
    "words": lambda: ["1", "2"],
    "numbers": lambda: [3],
    "[None]": lambda: [None],
    "lists": lambda: [["1"]],
    "tuple": lambda: ("1",),
    "dict": lambda: {"1": 1},
    "set": lambda: {"1"},
    "object": object,
    "function": lambda: print,
    "class": lambda: int,
    "iterator": lambda: iter(["1"]),
    "range": lambda: range(2),
    "path": lambda: Path("nope.txt"),
    "vector": lambda: np.zeros(8, np.float32),
    "matrix": lambda: np.zeros((2, 8)),
    "scalar": lambda: np.float32(2),
    "integer": lambda: np.int64(2),
    "array of no dimension": lambda: np.array("a"),
    "tensor": lambda: torch.zeros(8),
}
ENDLESS = {("words", "1e30"), ("n", "1e30"), ("epochs", "1e30")}  # right, and never done
SETTINGS = {name: value for name, value in SMALL.items() if name != "progress"}
CALLS: dict[str, dict[str, Any]] = {
    "vectors.__getitem__": {"word": "1"},
    "vectors.get": {"word": "1"},
    "vectors.__contains__": {"word": "1"},
    "vectors.index": {"word": "1"},
    "vectors.has": {"word": "1"},
    "vectors.nearest": {
        "query": "1",
        "k": 2,
        "method": "mul",
        "restrict_vocab": 3,
        "min_similarity": 0.1,
    },
    "vectors.answers": {"asked": ["1"], "k": 2, "restrict_vocab": 3},
    "vectors.similarity": {"a": "1", "b": "2"},
    "vectors.analogy": {"a": "1", "b": "2", "c": "3", "k": 1, "method": "add"},
    "vectors.odd_one_out": {"words": ["1", "2", "3"]},
    "vectors.encode": {"texts": ["1 2"], "pooling": "sif"},
    "vectors.classes": {"k": 2, "seed": 1},
    "vectors.encode_stream": {"texts": ["1 2"], "pooling": "sif"},
    "vectors.embed": {"texts": ["1 2"], "path": "o.npy", "pooling": "sif"},
    "vectors.evaluate": {
        "given": "set.tsv",
        "method": "add",
        "restrict_vocab": 10,
        "case": "fold",
        "intervals": False,
        "oov": True,
    },
    "vectors.map": {"path": "o.html", "words": 20, "title": "a", "seed": 1, "method": "pca"},
    "vectors.save": {"path": "o.txt", "format": "text"},
    "model.perplexity": {"text": LINES, "column": None, "encoding_errors": "replace"},
    "model.score": {"lines": ["1 2"], "stream": None},
    "model.generate": {
        "prompt": "1",
        "words": 2,
        "temperature": 1.0,
        "top_k": None,
        "top_p": None,
        "seed": 1,
        "n": 1,
    },
    "model.unknown_words": {"text": "1"},
    "run.resume": {"epochs": 2, "callbacks": (), "progress": False},
    "w2v.load": {"path": "run"},
    "w2v.train": {
        "corpus": LINES[:9],
        "callbacks": (),
        "progress": False,
        "config": None,
        "resume": None,
        **SETTINGS,
    },
    "w2v.phrases": {
        "corpus": LINES[:9],
        "min_count": 1,
        "scoring": "npmi",
        "threshold": 0.5,
        "passes": 1,
        "connectors": (),
        "delimiter": "_",
    },
    "w2v.report": {"runs": "nowhere", "path": "r.html", "questions": (), "title": None},
    "w2v.compare": {
        "corpus": "nowhere.txt",
        "losses": ["neg"],
        "output": "compared",
        "questions": None,
        "config": None,
    },
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("trained")
    run = w2v.train(LINES, **SMALL, output=folder / "run")
    model = w2v.train(LINES, **LM, output=folder / "lm").model
    yield {"w2v": w2v, "run": run, "vectors": run.vectors, "model": model}


@pytest.mark.parametrize(
    ("call", "name"), [(call, name) for call, given in CALLS.items() for name in given]
)
def test_no_argument_fails_inside(trained: dict[str, Any], call: str, name: str) -> None:
    Path("set.tsv").write_text("1 2 1\n1 3 2\n2 3 3\n")
    owner, _, method = call.partition(".")
    function = getattr(trained[owner], method)
    raw = {}
    for kind, make in VALUES.items():
        if (name, kind) in ENDLESS:
            continue
        given = {**CALLS[call], name: make()}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                function(*given.values()) if method.startswith("__") else function(**given)
        except (w2v.InputError, w2v.RunError) as error:
            if "\n" in str(error) or len(str(error)) > 400:
                raw[kind] = str(error)
        except Exception as error:
            raw[kind] = f"{type(error).__name__}: {error}"
    assert raw == {}


def test_arguments_that_do_not_fit_are_told_with_the_function(trained: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="odd_one_out"):
        trained["vectors"].odd_one_out("1", "2", "3")


def test_no_public_function_is_left_out(trained: dict[str, Any]) -> None:
    without = {"clear", "items", "keys", "values"}  # of every mapping
    for owner in ("vectors", "model", "run"):
        for name, found in inspect.getmembers(type(trained[owner]), inspect.isfunction):
            if name.startswith("_") or name in without:
                continue
            if [
                each
                for each in inspect.signature(found).parameters
                if each not in ("self", "progress")
            ]:
                assert f"{owner}.{name}" in CALLS or name in BELOW, name


BELOW = (  # what the command line and the training need beyond the face
    "of",
    "unit",
    "unit_of",
    "unit_blocks",
    "neighbours",
    "score_store",
    "corpus_settings",
    "generate_lines",
    "prompt_ids",
)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (lambda v: v[0], "`word` 0"),
        (lambda v: v.encode(3), "`texts` 3"),
        (lambda v: v.encode([["1", 2]]), "`texts` 2"),
        (lambda v: v.save(3), "`path` 3"),
        (lambda v: v.evaluate(3), "`given` 3"),
        (lambda v: v.evaluate(case=None), "`case` None"),
        (lambda v: v.answers(3), "`asked` 3"),
        (lambda v: v.nearest("1", k=0), "`k` 0"),
        (lambda v: v.odd_one_out(3), "`words` 3"),
        (lambda v: w2v.load(3), "`path` 3"),
        (lambda v: w2v.train(3), "int"),
        (lambda v: w2v.compare("x", losses=3), "`losses` 3"),
        (lambda v: w2v.report(3, "r.html"), "`runs` 3"),
        (lambda v: w2v.report("x", "r.html", title=3), "`title` 3"),
    ],
)
def test_the_argument_and_its_value_are_named(
    trained: dict[str, Any], wrong: Callable[[Any], object], named: str
) -> None:
    with pytest.raises(w2v.InputError) as caught:
        wrong(trained["vectors"])
    assert named in str(caught.value)
