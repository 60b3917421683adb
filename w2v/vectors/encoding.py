"""Vectors of texts from those of their words.

mean    the mean of the rows of a text's known words
sif     smooth inverse frequency (Arora, Liang & Ma 2017, "A Simple but Tough-to-Beat Baseline for
        Sentence Embeddings"): a word of probability p weighs a / (a + p), a = 1e-3, and what all
        texts have in common, the projection on their first principal component, is taken away
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from itertools import chain

import numpy as np

from w2v.errors import InputError
from w2v.vectors.rows import BLOCK_VALUES, WordRows

POOLINGS = ("mean", "sif")
SIF_A = 1e-3


def encode(
    vectors: WordRows, texts: str | Iterable[str | Sequence[str]], pooling: str = "mean"
) -> np.ndarray:
    """Returns a row for each text [n, D] float32, or one vector [D] for a single string.

    A text is a string, whose words blanks separate, or a list of words. Words that have no vector
    are left out; a text without any known word is a row of zeros, and a warning says how many these
    are. The common component of "sif" is that of the texts of this call, so it stays where there is
    only one.

    Raises:
        InputError: the pooling is unknown, or it is "sif" and the words have no counts.
    """
    if pooling not in POOLINGS:
        raise InputError(f"`pooling` {pooling} is unknown; use one of {', '.join(POOLINGS)}")
    rows_of = [
        _known_rows(vectors, text) for text in ([texts] if isinstance(texts, str) else texts)
    ]
    weights = np.ones(len(vectors), np.float32)
    if pooling == "sif":
        if vectors.counts is None:
            raise InputError(
                f"{vectors.source} does not say how often its words occur, which sif needs: use a"
                " run directory or an .npy file with counts, or `pooling` mean"
            )
        shares = vectors.counts / max(1, vectors.counts.sum())
        weights = (SIF_A / (SIF_A + shares)).astype(np.float32)
    found = _means(vectors, rows_of, weights)
    if empty := sum(not rows for rows in rows_of):
        warnings.warn(
            f"{empty:,} of {len(rows_of):,} texts hold no known word: their rows are zeros",
            stacklevel=3,
        )
    if pooling == "sif" and len(rows_of) - empty > 1:
        exact = found.astype(np.float64)
        common = np.linalg.eigh(exact.T @ exact)[1][:, -1]
        found = (exact - np.outer(exact @ common, common)).astype(np.float32)
    return found[0] if isinstance(texts, str) else found


def _known_rows(vectors: WordRows, text: str | Sequence[str]) -> list[int]:
    words = text.split() if isinstance(text, str) else text
    return [row for row in map(vectors.index, words) if row is not None]


def _means(vectors: WordRows, rows_of: list[list[int]], weights: np.ndarray) -> np.ndarray:
    """Means [n, D] of the weighted rows of each text, some thousand words at a time."""
    found = np.zeros((len(rows_of), vectors.dim), np.float32)
    filled = [place for place, rows in enumerate(rows_of) if rows]
    ends = np.cumsum([len(rows_of[place]) for place in filled])
    step, start = max(1, BLOCK_VALUES // vectors.dim), 0
    while start < len(filled):
        before = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + step, "right")))
        places = filled[start:stop]
        rows = np.array(list(chain.from_iterable(rows_of[place] for place in places)), np.int64)
        sizes = np.array([len(rows_of[place]) for place in places])
        weighted = vectors.matrix[rows] * weights[rows, None]
        sums = np.add.reduceat(weighted, np.cumsum(sizes) - sizes, axis=0)
        found[places] = sums / sizes[:, None].astype(np.float32)
        start = stop
    return found
