"""Huffman's tree from counts."""

from __future__ import annotations

import numpy as np

from w2v.tree.paths import Tree


def huffman(counts: np.ndarray) -> Tree:
    """Huffman's tree over counts [V], by word2vec.c's algorithm: the same codes, points and ties.

    Two pointers walk down the leaves and up the inner nodes; on a tie the inner node is taken
    first, and the second of the two smallest gets code 1. Optimal if the counts never increase, as
    a Vocabulary's do.
    """
    from w2v.tree.two_pointers import merge

    counts = np.ascontiguousarray(counts, np.int64)
    if counts.ndim != 1 or len(counts) == 0 or counts.min() < 0:
        raise ValueError("huffman needs counts [V >= 1] that are not negative")
    starts, nodes, codes = merge(counts)
    return Tree(starts, nodes, codes)
