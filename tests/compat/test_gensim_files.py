"""What gensim's faces read that may come from anywhere takes bounded memory, or is refused."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from w2v.compat.gensim import KeyedVectors, load_facebook_vectors
from w2v.compat.gensim.files import LINE_PIECE, LineSentence
from w2v.errors import InputError

GOLDEN = Path(__file__).parents[1] / "golden" / "fasttext"


@pytest.fixture
def vectors(tmp_path):
    found = KeyedVectors(2)
    found.add_vectors(["a", "b"], np.ones((2, 2), np.float32), {"count": np.array([3, 2])})
    found.save(tmp_path / "kv")
    return found


@pytest.mark.parametrize("how", ["compressed", "claims", "no zip"])
def test_archives_that_stand_for_more_than_they_hold(how, vectors, tmp_path):
    with zipfile.ZipFile(tmp_path / "kv") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    if how == "compressed":
        parts["vectors.npy"] += bytes(64 << 20)
    if how == "claims":
        parts["vectors.npy"] = parts["vectors.npy"].replace(b"(2, 2), ", b"(2, 2000000000000), ")
    kind = zipfile.ZIP_DEFLATED if how == "compressed" else zipfile.ZIP_STORED
    with zipfile.ZipFile(tmp_path / "bomb", "w", kind) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    if how == "no zip":
        (tmp_path / "bomb").write_bytes(b"PK nothing")
    with pytest.raises(InputError, match="bomb was not saved by this module"):
        KeyedVectors.load(tmp_path / "bomb")
    assert KeyedVectors.load(tmp_path / "kv").index_to_key == ["a", "b"]


def test_a_list_of_counts(vectors, tmp_path):
    vectors.save_word2vec_format(tmp_path / "v.bin", tmp_path / "counts", binary=True)
    (tmp_path / "counts").write_bytes(b"\xef\xbb\xbfa 3\r\nb\t2 \n\n")
    found = KeyedVectors.load_word2vec_format(tmp_path / "v.bin", tmp_path / "counts")
    assert found.expandos["count"].tolist() == [3, 2]
    (tmp_path / "counts").write_text("a 3\n")
    with pytest.warns(UserWarning, match="1 of 2 words, such as 'b'"):
        found = KeyedVectors.load_word2vec_format(tmp_path / "v.bin", tmp_path / "counts")
    assert found.expandos["count"].tolist() == [3, 0]
    with pytest.raises(InputError, match="/dev/zero is too large"):
        KeyedVectors.load_word2vec_format(tmp_path / "v.bin", "/dev/zero")


def test_keys_that_a_file_cannot_hold(vectors, tmp_path):
    vectors.add_vectors(["new york"], np.ones((1, 2)))
    with pytest.warns(UserWarning, match="1 of 3 words, such as 'new york'"):
        vectors.save_word2vec_format(tmp_path / "v.txt")
    assert KeyedVectors.load_word2vec_format(tmp_path / "v.txt").index_to_key == ["a", "b"]


@pytest.mark.parametrize("mode", ["rb", "r"])
def test_lines_longer_than_what_is_read_at_once(mode, tmp_path):
    words = [f"wörd{i}" for i in range(3 * LINE_PIECE // 10)]
    text = " ".join(words) + "\nlast line\n"
    (tmp_path / "text").write_text(text, encoding="utf-8")
    with open(tmp_path / "text", mode, encoding=None if mode == "rb" else "utf-8") as file:
        sentences = list(LineSentence(file))
    assert [word for sentence in sentences[:-1] for word in sentence] == words
    assert {len(sentence) for sentence in sentences[:-2]} == {10000}
    assert sentences[-1] == ["last", "line"]
    assert list(LineSentence(tmp_path / "text", limit=1)) == sentences[:-1]


def test_unknown_words_have_the_vectors_of_their_ngrams(tmp_path):
    """As gensim's FastTextKeyedVectors answer; also of an archive."""
    found = load_facebook_vectors(GOLDEN / "skipgram.bin")
    with np.load(GOLDEN / "vectors.npz") as golden:
        words = golden["skipgram.words"].tobytes().decode().split("\n")
        expected = golden["skipgram.vectors"]
    found.save(tmp_path / "kv")
    for each in (found, KeyedVectors.load(tmp_path / "kv")):
        assert np.allclose(each[words], expected, atol=1e-6)
        unknown = words[-1]
        assert unknown in each and not each.has_index_for(unknown)
        cosines = expected @ expected[-1] / np.linalg.norm(expected, axis=1)
        ((best, score),) = each.most_similar(unknown, topn=1)
        assert best == each.index_to_key[cosines[: len(each)].argmax()]
        assert score == pytest.approx(each.similarity(best, unknown), abs=1e-6)
        assert np.linalg.norm(each.get_vector(unknown, norm=True)) == pytest.approx(1)
        with pytest.raises(KeyError):
            each.get_index(unknown)
    with pytest.raises(KeyError):
        KeyedVectors.load_word2vec_format(GOLDEN / "plain.bin")["nobody"]
