"""Computes the final vectors of words: from their input rows or also from their output rows (the
setting `vectors`), centred or not (`centre`), all numbers or fewer (`components`). x_w is the input
row of word w, y_w its output row:

input   x_w
sum     x_w + y_w / 2                    the word as a context and, with less weight, as a target
both    [x_w / |x_w|, y_w / |y_w|]       2 D numbers; the cosine is the mean of both cosines
centre  v_w - mean of all v              removes what all words have in common
                                         (Mu and Viswanath 2018, arXiv:1702.01417)
components  v_w U                        U [D, k]: the first k eigenvectors of Σ √count_w v_w v_wᵀ.
                                         Without the weights, which are between those of tokens and
                                         of distinct words, rare words would choose the directions
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from w2v.errors import RunError
from w2v.settings.groups import ModelSettings
from w2v.system.eigenvectors import leading_eigenvectors

SHARE = np.float32(0.5)  # weight of the output row in the sum; measured in tests/bench/notes.md
BLOCK = 4096  # rows processed at a time


def final_vectors(
    model: ModelSettings, learnt: Mapping[str, np.ndarray], counts: np.ndarray
) -> np.ndarray:
    """Returns the vectors [V, `model.vector_size`] float32. learnt: the arrays of
    `WordEngine.learnt`, which are not modified. counts [V]: of the vocabulary. Raises RunError if
    they have no principal components."""
    rows = learnt["vectors"]
    if model.vectors != "input":
        rows = _joined(rows, learnt["output"], side_by_side=model.vectors == "both")
    if model.centre:
        rows = rows - rows.mean(0, dtype=np.float64).astype(np.float32)
    if model.components:
        rows = rows @ _directions(rows, np.sqrt(counts), model.components)
    return rows


def _directions(rows: np.ndarray, weights: np.ndarray, k: int) -> np.ndarray:
    """Returns the first k eigenvectors of the weighted sum of rowᵀ·row as columns [D, k] float32.
    Raises RunError if it is not finite."""
    products = np.zeros((rows.shape[1], rows.shape[1]))
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK].astype(np.float64)
        products += block.T @ (block * weights[start : start + BLOCK, None])
    if not np.isfinite(products).all():
        problem = "the vectors hold NaN or infinity, which have no principal components"
        raise RunError(f"{problem}: training has diverged; try a smaller `lr`")
    return leading_eigenvectors(products, k).astype(np.float32)


def _joined(rows: np.ndarray, output: np.ndarray, *, side_by_side: bool) -> np.ndarray:
    size, dim = rows.shape
    joined = np.empty((size, dim * (1 + side_by_side)), np.float32)
    for start in range(0, size, BLOCK):
        block = slice(start, start + BLOCK)
        if side_by_side:
            joined[block, :dim], joined[block, dim:] = _units(rows[block]), _units(output[block])
        else:
            joined[block] = rows[block] + SHARE * output[block]
    return joined


def _units(rows: np.ndarray) -> np.ndarray:
    """Returns rows scaled to length 1; rows of zeros stay 0."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1)
