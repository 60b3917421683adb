"""The character n-grams of words, in buckets, as fastText has them.

A word stands between "<" and ">". Its n-grams are all runs of `shortest` to `longest` characters of
that, by their first character and then by length, but for "<" and ">" alone; the end of a line,
"</s>", has none, and (not so in fastText) no word of more than 10,000 characters has any. The
bucket of an n-gram is FNV-1a, 32 bits, of its UTF-8 bytes, modulo the number of buckets:
h = 2166136261, then h = (h xor byte) * 16777619 for each byte. fastText takes a byte as a signed
number, so those above 127 also flip the upper 24 bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

LINE_END = "</s>"
SEED, PRIME = np.uint32(2166136261), np.uint32(16777619)
LONGEST_WORD = 10_000  # characters
BLOCK_WORDS = 20_000  # whose n-grams are found at a time, so that the arrays stay small


class Ngrams(NamedTuple):
    """Runs of `shortest` to `longest` characters, in so many buckets; none if `longest` is 0."""

    shortest: int
    longest: int
    buckets: int

    def has(self, word: str) -> bool:
        """Returns whether a word has n-grams at all: it is long enough, and not "</s>"."""
        shortest = max(self.shortest, 1 if word else 2)
        return not _has_none(word) and shortest <= min(self.longest, len(word) + 2)

    def ids(self, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Returns the buckets of the n-grams of all words, one word after the other, int32, and
        where each word's begin and end: those of word i are ids[starts[i] : starts[i + 1]], starts
        [N + 1] int64. A word may hold the surrogates that Python has for bytes that are no UTF-8.
        """
        blocks = range(0, len(words), BLOCK_WORDS)
        parts = [self._block(words[at : at + BLOCK_WORDS]) for at in blocks]
        counts = np.concatenate([np.zeros(1, np.int64), *(each for each, _ in parts)])
        ids = np.concatenate([np.empty(0, np.int32), *(each for _, each in parts)])
        return np.cumsum(counts), ids

    def _block(self, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Returns how many n-grams each word has, [N] int64, and their buckets."""
        silent = [_has_none(word) for word in words]
        marked = [b"<%b>" % _utf8(word[:LONGEST_WORD]) for word in words]
        data = np.frombuffer(b"".join(marked), np.uint8)
        begins = np.flatnonzero((data & 0xC0) != 0x80)  # where a character begins
        sizes = np.diff(begins, append=len(data))
        word_ends = np.searchsorted(begins, np.cumsum([len(each) for each in marked]))
        lengths = np.diff(word_ends, prepend=0)
        signed = data.view(np.int8).astype(np.int32).view(np.uint32)

        # Of the n-grams with each character: the shortest's length, and how many there are.
        place, ends = np.arange(len(begins)), np.repeat(word_ends, lengths)
        lowest = np.full(len(begins), max(1, self.shortest))
        if self.shortest <= 1:
            lowest[word_ends - 1] = lowest[word_ends - lengths] = 2
        number = np.maximum(0, np.minimum(self.longest, ends - place) - lowest + 1)
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
            wanted = np.flatnonzero(n >= lowest[first])
            chosen = first[wanted]
            ids[offsets[chosen] + n - lowest[chosen]] = hashes[wanted] % np.uint32(self.buckets)
        return np.add.reduceat(number, word_ends - lengths), ids


def _has_none(word: str) -> bool:
    return word == LINE_END or len(word) > LONGEST_WORD


def _utf8(word: str) -> bytes:
    try:
        return word.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return word.encode("utf-8", "surrogatepass")
