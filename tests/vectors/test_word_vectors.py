"""Word vectors as a program uses them: a mapping, similarities, analogies, texts, evaluation."""

import pickle
import sys

import numpy as np
import pytest

from w2v.errors import InputError, RunError
from w2v.evaluation.sets import AnalogySet, parse_set
from w2v.vectors import WordVectors, load_vectors
from w2v.vectors.queries import Neighbour, UnknownWordError

WORDS = ["king", "queen", "man", "woman", "new york", "zero"]
MATRIX = np.array(
    [[1, 0, 2], [1, 2, 2], [3, 0, 0.5], [3, 6, 0.5], [0, 0, -1], [0, 0, 0]], np.float32
)
COUNTS = np.array([40, 30, 20, 6, 3, 1])


@pytest.fixture
def vectors():
    return WordVectors(WORDS, MATRIX, COUNTS, source="run")


def cosine(x, y):
    return x @ y / np.linalg.norm(x) / np.linalg.norm(y)


def test_a_mapping_from_words_to_rows(vectors):
    np.testing.assert_array_equal(vectors["king"], MATRIX[0])
    np.testing.assert_array_equal(vectors[["woman", "king"]], MATRIX[[3, 0]])
    assert vectors["king"].dtype == np.float32
    assert "king" in vectors and "kin" not in vectors and 3 not in vectors
    assert (len(vectors), list(vectors), vectors.dim) == (6, WORDS, 3)
    assert vectors.get("kin") is None and vectors.get("king") is not None
    assert set(dict(vectors)) == set(WORDS)
    assert repr(vectors) == "WordVectors(6 words x 3, from run)"
    assert repr(WordVectors(["a"] * 1, [[1.0, 2.0]])) == "WordVectors(1 words x 2)"
    assert vectors == vectors and vectors != WordVectors(WORDS, MATRIX)
    assert pickle.loads(pickle.dumps(vectors)).words == WORDS


def test_an_unknown_word_is_a_key_error_and_an_input_error(vectors):
    for look_up in (lambda: vectors["kign"], lambda: vectors[["king", "kign"]]):
        with pytest.raises(KeyError) as error:
            look_up()
        assert isinstance(error.value, InputError) and isinstance(error.value, UnknownWordError)
        assert str(error.value) == "'kign' is not in the vocabulary of run; did you mean king?"


def test_four_ways_to_ask(vectors):
    first = vectors.nearest("king", k=2)
    assert [word for word, _ in first] == ["queen", "man"]
    assert isinstance(first[0], Neighbour)
    assert first[0].similarity == pytest.approx(cosine(MATRIX[0], MATRIX[1]), abs=1e-6)
    assert vectors.nearest(["king", "woman"]) == vectors.nearest("king + woman")
    assert vectors.nearest(MATRIX[0] * 7, k=1)[0] == ("king", pytest.approx(1, abs=1e-6))
    assert vectors.nearest("new york")[0].word == "zero", "a word may hold a blank"
    assert len(vectors.nearest("king", k=100)) == 5


@pytest.mark.parametrize(
    ("query", "match"),
    [
        ([1.0, 2.0], "does not fit the 3 dimensions of run"),
        ([0.0, 0.0, 0.0], "zeros"),
        ([np.nan, 0.0, 0.0], "NaN"),
        (np.ones((2, 3)), "shape"),
        ([], "shape"),
        ([1, "king"], "a query is a word"),
        (None, "a query is a word.* None"),
        (5, "a query is a word.* 5"),
        ("", "empty"),
    ],
)
def test_queries_that_cannot_be_answered(vectors, query, match):
    with pytest.raises(InputError, match=match):
        vectors.nearest(query)
    with pytest.raises(InputError, match="`k` 0"):
        vectors.nearest("king", k=0)


def test_many_queries_in_one_pass(vectors):
    found = vectors.answers(["king", "kign", MATRIX[1]], k=2)
    assert [word for word, _ in found[0]] == ["queen", "man"]
    assert isinstance(found[1], UnknownWordError)
    assert found[2][0].word == "queen"
    assert vectors.answers([]) == []


def test_similarity_and_the_odd_one_out(vectors):
    assert vectors.similarity("king", "man") == pytest.approx(
        cosine(MATRIX[0], MATRIX[2]), abs=1e-6
    )
    assert vectors.similarity(MATRIX[0], "king") == pytest.approx(1, abs=1e-6)
    assert vectors.odd_one_out(["king", "queen", "new york"]) == "new york"
    for words in (["king", "queen"], "king"):
        with pytest.raises(InputError, match="three"):
            vectors.odd_one_out(words)
    with pytest.raises(KeyError):
        vectors.odd_one_out(["king", "queen", "nobody"])


def test_analogies(vectors):
    assert vectors.analogy("man", "king", "woman", k=1)[0].word == "queen"
    assert vectors.analogy("man", "king", "woman") == vectors.nearest("king - man + woman")
    found = vectors.analogy("man", "king", "woman", method="mul")
    unit = MATRIX.astype(np.float64) / np.maximum(np.linalg.norm(MATRIX, axis=1), 1e-30)[:, None]
    shifted = (1 + unit @ unit[[2, 0, 3]].T) / 2
    scores = shifted[:, 1] * shifted[:, 2] / (shifted[:, 0] + 1e-6)
    expected = [row for row in np.argsort(-scores) if row not in (2, 0, 3)]
    assert [word for word, _ in found] == [WORDS[row] for row in expected]
    assert [score for _, score in found] == pytest.approx(scores[expected], rel=1e-5)
    assert len(vectors.analogy("man", "king", "woman", k=2, method="mul")) == 2
    with pytest.raises(InputError, match="add, mul"):
        vectors.analogy("man", "king", "woman", method="sub")


