"""Which row of the vectors a set's word means: by its exact spelling, or by its spelling in
capitals.

Folding is compute-accuracy's and gensim's: both sides through `upper()`, and of several words that
become the same the most frequent one (the first) stands for all.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from w2v.errors import InputError

if TYPE_CHECKING:
    from w2v.vectors.rows import WordRows


class WordMatcher:
    """Looks words up among the first `n_rows` words of the vectors."""

    def __init__(self, vectors: WordRows, restrict_vocab: int = 0, case: str = "fold") -> None:
        if restrict_vocab < 0:
            what = f"`restrict_vocab` {restrict_vocab} is negative"
            raise InputError(f"{what}; use 0 for the whole vocabulary")
        self.n_rows = len(vectors.words[: restrict_vocab or None])
        self._fold = str.upper if case == "fold" else str
        self._words = vectors.words
        self._keys = [self._fold(word) for word in vectors.words[: self.n_rows]]
        # Reversed, so that of equal keys the first, most frequent one wins.
        self._row_of = dict(zip(reversed(self._keys), range(self.n_rows - 1, -1, -1), strict=True))

    @cached_property
    def spelling(self) -> Callable[[str], str]:
        """Spells a word that is none of them as they are: in lower case if all of them are so, and
        case does not matter."""
        lower = self._fold is str.upper and all(word == word.lower() for word in self._words)
        return str.lower if lower else str

    def row(self, word: str) -> int | None:
        """The row that stands for `word`, or None when it does not take part."""
        return self._row_of.get(self._fold(word))

    def rows(self, words: str) -> list[int]:
        """The rows of several words between slashes; of the whole, if it is a word itself."""
        whole = self.row(words)
        if whole is not None:
            return [whole]
        return [row for word in words.split("/") if (row := self.row(word)) is not None]

    def representatives(self) -> np.ndarray:
        """For every row the one that stands for its spelling, [n_rows] int64: equal numbers are
        equal words."""
        return np.fromiter(map(self._row_of.__getitem__, self._keys), np.int64, self.n_rows)
