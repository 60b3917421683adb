"""Byte-order marks in the middle of a text, and words that are too long to be any."""

from __future__ import annotations

import pytest

from w2v.errors import InputError


@pytest.mark.parametrize("end", [b"\n", b" ", b"\n\xef\xbb\xbf"])
def test_byte_order_marks_of_joined_files_are_dropped(end, tmp_path, read):
    (tmp_path / "joined.txt").write_bytes((b"\xef\xbb\xbfthe cat" + end) * 3)
    for chunk_bytes in (1, 4, 1000):
        store = read(tmp_path / "joined.txt", chunk_bytes=chunk_bytes)
        assert dict(zip(store.vocabulary.words, store.vocabulary.counts.tolist(), strict=True)) == {
            "the": 3,
            "cat": 3,
        }


@pytest.mark.parametrize("size", [(1 << 20) + 1, 3 << 20])
@pytest.mark.parametrize("chunk_bytes", [100_000, 2 << 20])
@pytest.mark.parametrize("text", ["{} a", "a {}", "{}", "a\n{}\nb", "{}文 a"])
def test_words_of_more_than_a_mebibyte_are_refused(text, size, chunk_bytes, tmp_path, read):
    (tmp_path / "a.txt").write_text("a text before it")
    (tmp_path / "corpus.txt").write_text(text.format("x" * size))
    with pytest.raises(InputError, match=r"corpus\.txt has (a word of|no whitespace in 1 MiB)"):
        read(tmp_path / "a.txt", tmp_path / "corpus.txt", chunk_bytes=chunk_bytes)


def test_long_words_and_long_lines(tmp_path, read):
    word = "x" * (1 << 20)
    (tmp_path / "corpus.txt").write_text(f"{word} a " + "b\u3000" * 400_000 + "c d " * 200_000)
    store = read(tmp_path / "corpus.txt", chunk_bytes=100_000)
    assert store.n_lines == 1
    assert store.vocabulary.counts.tolist() == [400_000, 200_000, 200_000, 1, 1]
    assert list(store.vocabulary.words)[:4] == ["b", "c", "d", "a"]
    assert store.vocabulary.words[4] == word
