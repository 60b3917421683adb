"""Finds the row of the vectors for a word of a test set, by its exact or its folded spelling.

Case is folded as in compute-accuracy.c and gensim: `upper()` is applied to both words, and of
several words that become equal, the most frequent one (the first) represents all.
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
    """Looks words up among the first `restrict_vocab` words (0: all), with `case` fold or exact."""

    def __init__(self, vectors: WordRows, restrict_vocab: int = 0, case: str = "fold") -> None:
        if restrict_vocab < 0:
            problem = f"`restrict_vocab` {restrict_vocab} is negative"
            raise InputError(f"{problem}; use 0 for the whole vocabulary")
        self.n_rows = len(vectors.words[: restrict_vocab or None])
        self._fold = str.upper if case == "fold" else str
        self._words = vectors.words
        self._keys = [self._fold(word) for word in vectors.words[: self.n_rows]]
        # Reversed, so that the first of equal keys, the most frequent word, wins.
        self._row_of = dict(zip(reversed(self._keys), range(self.n_rows - 1, -1, -1), strict=True))

    @cached_property
    def spelling(self) -> Callable[[str], str]:
        """A function that spells an unknown word like the vocabulary: in lower case if all words
        are, and case is folded; else unchanged."""
        lower = self._fold is str.upper and all(word == word.lower() for word in self._words)
        return str.lower if lower else str

    def row(self, word: str) -> int | None:
        """Returns the row of `word`, or None if it is unknown."""
        return self._row_of.get(self._fold(word))

    def rows(self, words: str) -> list[int]:
        """Returns the rows of the known ones among words separated by slashes; if the whole string
        is a known word, its row only."""
        row = self.row(words)
        if row is not None:
            return [row]
        return [part_row for word in words.split("/") if (part_row := self.row(word)) is not None]

    def representatives(self) -> np.ndarray:
        """Returns for each row the row that represents its folded spelling, [n_rows] int64."""
        return np.fromiter(map(self._row_of.__getitem__, self._keys), np.int64, self.n_rows)
