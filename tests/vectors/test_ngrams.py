"""Unknown words get the mean of the rows of their n-grams, wherever words are asked for."""

import numpy as np
import pytest

from w2v.compat.gensim import KeyedVectors
from w2v.corpus.ngrams import Ngrams
from w2v.evaluation.sets import SimilaritySet
from w2v.vectors import WordVectors, load_vectors
from w2v.vectors.ngrams import NgramRows
from w2v.vectors.queries import UnknownWordError

WORDS = ["king", "queen", "man", "woman", "royal", "ab"]
DIM = 5


@pytest.fixture
def vectors() -> WordVectors:
    rng = np.random.default_rng(2)
    rows = NgramRows(Ngrams(3, 5, 50), rng.standard_normal((50, DIM)).astype(np.float32))
    found = WordVectors(
        WORDS, rng.standard_normal((6, DIM)).astype(np.float32), np.arange(6, 0, -1)
    )
    found.ngrams = rows
    return found


def made(vectors: WordVectors, word: str) -> np.ndarray:
    """The definition, in float64."""
    _, ids = vectors.ngrams.ngrams.ids([word])
    return vectors.ngrams.rows[ids].astype(np.float64).mean(axis=0)


def cosine(x, y):
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    return x @ y / np.linalg.norm(x) / np.linalg.norm(y)


def test_an_unknown_word_has_a_vector_and_is_not_in_the_vocabulary(vectors):
    assert np.allclose(vectors["kingly"], made(vectors, "kingly"), rtol=1e-6)
    both = vectors[["kingly", "king"]]
    assert np.allclose(both[0], vectors["kingly"]) and np.array_equal(both[1], vectors.matrix[0])
    assert np.array_equal(vectors.get("kingly"), vectors["kingly"])
    assert "kingly" not in vectors and vectors.has("kingly")
    assert vectors.index("kingly") is None and len(vectors) == 6
    assert np.array_equal(vectors["king"], vectors.matrix[0])  # never made anew


def test_what_has_no_ngram_stays_unknown(vectors):
    for word in ("", "</s>"):
        assert not vectors.has(word) and vectors.get(word) is None
        with pytest.raises(UnknownWordError):
            vectors[word]
    assert vectors["x"].shape == (DIM,)  # "<x>"
    with pytest.raises(UnknownWordError):
        WordVectors(WORDS, vectors.matrix)["kingly"]


def test_a_word_of_untrained_ngrams_is_unknown(vectors, tmp_path):
    """Whether the rows that known words never trained are zeros, as in runs, or noise, as in files
    of fastText: what the n-grams of known words are decides, and one of a word's is enough."""
    ngrams, noise = Ngrams(3, 4, 100_000), np.random.default_rng(5)
    trained = np.unique(ngrams.ids(WORDS)[1])
    rows = noise.uniform(-0.1, 0.1, (100_000, DIM)).astype(np.float32)
    vectors.ngrams = NgramRows(ngrams, rows)
    assert vectors.has("xyxy")
    vectors.save(tmp_path / "noise.bin", format="fasttext")
    zeros = np.zeros_like(rows)
    zeros[trained] = rows[trained]
    vectors.ngrams = NgramRows(ngrams, zeros)
    assert not np.isin(ngrams.ids(["xyxy", "gogo"])[1], trained).any()
    for found in (vectors, load_vectors(tmp_path / "noise.bin")):
        _unknown_everywhere(found)
    keyed = KeyedVectors.load_word2vec_format(tmp_path / "noise.bin")
    keyed.save(tmp_path / "keyed")
    for each in (keyed, KeyedVectors.load(tmp_path / "keyed")):
        assert "kingly" in each and "xyxy" not in each
        with pytest.raises(KeyError):
            each["xyxy"]


def _unknown_everywhere(vectors):
    plain = WordVectors(WORDS, vectors.matrix)  # without n-grams
    assert vectors.has("kingly") and not vectors.has("xyxy") and vectors.get("xyxy") is None
    asked = ("xyxy", ["king", "gogo"], "king + xyxy")
    for ask in (vectors.nearest, plain.nearest):
        for each in asked:
            with pytest.raises(UnknownWordError, match="is not in the vocabulary"):
                ask(each)
    with pytest.raises(UnknownWordError):
        vectors["xyxy"]
    with pytest.warns(UserWarning, match="1 of 3 texts"):
        texts = vectors.encode(["xyxy", "king xyxy gogo", "gogo kingly kingly"])
    assert not texts[0].any() and np.array_equal(texts[1], vectors["king"])
    assert np.allclose(texts[2], vectors["kingly"], rtol=1e-6)
    scored = SimilaritySet("s", (("king", "xyxy", 3.0), ("king", "kingly", 2.0)), 0)
    found = vectors.evaluate(scored)
    assert (found.covered, found.total, found.oov) == (1, 2, 1)


