"""Which row of the vectors a set's word means: by its exact spelling, or by its spelling in
capitals.

Folding is compute-accuracy's and gensim's: both sides through `upper()`, and of several words that
become the same the most frequent one (the first) stands for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from w2v.errors import InputError

CASES = ("fold", "exact")


class Vectors(Protocol):
    """What is asked of the vectors: their words, most frequent first, and rows of length 1."""

    @property
    def words(self) -> Sequence[str]: ...

    def unit(self, rows: slice | np.ndarray) -> np.ndarray: ...


class WordMatcher:
    """Looks words up among the first `n_rows` words of the vectors."""

    def __init__(self, vectors: Vectors, restrict_vocab: int = 0, case: str = "fold") -> None:
        """`restrict_vocab`: only so many of the most frequent words take part, 0 = all."""
        if case not in CASES:
            raise InputError(f"`case` {case} is unknown; use one of {', '.join(CASES)}")
        if restrict_vocab < 0:
            raise InputError(
                f"`restrict_vocab` {restrict_vocab} is negative; use 0 for the whole vocabulary"
            )
        self.n_rows = min(restrict_vocab or len(vectors.words), len(vectors.words))
        self._fold = str.upper if case == "fold" else str
        self._keys = [self._fold(word) for word in vectors.words[: self.n_rows]]
        # Reversed, so that of equal keys the first, most frequent one wins.
        self._row_of = dict(zip(reversed(self._keys), range(self.n_rows - 1, -1, -1), strict=True))

    def row(self, word: str) -> int | None:
        """The row that stands for `word`, or None when it does not take part."""
        return self._row_of.get(self._fold(word))

    def representatives(self) -> np.ndarray:
        """For every row the one that stands for its spelling, [n_rows] int64: equal numbers are
        equal words."""
        return np.fromiter(map(self._row_of.__getitem__, self._keys), np.int64, self.n_rows)
