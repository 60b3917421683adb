"""A binary tree over V words, stored as the path to each word, and Huffman trees from counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Tree:
    """A tree as paths in CSR form: the path of word w has the inner nodes
    nodes[starts[w]:starts[w + 1]], root first, and the codes codes[starts[w]:starts[w + 1]]."""

    starts: np.ndarray  # int64 [V + 1]
    nodes: np.ndarray  # int32 [total path length]
    codes: np.ndarray  # int8 [total path length]

    def __len__(self) -> int:
        """Returns V, the number of leaves."""
        return len(self.starts) - 1

    @property
    def lengths(self) -> np.ndarray:
        """int64 [V]: the number of inner nodes on each word's path."""
        return np.diff(self.starts)

    @property
    def rows(self) -> int:
        """The number of rows of a matrix with all inner nodes: the highest node number + 1."""
        return int(self.nodes.max()) + 1 if len(self.nodes) else 0

    def path(self, word: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns (nodes, codes) of one word, root first."""
        span = slice(self.starts[word], self.starts[word + 1])
        return self.nodes[span], self.codes[span]

    def steps(self) -> np.ndarray:
        """Returns the paths in the kernel's form, int32 [total path length]: node · 2 + label."""
        return self.nodes * np.int32(2) + (np.int32(1) - self.codes.astype(np.int32))

    def children(self) -> np.ndarray:
        """Returns the children for code 0 and code 1 of each inner node, int32 [rows, 2]: an inner
        node's number, -1 - word for a leaf, or `rows` for no child."""
        reached = np.append(self.nodes[1:], np.int32(0))
        words = np.flatnonzero(self.lengths > 0)
        reached[self.starts[words + 1] - 1] = -1 - words
        children = np.full((self.rows, 2), self.rows, np.int32)
        children[self.nodes, self.codes] = reached[: len(self.nodes)]
        return children


def huffman(counts: np.ndarray) -> Tree:
    """Builds the Huffman tree over counts [V] with word2vec.c's algorithm, which gives the same
    codes, nodes and tie-breaking.

    One pointer walks over the leaves from the rarest on, another over the inner nodes in order of
    creation; on a tie the inner node is taken, and the second of the two smallest gets code 1. The
    tree is optimal if the counts are in descending order, as those of a Vocabulary are.
    """
    from w2v.tree.two_pointers import merge

    counts = np.ascontiguousarray(counts, np.int64)
    if counts.ndim != 1 or len(counts) == 0 or counts.min() < 0:
        raise ValueError("counts must be [V], V >= 1, and not negative")
    starts, nodes, codes = merge(counts)
    return Tree(starts, nodes, codes)
