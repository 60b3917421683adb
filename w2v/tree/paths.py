"""A binary tree over V words, as the path to each of them; Huffman's from counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Tree:
    """Paths in CSR form: word w passes nodes[starts[w]:starts[w + 1]], root first, with codes[…]
    alike."""

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

    @property
    def rows(self) -> int:
        """How many rows a matrix needs to hold every inner node: the highest number + 1."""
        return int(self.nodes.max()) + 1 if len(self.nodes) else 0

    def path(self, word: int) -> tuple[np.ndarray, np.ndarray]:
        """(nodes, codes) of one word, root first."""
        span = slice(self.starts[word], self.starts[word + 1])
        return self.nodes[span], self.codes[span]

    def steps(self) -> np.ndarray:
        """int32 [total path length]: node · 2 + label, the kernel's form of a path."""
        return self.nodes * np.int32(2) + (np.int32(1) - self.codes.astype(np.int32))

    def children(self) -> np.ndarray:
        """Returns where code 0 and code 1 lead, int32 [rows, 2]: an inner node's number, -1 - word,
        or `rows` for nowhere."""
        reached = np.append(self.nodes[1:], np.int32(0))
        words = np.flatnonzero(self.lengths > 0)
        reached[self.starts[words + 1] - 1] = -1 - words
        children = np.full((self.rows, 2), self.rows, np.int32)
        children[self.nodes, self.codes] = reached[: len(self.nodes)]
        return children


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
