"""Ways to a tree: Huffman's from counts, the complete one, and one given by tables of paths."""

from __future__ import annotations

import numpy as np

from w2v.tree.paths import Tree


def huffman(counts: np.ndarray) -> Tree:
    """Huffman's tree over counts [V], by word2vec.c's algorithm: the same codes, points and ties.

    Two pointers walk down the leaves and up the inner nodes; on a tie the inner node is taken
    first, and the second of the two smallest gets code 1. Optimal if the counts never increase, as
    a Vocabulary's do.

    Raises:
        ValueError: counts is empty or holds a negative number.
    """
    from w2v.tree.two_pointers import merge

    counts = np.ascontiguousarray(counts, np.int64)
    if counts.ndim != 1 or len(counts) == 0 or counts.min() < 0:
        raise ValueError("huffman needs counts [V >= 1] that are not negative")
    starts, nodes, codes = merge(counts)
    return Tree(starts, nodes, codes)


def balanced(num_classes: int) -> Tree:
    """Paddle's default tree: the complete binary tree whose nodes are numbered level by level, like
    a heap.

    With root 1 and children 2c and 2c + 1, word w is heap number c = w + V. Its path has the inner
    nodes (c >> 1) - 1, (c >> 2) - 1, … up to the root 0, and Paddle's codes are the bits of c.
    Lengths differ by 1 at most.

    Raises:
        ValueError: num_classes is below 2.
    """
    if num_classes < 2:
        raise ValueError(f"num_classes is {num_classes}, a tree needs 2 or more")
    heap = np.arange(num_classes, 2 * num_classes, dtype=np.int64)
    # V <= c < 2V: paths are as long as V's highest bit, and one longer from the next power of two
    # on.
    shortest = num_classes.bit_length() - 1
    lengths = shortest + (heap >> (shortest + 1))
    starts = np.concatenate([[0], np.cumsum(lengths)])
    heap = np.repeat(heap, lengths)
    above_leaf = np.repeat(starts[1:], lengths) - 1 - np.arange(starts[-1])  # 0 next to the leaf
    bits = (heap >> above_leaf) & 1
    return Tree(
        starts, ((heap >> (above_leaf + 1)) - 1).astype(np.int32), (1 - bits).astype(np.int8)
    )


def from_tables(path_table: np.ndarray, path_code: np.ndarray) -> Tree:
    """The tree that Paddle's tables describe, one row per word: its inner nodes [V, L] and their
    codes [V, L].

    A path ends at its first negative entry of path_table; what follows is not read. Rows run leaf
    to root or root to leaf, whichever: the root is the node that all of them have at the same end.
    Codes are Paddle's, P(code = 1) = sigmoid(z), any number but 0 counts as 1.

    Raises:
        ValueError: the tables differ in shape, or are not the paths of one full binary tree.
    """
    path_table, path_code = np.asarray(path_table), np.asarray(path_code)
    if path_table.shape != path_code.shape or path_table.ndim != 2 or len(path_table) < 2:
        raise ValueError(
            f"path_table has shape {list(path_table.shape)} and path_code {list(path_code.shape)}, "
            "both must be [V, L] with V of 2 or more"
        )
    if path_table.max(initial=0) > np.iinfo(np.int32).max:
        raise ValueError(
            f"path_table holds node {path_table.max()}, numbers of nodes must fit in 32 bits"
        )
    used = np.logical_and.accumulate(path_table >= 0, axis=1)
    lengths = used.sum(axis=1)
    if not lengths.all():
        raise ValueError(
            f"class {int(np.argmin(lengths))} has an empty path, every class needs one inner node"
            " or more"
        )
    starts = np.concatenate([[0], np.cumsum(lengths)])
    nodes, codes = path_table[used].astype(np.int32), (path_code[used] == 0).astype(np.int8)
    first, last = nodes[starts[:-1]], nodes[starts[1:] - 1]
    if (first != first[0]).any():
        if (last != last[0]).any():
            raise ValueError(
                "the paths have no common root: neither their first nor their last nodes are all"
                " the same"
            )
        turned = np.repeat(starts[:-1] + starts[1:] - 1, lengths) - np.arange(starts[-1])
        nodes, codes = nodes[turned], codes[turned]
    tree = Tree(starts, nodes, codes)
    _check(tree)
    return tree


def _check(tree: Tree) -> None:
    """Raises ValueError unless the paths, which share their first node, are those of a full binary
    tree."""
    children, reached = tree.children(), tree.following()
    split = children[tree.nodes, tree.codes] != reached
    if split.any():
        node = int(tree.nodes[np.argmax(split)])
        raise ValueError(
            f"not a tree: two paths leave node {node} by the same code and go on differently"
        )
    below = children[np.unique(tree.nodes)]
    if (below == tree.rows).any():
        node = int(np.unique(tree.nodes)[(below == tree.rows).any(axis=1).argmax()])
        raise ValueError(f"not a full tree: no path leaves node {node} by one of its two codes")
    inner, times = np.unique(np.append(below[below >= 0], tree.nodes[0]), return_counts=True)
    if (times > 1).any():
        raise ValueError(
            f"not a tree: node {int(inner[np.argmax(times > 1)])} is reached in more than one way"
        )
