"""Computes the final vectors of words: from their input rows or also from their output rows (the
setting `vectors`), centred or not (`centre`). x_w is the input row of word w, y_w its output row:

input   x_w
sum     x_w + y_w / 2                    the word as a context and, with less weight, as a target
both    [x_w / |x_w|, y_w / |y_w|]       2 D numbers; the cosine is the mean of both cosines
centre  v_w - mean of all v              removes what all words have in common
                                         (Mu and Viswanath 2018, arXiv:1702.01417)
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from w2v.settings.groups import ModelSettings

SHARE = np.float32(0.5)  # weight of the output row in the sum; measured in tests/bench/notes.md
BLOCK = 4096  # rows processed at a time


def final_vectors(model: ModelSettings, learnt: Mapping[str, np.ndarray]) -> np.ndarray:
    """Returns the vectors [V, D] or [V, 2 D] float32. learnt: the arrays of `WordEngine.learnt`,
    which are not modified."""
    rows = learnt["vectors"]
    if model.vectors != "input":
        rows = _joined(rows, learnt["output"], side_by_side=model.vectors == "both")
    if model.centre:
        rows = rows - rows.mean(0, dtype=np.float64).astype(np.float32)
    return rows


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
