"""Language models whose embeddings start from word vectors (`init`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import w2v
from w2v.vectors import load_vectors, save_vectors

LINES = ["a b c a b", "b a d", "c e a b", "d f"] * 20
DIM = 6
SMALL: dict[str, Any] = {
    "model": "lm",
    "dim": DIM,
    "hidden": DIM,
    "layers": 1,
    "loss": "softmax",
    "batch_size": 4,
    "bptt": 5,
    "epochs": 1,
    "threads": 1,
    "lr": 1e-7,  # nothing moves visibly: the rows after training are those before it
    "progress": False,
}
SPREAD = 0.1 / np.sqrt(3)  # of the usual starting values, uniform in ± 0.1


@pytest.fixture
def given(tmp_path: Path) -> Path:
    """A file with the vectors of some of the words, b twice, and of others."""
    words = ["d", "q", "b", "a", "b"]
    save_vectors(tmp_path / "given.txt", words, _rows(len(words)))
    return tmp_path / "given.txt"


def _rows(n: int) -> np.ndarray:
    return np.random.default_rng(1).normal(3, 7, (n, DIM)).astype(np.float32)


def _rows_of(run: w2v.Run) -> dict[str, np.ndarray]:
    vectors = load_vectors(run.path)
    return dict(zip(vectors.words, vectors.matrix, strict=True))


def test_embeddings_start_from_the_rows_of_their_words(given: Path, tmp_path: Path) -> None:
    """(v - m) · s' / s over the words that have a vector; the others are as without `init`."""
    usual = _rows_of(w2v.train(LINES, output=tmp_path / "usual", **SMALL))
    found = _rows_of(w2v.train(LINES, output=tmp_path / "new", init=given, **SMALL))
    known = {"d": 0, "b": 2, "a": 3}  # the first of two rows
    rows = _rows(5)[[*known.values()]].astype(np.float64)
    expected = (rows - rows.mean(axis=0)) / (rows - rows.mean(axis=0)).std() * SPREAD
    np.testing.assert_allclose([found[word] for word in known], expected, atol=1e-6)
    others = set(usual) - set(known)
    assert {"c", "e", "f", "<eos>", "<unk>"} == others == set(found) - set(known)
    for word in others:
        np.testing.assert_allclose(found[word], usual[word], atol=1e-6)


@pytest.mark.parametrize("model", ["skip-gram", "lm"])
def test_runs_give_their_vectors_but_not_their_vocabulary(model: str, tmp_path: Path) -> None:
    options = SMALL | {"lr": 0.05} if model == "lm" else {"dim": DIM, "progress": False}
    old = w2v.train(
        ["x y a b", "b a x c"] * 9,
        output=tmp_path / "old",
        **(options | {"model": model, "min_count": 1}),
    )
    found = _rows_of(w2v.train(LINES, output=tmp_path / "new", init=old.path, **SMALL))
    rows = _rows_of(old)
    known = [word for word in found if word in rows]
    assert {"a", "b", "c"} <= set(known) and not {"x", "y"} & set(found)
    centred = np.array([rows[word] for word in known], np.float64)
    centred -= centred.mean(axis=0)
    expected = centred / centred.std() * SPREAD
    np.testing.assert_allclose([found[word] for word in known], expected, atol=1e-6)


def test_tied_output_rows_start_from_them_too(given: Path, tmp_path: Path) -> None:
    run = w2v.train(LINES, output=tmp_path / "new", init=given, tied=True, **SMALL)
    usual = w2v.train(LINES, output=tmp_path / "usual", tied=True, **SMALL)
    found, plain = (each.model.perplexity(LINES) for each in (run, usual))
    assert found != plain


def test_a_resumed_run_does_not_start_again(given: Path, tmp_path: Path) -> None:
    """Two epochs at once, and one after the other without the file, are the same bytes."""
    options = SMALL | {"lr": 0.1, "checkpoint_every": "1h", "schedule": "constant", "init": given}
    w2v.train(LINES, output=tmp_path / "whole", **(options | {"epochs": 2}))
    w2v.train(LINES, output=tmp_path / "parts", **options)
    given.unlink()
    w2v.train(LINES, resume=tmp_path / "parts", epochs=2, progress=False)
    whole, parts = ((tmp_path / name / "vectors.npy").read_bytes() for name in ("whole", "parts"))
    assert whole == parts


def test_what_embeddings_cannot_start_from(given: Path, tmp_path: Path) -> None:
    save_vectors(tmp_path / "wide.txt", ["a"], np.ones((1, 9), np.float32))
    save_vectors(tmp_path / "equal.txt", ["a", "b"], np.ones((2, DIM), np.float32))
    save_vectors(tmp_path / "other.txt", ["q"], np.ones((1, DIM), np.float32))
    np.save(tmp_path / "nan.npy", np.full((1, DIM), np.nan, np.float32))
    (tmp_path / "nan.vocab.tsv").write_text("a\n")
    for settings, message in [
        ({"init": tmp_path / "wide.txt"}, "has vectors of 9 numbers, but `dim` is 6"),
        ({"init": tmp_path / "equal.txt"}, "gives all words the same vector"),
        ({"init": tmp_path / "other.txt"}, "has none of the 8 words"),
        ({"init": tmp_path / "nan.npy"}, "holds NaN"),
        ({"init": given, "freeze": True}, "`freeze` is only for word vectors"),
        ({"init": given, "extend_vocab": True}, "`extend_vocab` is only for word vectors"),
        ({"freeze": True}, "`freeze` needs `init`"),
    ]:
        with pytest.raises(w2v.InputError, match=message):
            w2v.train(LINES, output=tmp_path / "new", **(SMALL | settings))
    assert not (tmp_path / "new").exists()
