"""What training that starts from existing vectors asks of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from w2v.errors import InputError
from w2v.runs.checkpoint import all_finite


def check_rows(name: str, rows: np.ndarray, dim: int) -> None:
    """Raises InputError if these vectors [words, n], called `name`, are not of length `dim`, or
    hold NaN, infinity or numbers near it."""
    if (length := rows.shape[1]) != dim:
        problem = f"has vectors of {length} numbers, but `dim` is {dim}"
        raise InputError(f"`init` {name} {problem}: give `dim` {length}")
    if not all_finite(rows):
        raise InputError(f"`init` {name} holds NaN or infinity: give another one")


def matching_rows(
    name: str, words: Sequence[str], vocabulary: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Returns (known, source), int64 [K] each: ids in the vocabulary, and the first rows with the
    same words in `words`. Raises InputError if there are none."""
    row_of = {word: row for row, word in reversed(list(enumerate(words)))}
    pairs = [(new, row_of[word]) for new, word in enumerate(vocabulary) if word in row_of]
    if not pairs:
        problem = f"has none of the {len(vocabulary):,} words to be trained"
        raise InputError(f"`init` {name} {problem}: give vectors of the text's words")
    known, source = np.array(pairs, np.int64).T
    return known, source
