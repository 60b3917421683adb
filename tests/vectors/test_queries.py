"""Expressions, unknown words and the ranking, against a plain product of unit vectors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from w2v.vectors import WordVectors
from w2v.vectors.queries import (
    QueryError,
    UnknownWordError,
    near_spellings,
    nearest,
    parse_expression,
    resolve,
)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("king", [(1, "king")]),
        ("king - man + woman", [(1, "king"), (-1, "man"), (1, "woman")]),
        (" king  -  man\n", [(1, "king"), (-1, "man")]),
        ("x-ray", [(1, "x-ray")]),
        ("c++ - x-ray", [(1, "c++"), (-1, "x-ray")]),
        ("-", [(1, "-")]),
        ("+", [(1, "+")]),
        ("- + +", [(1, "-"), (1, "+")]),
        ("a - - + b", [(1, "a"), (-1, "-"), (1, "b")]),
        ("a\u00a0b", [(1, "a\u00a0b")]),
    ],
)
def test_expressions(text, terms):
    assert parse_expression(text) == terms


@pytest.mark.parametrize("text", ["", "  ", "king man", "king -", "- king", "a + b c", "king -man"])
def test_malformed_expressions(text):
    with pytest.raises(QueryError):
        parse_expression(text)


@pytest.fixture(scope="module")
def random_vectors():
    rng = np.random.default_rng(6)
    return WordVectors(
        [f"w{i}" for i in range(500)], rng.standard_normal((500, 12)).astype(np.float32)
    )


def reference(vectors, terms, k):
    unit = vectors.matrix.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    rows = [vectors.words.index(word) for _, word in terms]
    query = sum(sign * unit[row] for (sign, _), row in zip(terms, rows, strict=True))
    scores = unit @ query / np.linalg.norm(query)
    order = [i for i in np.argsort(-scores) if i not in rows][:k]
    return [vectors.words[i] for i in order], scores[order]


@pytest.mark.parametrize("block", [1 << 22, 1200])
@pytest.mark.parametrize("k", [1, 10, 600])
def test_ranking_in_blocks(random_vectors, k, block, monkeypatch):
    monkeypatch.setattr("w2v.vectors.rows.BLOCK_VALUES", block)
    texts = ["w3", "w4 - w5 + w6", "w499 + w0", "w7 + w7 - w8"]
    found = nearest(random_vectors, [resolve(random_vectors, text) for text in texts], k)
    for text, answer in zip(texts, found, strict=True):
        words, scores = reference(random_vectors, parse_expression(text), k)
        assert [neighbour.word for neighbour in answer] == words
        assert [neighbour.similarity for neighbour in answer] == pytest.approx(scores, abs=1e-6)


def test_equal_similarities_stay_in_the_order_of_frequency(monkeypatch):
    monkeypatch.setattr("w2v.vectors.rows.BLOCK_VALUES", 8)
    matrix = np.array([[1, 0]] + [[0, 1], [3, 0], [0, 2]] * 5, np.float32)
    vectors = WordVectors([f"w{i}" for i in range(16)], matrix)
    for k in range(1, 16):
        (found,) = nearest(vectors, [resolve(vectors, "w0")], k)
        expected = [i for i in range(1, 16) if i % 3 == 2] + [i for i in range(1, 16) if i % 3 != 2]
        assert [neighbour.word for neighbour in found] == [f"w{i}" for i in expected][:k]


@given(
    st.lists(st.integers(-2, 2), min_size=2, max_size=30), st.integers(1, 12), st.integers(1, 40)
)
@settings(max_examples=examples(40), deadline=None)
def test_ties_against_a_stable_sort(values, k, block):
    # Whole angles of a circle give many equal cosines.
    matrix = np.array([[1.0, 0.0]] + [[np.cos(v), np.sin(v)] for v in values], np.float32)
    vectors = WordVectors([str(i) for i in range(len(matrix))], matrix)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("w2v.vectors.rows.BLOCK_VALUES", block)
        ((rows, scores),) = vectors.neighbours(vectors.unit([0]), k, [[0]])
    expected = sorted(range(1, len(matrix)), key=lambda i: (-round(float(matrix[i, 0]), 5), i))[:k]
    assert rows.tolist() == expected
    assert np.all(np.diff(scores) <= 1e-6)


def test_unknown_word_names_near_spellings():
    words = ["paris", "Berlin", "germany", "x-ray", "berlins"]
    vectors = WordVectors(words, np.eye(5, dtype=np.float32), source="v.bin")
    with pytest.raises(
        UnknownWordError, match=r"'pariss' is not in the vocabulary of v\.bin; did you mean paris"
    ) as error:
        resolve(vectors, "germany - pariss")
    assert error.value.word == "pariss"
    assert error.value.suggestions == ("paris",)
    assert error.value.exit_status == 2
    assert near_spellings(vectors, "berlin") == ["Berlin", "berlins"]
    assert near_spellings(vectors, "xray") == ["x-ray"]
    assert near_spellings(vectors, "zzz") == []
    with pytest.raises(UnknownWordError, match="check its spelling"):
        resolve(vectors, "zzz")


def test_queries_without_a_direction():
    vectors = WordVectors(["a", "b", "zero"], np.array([[1, 2], [3, 1], [0, 0]], np.float32))
    for text in ("zero", "a - a", "a - b + b - a"):
        with pytest.raises(QueryError, match="zeros"):
            resolve(vectors, text)
    (found,) = nearest(vectors, [resolve(vectors, "a")], 5)
    assert [(n.word, pytest.approx(n.similarity, abs=1e-6)) for n in found] == [
        ("b", 5 / np.sqrt(50)),
        ("zero", 0),
    ]
    assert nearest(vectors, [], 5) == []


def test_very_long_and_very_short_vectors():
    matrix = np.array([[1e38, 2e38], [1e-44, 2e-44], [3e38, -3e38]], np.float32)
    vectors = WordVectors(["long", "short", "other"], matrix)
    assert np.linalg.norm(vectors.unit([0, 1, 2]).astype(np.float64), axis=1) == pytest.approx(
        [1, 1, 1], abs=1e-6
    )
    (found,) = nearest(vectors, [resolve(vectors, "long")], 2)
    assert found[0].word == "short" and found[0].similarity == pytest.approx(1, abs=0.01)
