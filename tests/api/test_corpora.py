"""A text gives the same vectors whatever holds it; every setting is a keyword."""

from __future__ import annotations

import inspect
import typing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import w2v
from w2v.settings.groups import all_settings
from w2v.settings.keywords import Keywords

from .conftest import LINES, NUMBERS, SMALL, TOKENS, lines_once, matrix


def _pandas(values: Any) -> Any:
    return pytest.importorskip("pandas").Series(values)


def _polars(values: Any) -> Any:
    return pytest.importorskip("polars").Series(values)


def _arrow(values: Any) -> Any:
    return pytest.importorskip("pyarrow").array(values)


def _chunked(values: Any) -> Any:
    return pytest.importorskip("pyarrow").chunked_array([values[:30], values[30:]])


def _dataset(values: Any) -> Any:
    return pytest.importorskip("datasets").Dataset.from_dict({"walk": values})


CORPORA: dict[str, tuple[Any, Any]] = {
    "path": (lambda: Path("corpus.txt"), {}),
    "list of paths": (lambda: [Path("corpus.txt")], {}),
    "lines": (lambda: LINES, {}),
    "generator of lines": (lines_once, {}),
    "lists of tokens": (lambda: TOKENS, {}),
    "generator of tokens": (lambda: iter(TOKENS), {}),
    "lists of integers": (lambda: NUMBERS, {}),
    "arrays of integers": (lambda: [np.array(line) for line in NUMBERS], {}),
    "pandas": (lambda: _pandas(LINES), {}),
    "polars": (lambda: _polars(LINES), {}),
    "arrow": (lambda: _arrow(LINES), {}),
    "arrow, integers": (lambda: _arrow(NUMBERS), {}),
    "arrow, chunked": (lambda: _chunked(LINES), {}),
    "dataset": (lambda: _dataset(LINES), {"column": "walk"}),
    "dataset, tokens": (lambda: _dataset(TOKENS), {"column": "walk"}),
}


@pytest.mark.parametrize("kind", CORPORA)
def test_the_same_text_gives_the_same_vectors_whatever_holds_it(kind: str, corpus: Path) -> None:
    make, settings = CORPORA[kind]
    expected = w2v.train("corpus.txt", **SMALL)
    found = w2v.train(make(), **SMALL, **settings)
    assert found.vectors.words == expected.vectors.words
    assert np.array_equal(matrix(found), matrix(expected))
    assert found.summary["words"] == expected.summary["words"]


def test_every_setting_is_a_keyword_with_its_type() -> None:
    kinds = {"int": int, "float": float, "bool": bool, "str": str}
    hints = typing.get_type_hints(Keywords)
    settings = {name: each for name, each in all_settings().items() if name != "corpus"}
    assert set(hints) == set(settings)
    for name, setting in settings.items():
        members = set(typing.get_args(hints[name])) or {hints[name]}
        assert (type(None) in members) == setting.optional, name
        if setting.kind == "words":
            assert tuple[str, ...] in members, name
        else:
            assert kinds[setting.kind] in members, name
            allowed = {kinds[setting.kind], type(None)} | ({float} if setting.or_number else set())
            allowed |= {int} if setting.read is not None else set()
            assert members <= allowed or any("PathLike" in str(each) for each in members), name


def test_every_keyword_is_an_option_of_the_command_line() -> None:
    from w2v.cli.train import command

    options = set(inspect.signature(command).parameters)
    assert set(Keywords.__annotations__) <= options
    others = options - set(Keywords.__annotations__) - {"corpus"}
    assert others == {"config", "resume", "no_cache", "dry_run", "quiet", "json"}


def test_help_and_completion_know_every_setting() -> None:
    parameters = inspect.signature(w2v.train).parameters
    assert set(Keywords.__annotations__) < set(parameters)
    settings = all_settings()
    for name in Keywords.__annotations__:
        assert f"    {name}: " in (w2v.train.__doc__ or "")
        if settings[name].default != ():
            assert parameters[name].default == settings[name].default


def test_values_that_programs_have_at_hand() -> None:
    plain = w2v.train(LINES, **SMALL, lr=0.05, seed=3, loss="adaptive-softmax", cutoffs=[9])
    numpy: Any = {
        **SMALL,
        "dim": np.int64(8),
        "sample": np.float64(0),
        "lr": np.float64(0.05),
        "seed": np.uint8(3),
        "lowercase": np.False_,
        "cutoffs": np.array([9]),
    }
    assert np.array_equal(matrix(w2v.train(LINES, **numpy, loss="adaptive-softmax")), matrix(plain))


def test_a_recipe_and_keywords(corpus: Path) -> None:
    Path("recipe.yaml").write_text(
        "corpus: corpus.txt\ndim: 12\nepochs: 1\nmin-count: 1\nthreads: 1\n"
    )
    run = w2v.train(config=Path("recipe.yaml"), dim=6, progress=False)
    assert (run.summary["dim"], run.summary["epochs"]) == (6, 1)


def test_a_tokenizer_leaves_lists_of_tokens_as_they_are_and_says_so() -> None:
    for corpus in (TOKENS, NUMBERS):
        plain = w2v.train(corpus, **SMALL)
        with pytest.warns(UserWarning, match="`tokenizer`"):
            run = w2v.train(corpus, tokenizer="words", **SMALL)
        assert np.array_equal(run.vectors.matrix, plain.vectors.matrix)
