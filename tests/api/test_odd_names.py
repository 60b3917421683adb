"""Names that nothing can have, and a working directory that is gone: told in a sentence."""

import os

import numpy as np
import pytest

import w2v

LONG = "x" * 300
ODD = ["", LONG, "a\0b", "\ud800"]


@pytest.fixture(scope="module")
def vectors():
    return w2v.WordVectors(["a", "b"], np.eye(2, dtype=np.float32))


@pytest.mark.parametrize("name", ODD)
def test_a_name_that_nothing_can_have_is_refused(name, vectors, tmp_path):
    page = tmp_path / "report.html"
    asked = [
        lambda: w2v.load(name),
        lambda: vectors.evaluate(name),
        lambda: w2v.report(name, page),
        lambda: w2v.report([], page, questions=name),
        lambda: w2v.train(resume=name),
    ]
    for ask in asked:
        with pytest.raises(w2v.InputError) as caught:
            ask()
        assert len(str(caught.value)) < 700


def test_a_circle_of_links_is_refused(tmp_path, vectors, monkeypatch):
    monkeypatch.chdir(tmp_path)  # messages cut long paths
    os.symlink("circle", "circle")
    for ask in (w2v.load, vectors.evaluate):
        with pytest.raises(w2v.InputError, match="circle"):
            ask("circle")


@pytest.mark.parametrize("given", [(None, "x.html"), ("run", None), ([None], "x.html")])
def test_a_report_of_no_path_is_refused(given):
    with pytest.raises(w2v.InputError, match="is not a "):
        w2v.report(*given)


@pytest.mark.parametrize(
    "counts", [[1], [1, -1], [1, np.nan], [1, 1e300], [2, 1.5], ["1", "2"], 3, [[1, 2]]]
)
def test_counts_that_do_not_fit_the_words_are_refused(counts):
    with pytest.raises(w2v.InputError, match="`counts`"):
        w2v.WordVectors(["a", "b"], np.eye(2), counts)


@pytest.mark.parametrize("words", [["a", None], [1, 2], ["a", b"b"]])
def test_words_that_are_no_texts_are_refused(words):
    with pytest.raises(w2v.InputError, match="`words`"):
        w2v.WordVectors(words, np.eye(2))


def test_words_and_counts_of_numpy_are_taken():
    vectors = w2v.WordVectors(np.array(["a", "b"]), np.eye(2), np.array([2.0, 1.0]))
    assert vectors.counts.dtype == np.int64 and [*vectors.counts] == [2, 1]
    assert vectors["b"].tolist() == [0, 1]


def test_training_in_a_working_directory_that_is_gone_says_so(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    try:
        with pytest.raises(w2v.RunError, match="working directory"):
            w2v.train([["a", "b"]] * 9, min_count=1)
    finally:
        os.chdir(tmp_path)
