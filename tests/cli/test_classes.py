"""`w2v classes`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from w2v.errors import InputError
from w2v.vectors import WordVectors

from .conftest import Run


@pytest.fixture
def vectors(tmp_path: Path) -> WordVectors:
    """Three bunches of 30, 20 and 10 words of various lengths, in mixed order."""
    random = np.random.default_rng(3)
    bunch = random.permutation(np.repeat([0, 1, 2], [30, 20, 10]))
    matrix = np.eye(3, 8)[bunch] + random.normal(0, 0.05, (60, 8))
    matrix *= random.uniform(0.1, 10, (60, 1))
    made = WordVectors([f"{each}-{i}" for i, each in enumerate(bunch)], matrix)
    made.save(tmp_path / "v.txt")
    return made


def test_bunches_are_found_the_largest_first(
    w2v: Run, vectors: WordVectors, tmp_path: Path
) -> None:
    done = w2v("classes", "v.txt", "-k", "3")
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert [row[0] for row in rows] == vectors.words
    assert all(word.startswith(f"{number}-") for word, number in rows)
    assert vectors.classes(3, seed=1).tolist() == [int(number) for _, number in rows]
    lines = w2v("classes", "v.txt", "-k", "3", "--json").stdout.splitlines()
    assert [json.loads(line) for line in lines] == [
        {"word": word, "class": int(number)} for word, number in rows
    ]
    assert w2v("classes", "v.txt", "-k", "3", "-o", "c.tsv").stdout == "c.tsv\n"
    assert (tmp_path / "c.tsv").read_text() == done.stdout


def test_the_same_seed_makes_the_same_classes() -> None:
    vectors = WordVectors(
        [str(i) for i in range(3000)], np.random.default_rng(1).normal(size=(3000, 20))
    )
    found = vectors.classes(40, seed=5)
    assert (np.diff(np.bincount(found)) <= 0).all() and found.max() == 39
    assert np.array_equal(found, vectors.classes(40, seed=5))
    assert not np.array_equal(found, vectors.classes(40, seed=6))


def test_equal_vectors_and_more_classes_than_words(w2v: Run, vectors: WordVectors) -> None:
    same = WordVectors(["a", "b", "c"], np.ones((3, 2)))
    assert same.classes(2).tolist() == [0, 0, 0]
    with pytest.raises(InputError, match=r"`k` 4 .* 3 words"):
        same.classes(4)
    done = w2v("classes", "v.txt")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "-k 500" in done.stderr or "--k 500" in done.stderr
