"""`w2v similarity`, `odd-one-out` and `vectors`, and the ways of `nearest` to rank."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from w2v.vectors import WordVectors, load_vectors

from .conftest import WORDS, Run


@pytest.fixture
def vectors(model: str, tmp_path: Path) -> WordVectors:
    return load_vectors(tmp_path / model)


def test_similarity_of_arguments(w2v: Run, model: str, vectors: WordVectors) -> None:
    done = w2v("similarity", model, "king", "queen")
    assert (done.returncode, done.stderr) == (0, "")
    a, b, cosine = done.stdout.rstrip("\n").split("\t")
    assert (a, b) == ("king", "queen")
    assert float(cosine) == pytest.approx(vectors.similarity("king", "queen"), abs=1e-5)
    done = w2v("similarity", model, "king - man + woman", "queen", "--json")
    assert json.loads(done.stdout) == {
        "a": "king - man + woman",
        "b": "queen",
        "similarity": pytest.approx(vectors.similarity("king - man + woman", "queen")),
    }


def test_similarity_of_pairs_from_stdin(w2v: Run, model: str) -> None:
    pairs = "\ufeffking\tqueen\r\nparis berlin\n\nking man woman\nking\tquen\nking - man\tqueen\n"
    done = w2v("similarity", model, "-", stdin=pairs)
    assert done.returncode == 0
    asked = [tuple(line.split("\t")[:2]) for line in done.stdout.splitlines()]
    assert asked == [("king", "queen"), ("paris", "berlin"), ("king - man", "queen")]
    assert done.stderr.count("\n") == 2 and "did you mean queen?" in done.stderr
    lines = w2v("similarity", model, "-", "--json", stdin=pairs).stdout.splitlines()
    found = [json.loads(line) for line in lines]
    assert [each["similarity"] is None for each in found] == [False, False, True, True, False]
    assert "quen" in found[3]["error"]


def test_the_odd_one_out(w2v: Run, model: str, vectors: WordVectors) -> None:
    words = ["king", "man", "paris"]
    odd = vectors.odd_one_out(words)
    done = w2v("odd-one-out", model, *words)
    assert (done.returncode, done.stdout) == (0, f"king man paris\t{odd}\n")
    done = w2v("odd-one-out", model, "-", "--json", stdin="king man paris\nking man\n")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, found[0]) == (0, {"words": words, "odd": odd})
    assert (found[1]["odd"], found[1]["query"]) == (None, "king man")


def test_vectors_are_read_back_bit_for_bit(
    w2v: Run, model: str, vectors: WordVectors, tmp_path: Path
) -> None:
    asked = ["naïve", "king", "the"]
    done = w2v("vectors", model, "-", stdin="naïve\nquen\nking\nthe\n")
    assert (done.returncode, done.stderr.count("\n")) == (0, 1)
    (tmp_path / "few.txt").write_text(done.stdout)
    few = load_vectors(tmp_path / "few.txt")
    assert few.words == asked
    assert np.array_equal(few.matrix, vectors[asked])
    lines = [
        json.loads(line) for line in w2v("vectors", model, *asked, "--json").stdout.split("\n")[:-1]
    ]
    assert [line["word"] for line in lines] == asked
    assert np.array_equal(np.array([line["vector"] for line in lines], np.float32), vectors[asked])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["similarity", "v.bin", "king"], "'king'"),
        (["similarity", "v.bin", "king", "quen"], "queen"),
        (["similarity", "v.bin", "king", "man", "queen"], "pair"),
        (["odd-one-out", "v.bin", "king", "man"], "three words, not 'king man'"),
        (["vectors", "v.bin", "quen"], "queen"),
        (["vectors", "-", "-"], "only one stdin"),
        (["nearest", "v.bin", "king", "--method", "sub"], "--method sub"),
        (["nearest", "v.bin", "king", "--min-similarity", "nan"], "--min-similarity"),
        (["nearest", "v.bin", "king", "--restrict-vocab", "-1"], "--restrict-vocab"),
    ],
)
def test_what_cannot_be_answered(w2v: Run, model: str, arguments: list[str], told: str) -> None:
    done = w2v(*arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith(f"w2v {arguments[0]}: ") and told in done.stderr


def test_a_stream_without_any_known_word(w2v: Run, model: str) -> None:
    assert w2v("vectors", model, "-", stdin="quen\nx\n").returncode == 2


def test_nearest_among_frequent_and_similar_words(
    w2v: Run, model: str, vectors: WordVectors
) -> None:
    few = vectors.nearest("king", restrict_vocab=5)
    assert {each.word for each in few} == {*WORDS[:5]} - {"king"}
    threshold = few[1].similarity
    options = ["--restrict-vocab", "5", "--min-similarity", str(threshold - 1e-6)]
    done = w2v("nearest", model, "king", *options, "--json")
    assert [each["word"] for each in json.loads(done.stdout)["neighbours"]] == [
        each.word for each in few[:2]
    ]
    done = w2v("nearest", model, "king", "--min-similarity", "1.5", "--json")
    assert (done.returncode, json.loads(done.stdout)["neighbours"]) == (0, [])


def test_nearest_by_products(w2v: Run, model: str, vectors: WordVectors) -> None:
    """gensim's most_similar_cosmul, written out."""
    unit = vectors.matrix.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    shifted = dict(zip(WORDS, (1 + unit @ unit.T) / 2, strict=True))
    figures = shifted["king"] * shifted["woman"] / (shifted["man"] * shifted["the"] + 1e-6)
    left = [i for i in np.argsort(-figures) if WORDS[i] not in ("king", "woman", "man", "the")]
    done = w2v("nearest", model, "king + woman - man - the", "--method", "mul")
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert [row[1] for row in rows] == [WORDS[i] for i in left]
    assert [float(row[2]) for row in rows] == pytest.approx(figures[left], rel=1e-4)
    by_name = vectors.nearest("king - man + woman", method="mul")
    assert by_name == vectors.analogy("man", "king", "woman", method="mul")
