"""The character n-grams of words, in buckets, as fastText has them.

A word stands between "<" and ">". Its n-grams are all runs of `shortest` to `longest` characters of
that, by their first character and then by length, but for "<" and ">" alone; the end of a line,
"</s>", has none. The bucket of an n-gram is FNV-1a, 32 bits, of its UTF-8 bytes, modulo the number
of buckets: h = 2166136261, then h = (h xor byte) * 16777619 for each byte. fastText takes a byte as
a signed number, so those above 127 also flip the upper 24 bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

LINE_END = "</s>"
SEED, PRIME = np.uint32(2166136261), np.uint32(16777619)
LONGEST_CHARACTER = 4  # bytes
BLOCK_WORDS = 20_000  # whose n-grams are found at a time, so that the arrays stay small


class Ngrams(NamedTuple):
    """Runs of `shortest` to `longest` characters, in so many buckets; none if `longest` is 0."""

    shortest: int
    longest: int
    buckets: int

    def ids(self, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Returns the buckets of the n-grams of all words, one word after the other, int32, and
        where each word's begin and end: those of word i are ids[starts[i] : starts[i + 1]], starts
        [N + 1] int64."""
        parts = [
            self._block(words[at : at + BLOCK_WORDS]) for at in range(0, len(words), BLOCK_WORDS)
        ]
        counts = np.concatenate([np.zeros(1, np.int64), *(each for each, _ in parts)])
        ids = np.concatenate([np.empty(0, np.int32), *(each for _, each in parts)])
        return np.cumsum(counts), ids

    def _block(self, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Returns how many n-grams each word has, [N] int64, and their buckets."""
        # A word given as wrong bytes holds lone surrogates.
        text = "".join([f"<{word}>" for word in words]).encode("utf-8", "surrogatepass")
        data = np.frombuffer(text, np.uint8)
        begins = np.flatnonzero((data & 0xC0) != 0x80)  # where a character begins
        sizes = np.diff(begins, append=len(data))
        lengths = np.array([len(word) + 2 for word in words], np.int64)
        ends = np.repeat(np.cumsum(lengths), lengths)  # of each character's word, in characters
        no_marks = np.repeat(np.cumsum(lengths) - lengths, lengths) + 1
        silent = np.repeat([word == LINE_END for word in words], lengths)
        signed = data.view(np.int8).astype(np.int32).view(np.uint32)

        first = np.flatnonzero(~silent)  # characters with which an n-gram of n characters begins
        hashes = np.full(len(first), SEED)
        shortest = max(1, self.shortest)
        table = np.zeros((len(begins), max(0, self.longest - shortest + 1)), np.int32)
        is_one = np.zeros(table.shape, bool)
        for n in range(1, self.longest + 1):
            inside = first + n <= ends[first]
            first, hashes = first[inside], hashes[inside]
            if not len(first):
                break
            last = first + n - 1
            for byte in range(LONGEST_CHARACTER):
                has = slice(None) if byte == 0 else np.flatnonzero(sizes[last] > byte)
                hashes[has] = (hashes[has] ^ signed[begins[last[has]] + byte]) * PRIME
            if n >= shortest:
                table[first, n - shortest] = hashes % np.uint32(self.buckets)
                is_one[first, n - shortest] = True
                if n == 1:
                    marks = (first < no_marks[first]) | (first + 1 == ends[first])
                    is_one[first[marks], 0] = False
        counts = np.add.reduceat(is_one.sum(axis=1), np.cumsum(lengths) - lengths)
        return counts, table[is_one]
