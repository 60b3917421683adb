"""Character n-grams: the same buckets as fastText has, and their definition written out."""

import random
import zlib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from w2v.corpus.ngrams import Ngrams

GOLDEN = Path(__file__).parents[1] / "golden" / "fasttext" / "ngrams.npz"
ALPHABET = "abcxyz<>/s" + "éßñ" + "αжあ日한" + "😀𐌰" + "\u0301"


def definition(ngrams: Ngrams, word: str) -> list[int]:
    """The buckets of one word, from the formula."""
    marked, found = f"<{word}>", []
    for start in range(len(marked) if word != "</s>" else 0):
        for n in range(max(1, ngrams.shortest), ngrams.longest + 1):
            run = marked[start : start + n]
            if len(run) < n or (n == 1 and start in (0, len(marked) - 1)):
                continue
            found.append(bucket(run.encode(), ngrams.buckets))
    return found


def bucket(run: bytes, buckets: int) -> int:
    h = 2166136261
    for byte in run:
        h = (h ^ (byte | 0xFFFFFF00 * (byte > 127))) * 16777619 % 2**32
    return h % buckets


def test_ten_thousand_words_have_fasttext_s_buckets():
    with np.load(GOLDEN) as golden:
        words = golden["words"].tobytes().decode().split("\n")
        counts, sums = golden["counts"], golden["sums"]
        settings = golden["settings"].tolist()
    at = 0
    for number, each in enumerate(settings):
        chosen = words[:: 10 if number else 1]
        starts, ids = Ngrams(*each).ids(chosen)
        assert np.array_equal(np.diff(starts), counts[at : at + len(chosen)])
        found = [zlib.crc32(ids[a:b].astype("<i4").tobytes()) for a, b in pairwise(starts)]
        assert found == sums[at : at + len(chosen)].tolist()
        at += len(chosen)
    assert at == len(sums) and len(words) == 10_000


@pytest.mark.parametrize(
    "setting",
    [(3, 6, 2_000_000), (1, 1, 7), (0, 2, 100), (1, 3, 1), (6, 9, 2**31 - 1), (5, 4, 9), (0, 0, 0)],
)
def test_definition(setting):
    chance = random.Random(3)
    words = ["".join(chance.choices(ALPHABET, k=chance.randint(0, 12))) for _ in range(300)]
    words += ["</s>", "", "<", ">"]
    ngrams = Ngrams(*setting)
    starts, ids = ngrams.ids(words)
    assert (starts.dtype, ids.dtype) == (np.int64, np.int32)
    assert [ids[a:b].tolist() for a, b in pairwise(starts)] == [
        definition(ngrams, word) for word in words
    ]


def test_many_words_in_parts_and_none():
    words = [str(number) for number in range(45_000)]
    ngrams = Ngrams(2, 3, 1000)
    starts, ids = ngrams.ids(words)
    for row in (0, 19_999, 20_000, 44_999):
        assert ids[starts[row] : starts[row + 1]].tolist() == definition(ngrams, words[row])
    starts, ids = ngrams.ids([])
    assert starts.tolist() == [0] and len(ids) == 0


def test_wrong_bytes_are_taken_as_they_are():
    """Words of a command line or a file that is not UTF-8: a byte that goes on with a character
    belongs to the one before it."""
    words = [b"\xff\xfe", b"a\x80\x80\x80\x80\x80b", b"\x80"]
    starts, ids = Ngrams(3, 4, 1000).ids(
        [word.decode("utf-8", "surrogateescape") for word in words]
    )
    runs = [b"<\xff\xfe", b"<\xff\xfe>", b"\xff\xfe>", b"<a" + b"\x80" * 5 + b"b"]
    runs += [b"<a" + b"\x80" * 5 + b"b>", b"a" + b"\x80" * 5 + b"b>"]
    assert starts.tolist() == [0, 3, 6, 6]
    assert ids.tolist() == [bucket(run, 1000) for run in runs]


def test_which_words_have_some():
    words = ["", "a", "ab", "日", "</s>", "abc", "x" * 10_000, "x" * 10_001]
    for setting in ((1, 1, 9), (1, 2, 9), (2, 2, 9), (3, 6, 9), (4, 9, 9), (0, 0, 9), (4, 3, 9)):
        ngrams = Ngrams(*setting)
        starts, _ = ngrams.ids(words)
        assert [ngrams.has(word) for word in words] == (np.diff(starts) > 0).tolist(), setting
