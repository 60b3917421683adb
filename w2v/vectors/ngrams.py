"""Vectors made of character n-grams, as fastText makes them: with own row o and the rows g of its n
n-grams a known word has (o + Σ g) / (n + 1), an unknown one Σ g / n."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from w2v.corpus.ngrams import Ngrams
from w2v.errors import InputError, shown

BLOCK_VALUES = 1 << 20  # floats of n-grams' rows that are summed at a time, roughly
USUAL_NGRAMS = 25  # of a word
KEPT_WORDS = 100_000  # that are remembered as asked for


class NgramRows:
    """What n-grams have learnt.

    Attributes:
        ngrams: which ones there are.
        rows: [buckets, D] float32; read-only and memory-mapped when it comes from a file.
        asked: the unknown words whose vectors were made, the first so many.
    """

    def __init__(self, ngrams: Ngrams, rows: np.ndarray) -> None:
        if len(rows) != ngrams.buckets:
            raise ValueError(f"{len(rows)} rows do not fit {ngrams.buckets} buckets")
        self.ngrams, self.rows = ngrams, rows
        self.asked: dict[str, None] = {}

    def has(self, word: str) -> bool:
        """Returns whether a word has n-grams, and so a vector."""
        return self.ngrams.has(word)

    def means(self, words: Sequence[str]) -> np.ndarray:
        """Returns the vectors of unknown words, [N, D] float32. InputError where n-grams hold NaN
        or infinity."""
        sums, counts = self.sums(words)
        found = np.asarray(sums / np.maximum(counts, 1)[:, None], np.float32)
        wrong = np.flatnonzero(~np.isfinite(found).all(axis=1))
        if len(wrong):
            what = f"the n-grams of {shown(words[wrong[0]])} hold NaN or infinity"
            raise InputError(f"{what}; train again with a smaller `lr`")
        if len(self.asked) < KEPT_WORDS:
            self.asked.update(dict.fromkeys(words))
        return found

    def full(self, words: Sequence[str], own: np.ndarray) -> np.ndarray:
        """Returns the vectors of known words with the rows `own` [N, D], [N, D] float32."""
        sums, counts = self.sums(words)
        return np.asarray((own + sums) / (counts + 1)[:, None], np.float32)

    def own(self, words: Sequence[str], full: np.ndarray) -> np.ndarray:
        """Returns the own rows of known words with the vectors `full` [N, D], [N, D] float32."""
        sums, counts = self.sums(words)
        return np.asarray(full * (counts + 1.0)[:, None] - sums, np.float32)

    def sums(self, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Returns the sums of the rows of each word's n-grams, [N, D] float64, and how many there
        are, [N] int64."""
        starts, ids = self.ngrams.ids(words)
        dim = self.rows.shape[1]
        found, counts = np.zeros((len(words), dim)), np.diff(starts)
        step = max(1, BLOCK_VALUES // max(1, dim) // USUAL_NGRAMS)
        for at in range(0, len(words), step):
            own = starts[at : at + step + 1]
            some = np.flatnonzero(counts[at : at + step])
            if len(some):
                rows = self.rows[ids[own[0] : own[-1]]].astype(np.float64)
                with np.errstate(invalid="ignore", over="ignore"):
                    found[at + some] = np.add.reduceat(rows, own[some] - own[0], axis=0)
        return found, counts
