"""Damaged .npy files and what stands beside them: refused in a sentence, or valid."""

import gzip
import io
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.vectors.test_damaged_files import MATRIX, WORDS
from w2v.errors import InputError, RunError
from w2v.vectors import load_vectors, save_vectors


class TestArrays:
    def run(self, tmp_path, words="a\t2\nb\t1\n", matrix=None):
        if matrix is None:
            np.save(tmp_path / "vectors.npy", np.ones((2, 3), np.float32))
        else:
            (tmp_path / "vectors.npy").write_bytes(matrix)
        (tmp_path / "vocab.tsv").write_bytes(words.encode() if isinstance(words, str) else words)
        return load_vectors(tmp_path)

    @pytest.mark.parametrize(
        ("words", "match"),
        [
            ("a\t2\n", "1 words"),
            ("a\t2\nb\t1\nc\t1\n", "3 words"),
            ("a\t2\nb\tx\n", "line 2 has 'x'"),
            ("a\t2\nb\t99999999999999999999\n", "line 2"),
            ("a\t2\nb\n", "line 2"),
            ("a\t2\t3\nb\n", "line 1"),
            ("5\n6\t7\t8\n", "line 1"),
            (b"a\t2\nb\xff\t1\n", "word 2 is not valid UTF-8 .byte 5"),
            ("", "empty"),
        ],
    )
    def test_word_list(self, words, match, tmp_path):
        with pytest.raises(InputError, match=match):
            self.run(tmp_path, words)

    def test_missing_word_list(self, tmp_path):
        np.save(tmp_path / "v.npy", MATRIX)
        with pytest.raises(InputError, match=r"v\.vocab\.tsv"):
            load_vectors(tmp_path / "v.npy")

    def test_matrix(self, tmp_path):
        good = io.BytesIO()
        np.save(good, np.ones((2, 3), np.float32))
        data = good.getvalue()
        assert len(self.run(tmp_path, matrix=data)) == 2
        for length in range(len(data)):
            with pytest.raises(InputError, match=r"vectors\.npy"):
                self.run(tmp_path, matrix=data[:length])
        for lie in (b"(9, 3)", b"(2, 0)", b"(-2,3)", b"(2,-3)", b"(2*3,)", b"(((((("):
            with pytest.raises(InputError, match=r"vectors\.npy"):
                self.run(tmp_path, matrix=data.replace(b"(2, 3)", lie))
        with pytest.raises(InputError, match=r"vectors\.npy"):
            self.run(tmp_path, matrix=data + b"x")

    def test_never_unpickles(self, tmp_path):
        for array in (
            np.array([[1, "a"]], object),
            np.ones((2, 3), int),
            np.ones(6, np.float32),
            np.ones((2, 3), complex),
        ):
            file = io.BytesIO()
            np.save(file, array, allow_pickle=True)
            with pytest.raises(InputError, match=r"vectors\.npy"):
                self.run(tmp_path, matrix=file.getvalue())


@given(st.binary(max_size=60), st.integers(0, 130))
@settings(max_examples=examples(40), deadline=None)
def test_random_damage_of_npy(content, place):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "v.npy"
        save_vectors(path, WORDS, MATRIX)
        data = path.read_bytes()
        path.write_bytes(data[:place] + content + data[place + len(content) :])
        try:
            vectors = load_vectors(path)
        except InputError as error:
            assert "v.npy" in str(error)
        else:
            assert len(vectors) == len(vectors.matrix)


def test_a_matrix_that_cannot_be_mapped(tmp_path, monkeypatch):
    save_vectors(tmp_path / "v.npy", WORDS, MATRIX)

    def refuse(*arguments, **options):
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(np, "memmap", refuse)
    with pytest.raises(
        RunError, match=r"cannot map .*v\.npy into memory: .*Cannot allocate memory"
    ):
        load_vectors(tmp_path / "v.npy")


def test_a_compressed_matrix_and_a_limit_of_nothing(tmp_path):
    save_vectors(tmp_path / "v.npy", WORDS, MATRIX)
    (tmp_path / "v.npy.gz").write_bytes(gzip.compress((tmp_path / "v.npy").read_bytes()))
    with pytest.raises(InputError, match=r"decompress it first"):
        load_vectors(tmp_path / "v.npy.gz")
    with pytest.raises(InputError, match="limit 0 is out of range"):
        load_vectors(tmp_path / "v.npy", limit=0)


def test_windows_line_ends_in_a_word_list(tmp_path):
    save_vectors(tmp_path / "v.npy", WORDS, MATRIX, np.array([5, 4, 3, 2, 1]))
    words = tmp_path / "v.vocab.tsv"
    words.write_bytes(words.read_bytes().replace(b"\n", b"\r\n"))
    vectors = load_vectors(tmp_path / "v.npy")
    assert (vectors.words, vectors.counts.tolist()) == (WORDS, [5, 4, 3, 2, 1])
