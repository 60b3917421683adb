"""Words that are no words, and words whose vector is zeros, are refused by name."""

import numpy as np
import pytest

import w2v
from w2v.errors import InputError
from w2v.vectors import WordVectors, load_vectors


@pytest.fixture
def vectors():
    rows = np.array([[1, 0], [0.9, 0.1], [0, 1], [0, 0]], np.float32)
    return WordVectors(["a", "b", "c", "nil"], rows)


@pytest.mark.parametrize("word", [3, np.int64(3), b"a", None, 2.5, slice(2)])
def test_no_words(vectors, word):
    with pytest.raises(w2v.InputError, match="word"):
        vectors[word]


def test_zeros(vectors):
    assert vectors.odd_one_out(["a", "b", "c"]) == "c"
    for asked in (vectors.odd_one_out, lambda words: vectors.nearest(words[-1])):
        with pytest.raises(w2v.InputError, match=r"'nil'.* zeros"):
            asked(["a", "b", "nil"])


def test_names_that_no_file_can_have(vectors):
    for name in ("a" * 300, "a/" * 5000, "a\0b"):
        for asked in (w2v.load, load_vectors, vectors.evaluate, vectors.save):
            if "\0" in name and asked is load_vectors:  # takes what was checked before
                continue
            with pytest.raises(w2v.InputError, match=r"not a path|too long"):
                asked(name)


def test_addresses_of_the_hub_are_for_corpora():
    with pytest.raises(w2v.InputError, match="hf download"):
        w2v.load("hf://somebody/vectors")


@pytest.mark.parametrize(
    "matrix",
    [
        np.array([["a", "b"]]),
        np.ones((1, 2)) * 1j,
        [[1, [2]]],
        np.array([[1, 2]], "M8[s]"),
        np.ma.array([[1.0, 2.0]], mask=[[True, False]]),
        np.ones(1),
        np.ones((1, 0)),
        np.ones((1, 2, 3)),
        None,
    ],
)
def test_what_is_no_matrix_of_numbers(matrix):
    with pytest.raises(InputError, match="matrix"):
        WordVectors(["a"], matrix)


def test_matrices_of_other_kinds_are_arrays_of_float32():
    for matrix in (
        np.matrix([[1, 2]]),
        np.ones((1, 2), object),
        [[True, 2]],
        np.ones((1, 2), ">f8"),
    ):
        found = WordVectors(["a"], matrix).matrix
        assert type(found) is np.ndarray and found.dtype == np.float32
        assert np.array_equal(found, np.asarray(matrix, float))


def test_a_word_that_is_given_twice_is_refused():
    # it would be its own neighbour, and one of its vectors could not be asked for
    with pytest.raises(InputError, match="'a' more than once"):
        WordVectors(["b", "a", "c", "a"], np.eye(4))


def test_remedies(vectors, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for asked in (vectors.nearest, lambda query: vectors.similarity(query, "a")):
        with pytest.raises(w2v.InputError, match=r"b - a \+ c"):
            asked("b-a+c")
    with pytest.raises(w2v.RunError, match=r"folder .*missing"):
        vectors.save("missing/vectors.txt")
    lines = ["the new york times"] * 20
    w2v.train(lines, dim=2, epochs=1, sample=0, output="run")
    with pytest.raises(w2v.InputError, match="directory, run"):
        w2v.load("run/vectors.npy")
    phrases = w2v.phrases(lines, threshold=0.1)
    assert phrases.join(lines[0].split()) != lines[0].split()
    with pytest.raises(w2v.InputError, match="list of words"):
        phrases.join(lines[0])


def test_a_string_is_no_list_of_words():
    with pytest.raises(InputError, match="words"):
        WordVectors("ab", np.eye(2))
