"""The vocabulary: packed words as a sequence, truncation, its file and word2vec.c's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import w2v
from w2v.corpus import Vocabulary
from w2v.corpus.vocabulary import BLOCK, PackedWords
from w2v.errors import InputError

WORDS = st.lists(
    st.text(st.characters(codec="utf-8", exclude_categories=["Zs", "Cc", "Zl", "Zp"]), min_size=1)
)


@given(
    words=WORDS,
    start=st.integers(-9, 9),
    stop=st.integers(-9, 9),
    step=st.sampled_from([None, 1, 2, -1]),
)
def test_packed_words_are_a_sequence(words, start, stop, step):
    packed = PackedWords.pack(words)
    assert list(packed) == words
    assert len(packed) == len(words)
    assert [packed[place] for place in range(-len(words), len(words))] == words + words
    part = packed[start:stop:step]
    assert list(part) == words[start:stop:step]
    assert part == PackedWords.pack(words[start:stop:step]) == words[start:stop:step]
    assert part.text.decode() == "".join(f"{word}\n" for word in words[start:stop:step])
    assert list(part[1:]) == words[start:stop:step][1:]


def test_packed_words_have_ends():
    packed = PackedWords.pack(["a", "b"])
    for place in (2, -3):
        with pytest.raises(IndexError):
            packed[place]
    assert packed != ["a"]
    assert packed[np.int64(1)] == "b"


def test_index():
    vocabulary = Vocabulary(["the", "of"], np.array([5, 2]))
    assert (vocabulary.index("the"), vocabulary.index("of"), vocabulary.index("The")) == (
        0,
        1,
        None,
    )
    assert "of" in vocabulary
    assert "off" not in vocabulary


@given(
    counts=st.lists(st.integers(1, 9), max_size=30),
    min_count=st.integers(0, 11),
    max_vocab=st.integers(0, 40),
)
def test_truncated(counts, min_count, max_vocab):
    counts = sorted(counts, reverse=True)
    words = [f"w{number}" for number in range(len(counts))]
    expected = [count for count in counts if count >= min_count]
    if max_vocab:
        expected = expected[:max_vocab]
    for sequence in (words, PackedWords.pack(words)):
        cut = Vocabulary(sequence, np.array(counts, dtype=np.int64)).truncated(min_count, max_vocab)
        assert cut.counts.tolist() == expected
        assert list(cut.words) == words[: len(expected)]
        assert cut.counts.dtype == np.int64


def test_what_it_is_made_of_is_checked():
    with pytest.raises(ValueError, match="2 words but 1 counts"):
        Vocabulary(["a", "b"], np.array([1]))
    with pytest.raises(ValueError, match="never increase"):
        Vocabulary(["a", "b"], np.array([1, 2]))


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, 2 * BLOCK + 1])
def test_saved_and_loaded(size, tmp_path):
    words = [f"wörd{number}" for number in range(size)]
    counts = np.arange(size, 0, -1, dtype=np.int64) + (1 << 40)
    Vocabulary(PackedWords.pack(words), counts).save(tmp_path / "vocab.tsv")
    loaded = Vocabulary.load(tmp_path / "vocab.tsv")
    assert list(loaded.words) == words
    assert np.array_equal(loaded.counts, counts)
    if size:
        first = (tmp_path / "vocab.tsv").read_bytes().split(b"\n")[0]
        assert first == f"wörd0\t{counts[0]}".encode()


def test_words_with_blanks_are_read_back(tmp_path):
    words = ["New York", "a\u00a0b", " a", "a\u3000", "a\x1cb", "a\r", "a\u2028b"]
    Vocabulary(words, np.arange(9, 2, -1)).save(tmp_path / "vocab.tsv")
    assert list(Vocabulary.load(tmp_path / "vocab.tsv").words) == words


@pytest.mark.parametrize("word", ["a\tb", "", "a\nb"])
def test_a_word_that_no_reader_could_read_back_is_not_saved(word, tmp_path):
    with pytest.raises(ValueError, match="is empty or contains a tab"):
        Vocabulary(["fine", word, "too"], np.array([3, 2, 1])).save(tmp_path / "vocab.tsv")
    assert list(tmp_path.iterdir()) == []


def test_word2vec_c_format(tmp_path):
    """Its sentence mark comes first, whatever its count, even 0."""
    (tmp_path / "vocab.txt").write_text("</s> 7\nthe 9\nof 7\nand 7\nrare 1\n")
    loaded = Vocabulary.load(tmp_path / "vocab.txt")
    assert list(loaded.words) == ["the", "</s>", "of", "and", "rare"]
    assert loaded.counts.tolist() == [9, 7, 7, 7, 1]
    (tmp_path / "vocab.txt").write_text("</s> 0\nthe 9\n")
    assert list(Vocabulary.load(tmp_path / "vocab.txt").words) == ["the"]


@pytest.mark.parametrize("text", ["a\t2\nb\t1", "a\t2\r\nb\t1\r\n"])
def test_missing_final_newline_and_crlf(text, tmp_path):
    (tmp_path / "vocab.tsv").write_bytes(text.encode())
    loaded = Vocabulary.load(tmp_path / "vocab.tsv")
    assert list(loaded.words) == ["a", "b"]
    assert loaded.counts.tolist() == [2, 1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a\t3\nb\n", r"line 2: 'b' is not a vocabulary line \(word, tab, count"),
        (b"a\t3\n\nb\t1\n", "line 2: '' is not"),
        (b"a 3\nb c 1\n", r"line 2: 'b c 1' is not a vocabulary line \(word, space or tab, count"),
        (b"a\t3\n\t1\n", "line 2: .* is not"),
        (b"a\tmany\n", "line 1: the count 'many' is not a whole number of at least 1"),
        (b"a\t0\n", "line 1: the count '0'"),
        (b"a\t-1\n", "line 1: the count '-1'"),
        (b"a\t1.5\n", "line 1: the count '1.5'"),
        (b"a\t99999999999999999999\n", "line 1: the count"),
        ("a\t٣\n".encode(), "line 1: the count"),
        (b"a\t3\nb\t2\na\t1\n", "line 3: 'a' is already on line 1"),
        (b"a\t3\nb\t4\n", "line 2: the count 4 is higher"),
        (b"a\t3\n\xff\t1\n", "not valid UTF-8 at byte 4"),
    ],
)
def test_errors_name_the_line(content, message, tmp_path):
    (tmp_path / "vocab.tsv").write_bytes(content)
    with pytest.raises(InputError, match=message):
        Vocabulary.load(tmp_path / "vocab.tsv")


def test_no_file(tmp_path):
    with pytest.raises(InputError, match=r"none\.tsv cannot be read: No such file"):
        Vocabulary.load(tmp_path / "none.tsv")


def test_loading_needs_no_pyarrow(tmp_path):
    (tmp_path / "vocab.tsv").write_text("a\t1\n")
    code = (
        "import sys; from w2v.corpus.vocabulary import Vocabulary\n"
        f"assert list(Vocabulary.load({str(tmp_path / 'vocab.tsv')!r}).words) == ['a']\n"
        "assert 'pyarrow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=Path(w2v.__file__).parents[1], check=True)
