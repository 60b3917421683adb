"""Vectors from character n-grams, as in fastText. If a word has n n-grams with rows g, the vector
of a known word with its own row o is (o + Σ g) / (n + 1); that of an unknown word is Σ g / n, if
at least one of its n-grams was trained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from w2v.corpus.ngrams import Ngrams
from w2v.vectors.precision import check_finite

BLOCK_VALUES = 1 << 20  # floats of n-gram rows summed at a time
BLOCK_CHARACTERS = 1 << 16  # characters of words processed at a time
KEPT_WORDS = 100_000  # unknown words remembered at most, approximately


class NgramRows:
    """The trained rows of n-grams.

    Attributes:
        ngrams: the lengths of the n-grams and the number of buckets.
        rows: [buckets, D] float32; read-only and memory-mapped if it comes from a file.
        learnt: bool [buckets], which buckets known words have trained; None: those whose rows are
            not zeros, as in runs of w2v. (fastText leaves noise in untrained rows.)
        asked: the unknown words whose vectors were computed, up to about KEPT_WORDS.
    """

    def __init__(self, ngrams: Ngrams, rows: np.ndarray, learnt: np.ndarray | None = None) -> None:
        if len(rows) != ngrams.buckets:
            raise ValueError(f"{len(rows)} rows do not fit {ngrams.buckets} buckets")
        self.ngrams, self.rows, self.learnt = ngrams, rows, learnt
        self.asked: dict[str, None] = {}

    def has(self, word: str) -> bool:
        """Returns whether an unknown word has a vector."""
        return bool(self.have([word])[0])

    def have(self, words: Sequence[str]) -> np.ndarray:
        """Returns which unknown words have a vector, bool [N]: those with a trained n-gram."""
        has_vector = np.zeros(len(words), bool)
        step = max(1, BLOCK_VALUES // max(1, self.rows.shape[1]))
        for begin, starts, ids in self._ids(words):
            word_of = begin + np.repeat(np.arange(len(starts) - 1), np.diff(starts))
            for first in range(0, len(ids), step):
                part = ids[first : first + step]
                learnt = self.rows[part].any(axis=1) if self.learnt is None else self.learnt[part]
                has_vector[word_of[first : first + step][learnt]] = True
        return has_vector

    def learn(self, words: Sequence[str]) -> None:
        """Marks the n-grams of these known words as trained."""
        if self.learnt is None:
            self.learnt = np.zeros(self.ngrams.buckets, bool)
        for _, _, ids in self._ids(words):
            self.learnt[ids] = True

    def means(self, words: Sequence[str]) -> np.ndarray:
        """Returns the vectors of unknown words, [N, D] float32. Raises InputError if they contain
        NaN or infinity."""
        sums, counts = self.sums(words)
        vectors = _rounded(sums / np.maximum(counts, 1)[:, None])
        remedy = "train again with a smaller `lr`"
        check_finite(vectors, words, "the n-gram vector of", remedy)
        if len(self.asked) < KEPT_WORDS:
            self.asked.update(dict.fromkeys(words))
        return vectors

    def full(self, words: Sequence[str], own: np.ndarray) -> np.ndarray:
        """Returns the vectors [N, D] float32 of known words from their own rows `own` [N, D]."""
        sums, counts = self.sums(words)
        return _rounded((own + sums) / (counts + 1)[:, None])

    def own(self, words: Sequence[str], full: np.ndarray) -> np.ndarray:
        """Returns the own rows [N, D] float32 of known words from their vectors `full` [N, D]."""
        sums, counts = self.sums(words)
        return _rounded(full * (counts + 1.0)[:, None] - sums)

    def sums(self, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Returns for each word the sum of its n-grams' rows, [N, D] float64, and how many n-grams
        it has, [N] int64."""
        sums = np.zeros((len(words), self.rows.shape[1]))
        counts = np.zeros(len(words), np.int64)
        for begin, starts, ids in self._ids(words):
            end = begin + len(starts) - 1
            counts[begin:end] = np.diff(starts)
            self._add(sums[begin:end], ids, counts[begin:end])
        return sums, counts

    def _ids(self, words: Sequence[str]) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Yields for blocks of words the index of the first, and the result of `Ngrams.ids`."""
        sizes = np.cumsum([len(word) for word in words], dtype=np.int64) // BLOCK_CHARACTERS
        begins = [*np.flatnonzero(np.diff(sizes, prepend=-1)).tolist(), len(words)]
        for begin, end in pairwise(begins):
            yield begin, *self.ngrams.ids(words[begin:end])

    def _add(self, sums: np.ndarray, ids: np.ndarray, counts: np.ndarray) -> None:
        """Adds the rows `ids`, of which `counts` [n] belong to each word, to `sums` [n, D]."""
        word_of = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
        step = max(1, BLOCK_VALUES // max(1, sums.shape[1]))
        for start in range(0, len(ids), step):
            owners = word_of[start : start + step]
            first = np.flatnonzero(np.diff(owners, prepend=-1))
            rows = self.rows[ids[start : start + step]].astype(np.float64)
            with np.errstate(invalid="ignore"):  # reported where the sums are used
                sums[owners[first]] += np.add.reduceat(rows, first, axis=0)


def _rounded(rows: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return rows.astype(np.float32)
