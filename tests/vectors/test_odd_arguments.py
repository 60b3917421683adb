"""Words that are no words, and words whose vector is zeros, are refused by name."""

import numpy as np
import pytest

import w2v
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
