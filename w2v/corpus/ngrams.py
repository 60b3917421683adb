"""The character n-grams of words, hashed into buckets as in fastText.

A word is enclosed in "<" and ">". Its n-grams are all substrings of `shortest` to `longest`
characters, ordered by first character and then by length, except "<" and ">" alone. The line end
"</s>" has none, nor (unlike in fastText) does a word of more than 10,000 characters. The bucket of
an n-gram is the 32-bit FNV-1a hash of its UTF-8 bytes modulo the number of buckets:
h = 2166136261, then h = (h xor byte) * 16777619 for each byte. As in fastText, a byte is
sign-extended to 32 bits, so that a byte above 127 also flips the upper 24 bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

LINE_END = "</s>"
SEED, PRIME = np.uint32(2166136261), np.uint32(16777619)
LONGEST_WORD = 10_000  # characters
BLOCK_WORDS = 20_000  # words processed at a time, so that the arrays stay small


class Ngrams(NamedTuple):
    """N-grams of `shortest` to `longest` (0: no n-grams) characters, in `buckets` buckets."""

    shortest: int
    longest: int
    buckets: int

    def has(self, word: str) -> bool:
        """Returns whether a word has any n-grams: it is long enough, and not "</s>"."""
        shortest = max(self.shortest, 1 if word else 2)
        return not _has_none(word) and shortest <= min(self.longest, len(word) + 2)

    def ids(self, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Returns (starts, ids): the buckets of the n-grams of N words are concatenated in `ids`,
        int32; those of word i are ids[starts[i] : starts[i + 1]], with `starts` int64 [N + 1].
        Words may contain surrogates, which Python uses for bytes that are not valid UTF-8.
        """
        blocks = range(0, len(words), BLOCK_WORDS)
        parts = [self._block(words[i : i + BLOCK_WORDS]) for i in blocks]
        counts = np.concatenate([np.zeros(1, np.int64), *(each for each, _ in parts)])
        ids = np.concatenate([np.empty(0, np.int32), *(each for _, each in parts)])
        return np.cumsum(counts), ids

    def _block(self, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Returns the number of n-grams of each word, int64 [N], and their buckets, int32."""
        silent = [_has_none(word) for word in words]
        marked = [b"<%b>" % _utf8(word[:LONGEST_WORD]) for word in words]
        data = np.frombuffer(b"".join(marked), np.uint8)
        begins = np.flatnonzero((data & 0xC0) != 0x80)  # where a character begins
        sizes = np.diff(begins, append=len(data))
        word_ends = np.searchsorted(begins, np.cumsum([len(each) for each in marked]))
        lengths = np.diff(word_ends, prepend=0)
        signed = data.view(np.int8).astype(np.int32).view(np.uint32)

        # Of the n-grams that begin at each character: the smallest length, and their number.
        index, ends = np.arange(len(begins)), np.repeat(word_ends, lengths)
        lowest = np.full(len(begins), max(1, self.shortest))
        if self.shortest <= 1:
            lowest[word_ends - 1] = lowest[word_ends - lengths] = 2
        number = np.maximum(0, np.minimum(self.longest, ends - index) - lowest + 1)
        number[np.repeat(silent, lengths)] = 0
        offsets = np.cumsum(number) - number
        ids = np.empty(number.sum(), np.int32)

        first = np.flatnonzero(number)
        hashes = np.full(len(first), SEED)
        for n in range(1, self.longest + 1):
            inside = first + n <= ends[first]
            first, hashes = first[inside], hashes[inside]
            if not len(first):
                break
            last = first + n - 1
            for byte in range(int(sizes[last].max())):
                has = np.flatnonzero(sizes[last] > byte) if byte else slice(None)
                hashes[has] = (hashes[has] ^ signed[begins[last[has]] + byte]) * PRIME
            valid = np.flatnonzero(n >= lowest[first])
            chosen = first[valid]
            ids[offsets[chosen] + n - lowest[chosen]] = hashes[valid] % np.uint32(self.buckets)
        return np.add.reduceat(number, word_ends - lengths), ids


def _has_none(word: str) -> bool:
    return word == LINE_END or len(word) > LONGEST_WORD


def _utf8(word: str) -> bytes:
    try:
        return word.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return word.encode("utf-8", "surrogatepass")
