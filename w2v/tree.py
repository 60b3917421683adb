"""Binary trees over the vocabulary, for hierarchical sigmoid.

A word's path runs from the root to its leaf; at inner node n with score z = h·w[n] the step's code is 0 or 1.
Our sign: **label = 1 - code**, and P(label = 1) = sigmoid(z), as in word2vec.c. (Paddle and fastText:
P(code = 1) = sigmoid(z), that is label = code.)

Inner nodes are numbered from the root: node 0 is the root and a child always has a higher number than its parent,
so that the rows needed most often come first. word2vec.c numbers them by creation, the root last: its row `point` is
our node V - 2 - point.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit


@dataclass(frozen=True)
class Tree:
    """Paths in CSR form: word w passes nodes[starts[w]:starts[w + 1]], root first, with codes[…] alike."""

    starts: np.ndarray  # int64 [V + 1]
    nodes: np.ndarray  # int32 [total path length]
    codes: np.ndarray  # int8 [total path length]

    def __len__(self) -> int:
        """V, the number of leaves."""
        return len(self.starts) - 1

    @property
    def lengths(self) -> np.ndarray:
        """int64 [V]: inner nodes on each word's path."""
        return np.diff(self.starts)

    def path(self, word: int) -> tuple[np.ndarray, np.ndarray]:
        """(nodes, codes) of one word, root first."""
        span = slice(self.starts[word], self.starts[word + 1])
        return self.nodes[span], self.codes[span]

    def steps(self) -> np.ndarray:
        """int32 [total path length]: node · 2 + label, the kernel's form of a path."""
        return self.nodes * np.int32(2) + (np.int32(1) - self.codes.astype(np.int32))


def huffman(counts: np.ndarray) -> Tree:
    """Huffman's tree over counts [V], by word2vec.c's algorithm: the same codes, points and ties.

    Two pointers walk down the leaves and up the inner nodes; on a tie the inner node is taken first, and the second
    of the two smallest gets code 1. Optimal if the counts never increase, as a Vocabulary's do.

    Raises:
        ValueError: counts is empty or holds a negative number.
    """
    counts = np.ascontiguousarray(counts, np.int64)
    if counts.ndim != 1 or len(counts) == 0 or counts.min() < 0:
        raise ValueError("huffman needs counts [V >= 1] that are not negative")
    starts, nodes, codes = _build(counts)
    return Tree(starts, nodes, codes)


@njit(cache=True)
def _build(counts: Any) -> Any:
    V = len(counts)
    weight = np.empty(2 * V - 1, np.int64)
    for leaf in range(V):
        weight[leaf] = counts[leaf]
    parent, code = np.zeros(2 * V - 1, np.int32), np.zeros(2 * V - 1, np.int8)
    leaf, inner = V - 1, V
    for new in range(V, 2 * V - 1):
        total = 0
        for second in range(2):
            # strict: a leaf loses the tie to an inner node. Inner nodes that do not exist yet are infinitely heavy.
            if leaf >= 0 and (inner >= new or weight[leaf] < weight[inner]):
                child = leaf
                leaf -= 1
            else:
                child = inner
                inner += 1
            total += weight[child]
            parent[child], code[child] = new, second
        weight[new] = total
    depth = np.zeros(2 * V - 1, np.int32)
    for node in range(2 * V - 3, -1, -1):
        depth[node] = depth[parent[node]] + 1
    starts = np.zeros(V + 1, np.int64)
    for word in range(V):
        starts[word + 1] = starts[word] + depth[word]
    nodes, codes = np.empty(starts[V], np.int32), np.empty(starts[V], np.int8)
    for word in range(V):
        node = word
        for place in range(starts[word + 1] - 1, starts[word] - 1, -1):
            codes[place] = code[node]
            node = parent[node]
            nodes[place] = 2 * V - 2 - node
    return starts, nodes, codes