def test_queries(vectors):
    total = made(vectors, "kings") / np.linalg.norm(made(vectors, "kings"))
    unit = vectors.matrix / np.linalg.norm(vectors.matrix, axis=1, keepdims=True)
    total = total - unit[2] + unit[3]
    best = sorted((cosine(total, vectors[w]), w) for w in WORDS if w not in ("man", "woman"))[::-1]
    found = vectors.nearest("kings - man + woman", k=3)
    assert [each.word for each in found] == [word for _, word in best[:3]]
    assert [each.similarity for each in found] == pytest.approx([x for x, _ in best[:3]], abs=1e-5)
    assert vectors.analogy("man", "kings", "woman", k=3) == found
    expected = cosine(made(vectors, "kings"), made(vectors, "queens"))
    assert vectors.similarity("kings", "queens") == pytest.approx(expected, abs=1e-6)
    words = ["kings", "queens", "man", "royals"]
    rows = np.array([vectors[word] / np.linalg.norm(vectors[word]) for word in words])
    assert vectors.odd_one_out(words) == words[int((rows @ rows.mean(axis=0)).argmin())]


@pytest.mark.parametrize("pooling", ["mean", "sif"])
def test_texts(vectors, pooling):
    """Unknown words take part like others; in sif one that never occurred weighs a / (a + 0)."""
    texts = ["kingly man", "royal kingly kingly", ["queens"], "man </s>", "</s>"]
    weight = dict.fromkeys(WORDS, 1.0)
    if pooling == "sif":
        weight = {w: 1e-3 / (1e-3 + c / 21) for w, c in zip(WORDS, range(6, 0, -1), strict=True)}
    rows = []
    for text in texts:
        words = [w for w in (text.split() if isinstance(text, str) else text) if w != "</s>"]
        each = [(weight[w] * vectors[w]) if w in vectors else made(vectors, w) for w in words]
        rows.append(np.mean(each, axis=0) if each else np.zeros(DIM))
    expected = np.array(rows)
    if pooling == "sif":
        common = np.linalg.svd(expected)[2][0]
        expected -= np.outer(expected @ common, common)
    with pytest.warns(UserWarning, match="1 of 5 texts"):
        found = vectors.encode(texts, pooling=pooling)
    assert np.allclose(found, expected, atol=1e-6)
    with pytest.warns(UserWarning, match="1 of 5 texts"):
        parts = [part for _, part in vectors.encode_stream(iter(texts), pooling=pooling)]
    assert np.allclose(np.concatenate(parts), expected, atol=1e-6)


def test_similarity_sets(vectors):
    pairs = (
        ("king", "queen", 3.0),
        ("Kings", "man", 2.0),
        ("kings", "</s>", 1.0),
        ("ab", "xy", 1.0),
    )
    given = SimilaritySet("s", pairs, 0)
    covered = vectors.evaluate(given)
    assert (covered.covered, covered.total, covered.oov) == (3, 4, 2)
    # the vocabulary is in lower case, and so is an unknown word where case is folded
    cosines = [vectors.similarity(*p) for p in (("king", "queen"), ("kings", "man"), ("ab", "xy"))]
    assert covered.pearson == pytest.approx(np.corrcoef(cosines, [3, 2, 1])[0, 1], abs=1e-6)
    exact = vectors.evaluate(given, case="exact")
    cosines[1] = vectors.similarity("Kings", "man")
    assert exact.pearson == pytest.approx(np.corrcoef(cosines, [3, 2, 1])[0, 1], abs=1e-6)
    plain = vectors.evaluate(given, oov=False)
    assert (plain.covered, plain.oov) == (1, 0)
    assert plain.as_dict() == WordVectors(WORDS, vectors.matrix).evaluate(given).as_dict()


def test_they_are_counted_once(vectors):
    assert vectors.made_of_ngrams() is None
    vectors.nearest("king")
    assert vectors.made_of_ngrams() is None
    vectors["kingly"], vectors["kingly"], vectors["King"], vectors.has("other")
    said = vectors.made_of_ngrams()
    assert said.startswith("2 words") and "kingly" in said and "1 would be, in lower case" in said
