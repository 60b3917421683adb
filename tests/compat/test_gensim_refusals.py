"""What gensim has and this face has not is told in a sentence; so are numbers that cannot be."""

import importlib

import pytest

from w2v.compat.gensim import Word2Vec


@pytest.mark.parametrize("name", ["FastText", "Doc2Vec", "Phrases"])
def test_other_classes(name):
    with pytest.raises(ImportError, match=f"{name} is not available here; .*w2v"):
        exec(f"from w2v.compat.gensim import {name}")
    assert not hasattr(importlib.import_module("w2v.compat.gensim"), "Word3Vec")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("vector_size", 0),
        ("vector_size", 2.5),
        ("batch_words", 0),
        ("workers", None),
        ("epochs", 0),
    ],
)
def test_numbers(name, value):
    with pytest.raises(ValueError, match=f"{name}={value}"):
        Word2Vec([["a", "b"]] * 9, **{"vector_size": 4, name: value})
