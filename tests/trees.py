"""Trees other than Huffman's, for tests of what walks along them."""

from __future__ import annotations

import numpy as np

from w2v.tree import Tree


def balanced(V: int) -> Tree:
    """Paddle's default tree: with root 1 and children 2c and 2c + 1, word w is number w + V."""
    leaves = [f"{leaf:b}" for leaf in range(V, 2 * V)]
    nodes = [int(leaf[:end], 2) - 1 for leaf in leaves for end in range(1, len(leaf))]
    codes = [1 - int(bit) for leaf in leaves for bit in leaf[1:]]
    starts = np.cumsum([0, *(len(leaf) - 1 for leaf in leaves)])
    return Tree(starts, np.array(nodes, np.int32), np.array(codes, np.int8))


def renamed(tree: Tree, numbers: np.ndarray) -> Tree:
    """The same tree with other numbers for its nodes."""
    return Tree(tree.starts, numbers[tree.nodes].astype(np.int32), tree.codes)
