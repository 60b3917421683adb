"""The readers against files in gensim's and word2vec.c's forms; gensim, where it is installed,
against ours."""

from pathlib import Path

import numpy as np
import pytest

from w2v.vectors import load_vectors, save_vectors

GOLDEN = Path(__file__).parents[1] / "golden" / "gensim_eval"
FILES = ["vectors.txt", "vectors_gensim.bin", "vectors_word2vec_c.bin"]


@pytest.fixture(scope="module")
def expected():
    with np.load(GOLDEN / "vector_files.npz") as z:
        return z["words"].tolist(), z["vectors"]


@pytest.mark.parametrize("name", FILES)
def test_reads_what_gensim_reads(name, expected):
    words, matrix = expected
    vectors = load_vectors(GOLDEN / name)
    assert vectors.words == words
    assert vectors.matrix.dtype == np.float32
    assert vectors.matrix.tobytes() == matrix.tobytes()


@pytest.mark.parametrize("name", FILES)
def test_the_name_does_not_matter(name, expected, tmp_path):
    for other in ("vectors", "vectors.bin", "vectors.txt", "vectors.glove"):
        (tmp_path / other).write_bytes((GOLDEN / name).read_bytes())
        vectors = load_vectors(tmp_path / other)
        assert vectors.words == expected[0]
        assert np.array_equal(vectors.matrix, expected[1])


def test_binary_is_word2vec_c_s_byte_for_byte(expected, tmp_path):
    save_vectors(tmp_path / "v.bin", *expected)
    assert (tmp_path / "v.bin").read_bytes() == (GOLDEN / "vectors_word2vec_c.bin").read_bytes()


@pytest.mark.parametrize("name", ["v.bin", "v.txt", "v.vec", "v.glove"])
def test_gensim_reads_what_we_write(name, expected, tmp_path):
    models = pytest.importorskip("gensim.models")
    words, matrix = expected
    save_vectors(tmp_path / name, words, matrix)
    vectors = models.KeyedVectors.load_word2vec_format(
        str(tmp_path / name), binary=name.endswith(".bin"), no_header=name.endswith(".glove")
    )
    assert vectors.index_to_key == words
    assert np.array_equal(vectors.vectors, matrix)