def test_means_of_texts(vectors):
    texts = ["king  of queen", ["new york", "man"], "king"]
    found = vectors.encode(texts)
    expected = [MATRIX[[0, 1]].mean(axis=0), MATRIX[[4, 2]].mean(axis=0), MATRIX[0]]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(vectors.encode("king  of queen"), found[0])
    assert vectors.encode([]).shape == (0, 3)
    with pytest.warns(UserWarning, match="2 of 3 texts contain no known word"):
        assert not vectors.encode(["of the", "", "king"])[:2].any()


@pytest.mark.filterwarnings("ignore:.*known word")
def test_texts_are_the_means_of_their_words():
    random = np.random.default_rng(2)
    vectors = WordVectors([f"w{i}" for i in range(50)], random.standard_normal((50, 4)))
    texts = [[f"w{i}" for i in random.integers(0, 60, random.integers(0, 9))] for _ in range(200)]
    expected = vectors.encode(texts)
    rows = [vectors[[word for word in text if word in vectors]] for text in texts]
    for own, row in zip(rows, expected, strict=True):
        np.testing.assert_allclose(row, own.mean(axis=0) if len(own) else 0, atol=1e-6)


def test_smooth_inverse_frequency(vectors):
    texts = ["king queen man", "woman king", "man man queen", "woman"]
    weight = 1e-3 / (1e-3 + COUNTS / COUNTS.sum())
    rows = [[WORDS.index(word) for word in text.split()] for text in texts]
    plain = np.array([(weight[own, None] * MATRIX[own]).mean(axis=0) for own in rows])
    common = np.linalg.svd(plain, full_matrices=False)[2][0]
    found = vectors.encode(texts, pooling="sif")
    np.testing.assert_allclose(found, plain - np.outer(plain @ common, common), atol=1e-6)
    np.testing.assert_allclose(vectors.encode(texts[0], pooling="sif"), plain[0], rtol=1e-6)
    with pytest.raises(InputError, match="does not say how often"):
        WordVectors(WORDS, MATRIX).encode(texts, pooling="sif")
    with pytest.raises(InputError, match="mean, sif"):
        vectors.encode(texts, pooling="max")


def test_evaluation_of_files_sets_and_the_bundled_ones(vectors, tmp_path):
    (tmp_path / "q.txt").write_text(": royal\nman king woman queen\nman king woman other\n")
    (tmp_path / "s.tsv").write_text("king\tqueen\t3\nking\tnobody\t1\n")
    result = vectors.evaluate(tmp_path / "q.txt")
    assert (result.accuracy, result.covered) == (1.0, 1)
    assert vectors.evaluate(str(tmp_path / "s.tsv")).covered == 1
    given = parse_set(b"man king woman queen\n", "mine", "mine")
    assert isinstance(given, AnalogySet)
    assert vectors.evaluate(given, method="mul", case="exact").accuracy == 1.0
    assert set(vectors.evaluate()) == {"demo-analogies", "demo-similarity"}
    with pytest.raises(InputError, match="cannot read the set"):
        vectors.evaluate(tmp_path / "none.txt")


@pytest.mark.parametrize("name", ["v.txt", "v.bin", "v.npy"])
def test_saving(vectors, tmp_path, name):
    kept = WordVectors(["a", "b"], MATRIX[:2], [5, 2])
    kept.save(tmp_path / name)
    after = load_vectors(tmp_path / name)
    assert after.words == ["a", "b"]
    np.testing.assert_array_equal(after.matrix, kept.matrix)
    assert (after.counts is not None) == (name == "v.npy")
    with pytest.raises(InputError, match="extension"):
        kept.save(tmp_path / "v.xyz")
    kept.save(tmp_path / "v.xyz", "glove")
    with pytest.warns(UserWarning, match="1 of 6 words"):
        vectors.save(tmp_path / "v.txt")


def test_other_packages_take_copies(vectors, monkeypatch):
    tensor = vectors.to_torch()
    assert (tensor.numpy() == MATRIX).all()
    tensor[0] = 0
    assert vectors["king"].any()
    for name in ("pandas", "gensim.models"):
        monkeypatch.setitem(sys.modules, name, None)
    for hand_on in (vectors.to_pandas, vectors.to_gensim):
        with pytest.raises(RunError, match="not installed: pip install"):
            hand_on()


def test_pandas_and_gensim_where_they_are(vectors):
    pandas = pytest.importorskip("pandas")
    frame = vectors.to_pandas()
    assert isinstance(frame, pandas.DataFrame) and list(frame.index) == WORDS
    pytest.importorskip("gensim")
    keyed = vectors.to_gensim()
    assert keyed.index_to_key == WORDS and keyed.get_vecattr("king", "count") == 40
    assert "gensim" in sys.modules
