"""The complete tree and given trees, against Paddle's own paths; and what a walk from the root
needs."""

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2v.tree import Tree, balanced, from_tables, huffman

PADDLE = sorted(
    (Path(__file__).parents[1] / "golden" / "paddle_hsigmoid").glob("default_all_classes_*.npz")
)


def tables(tree: Tree, *, leaf_to_root: bool, spare: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """The tree in Paddle's form: [V, L] with negative padding and codes turned around; what pads
    the codes is noise."""
    width = int(tree.lengths.max()) + spare
    table, code = np.full((len(tree), width), -1), np.full((len(tree), width), 7)
    for word in range(len(tree)):
        nodes, codes = (part[::-1] if leaf_to_root else part for part in tree.path(word))
        table[word, : len(nodes)], code[word, : len(nodes)] = nodes, 1 - codes
    return table, code


def same(one: Tree, other: Tree) -> bool:
    return all(
        np.array_equal(getattr(one, part), getattr(other, part))
        for part in ("starts", "nodes", "codes")
    )


def test_there_are_golden_cases():
    assert len(PADDLE) == 3


@pytest.mark.parametrize("file", PADDLE, ids=lambda file: file.stem)
def test_balanced_is_paddles_default_tree(file):
    with np.load(file) as z:
        labels, table, code, lengths = (
            z[k] for k in ("label", "tree_path_table", "tree_path_code", "path_length")
        )
    tree = balanced(len(table))
    for row, label in enumerate(labels):
        nodes, codes = tree.path(label)
        assert len(nodes) == lengths[row]
        assert nodes.tolist() == table[row, : lengths[row]][::-1].tolist()
        assert (1 - codes).tolist() == code[row, : lengths[row]][::-1].tolist()


@pytest.mark.parametrize("V", [*range(2, 40), 63, 64, 65, 1000])
def test_balanced_is_full_and_root_first(V):
    tree = balanced(V)
    assert (tree.starts.dtype, tree.nodes.dtype, tree.codes.dtype) == (np.int64, np.int32, np.int8)
    assert len(tree) == V and tree.rows == V - 1
    assert tree.lengths.max() - tree.lengths.min() <= 1
    assert sum(Fraction(1, 2 ** int(length)) for length in tree.lengths) == 1
    assert set(tree.nodes.tolist()) == set(range(V - 1))
    within = np.ones(len(tree.nodes) - 1, bool)
    within[tree.starts[1:-1] - 1] = False  # from one word's path to the next one's
    assert (np.diff(tree.nodes)[within] > 0).all()
    # which checks that it is a tree
    assert same(from_tables(*tables(tree, leaf_to_root=True)), tree)


@given(
    st.lists(st.integers(0, 50), min_size=2, max_size=40),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_from_tables_gives_back_any_tree_whatever_its_order_and_numbers(
    counts, leaf_to_root, random
):
    tree = huffman(np.array(counts))
    numbers = np.array(random.sample(range(2 * len(counts)), tree.rows), np.int32)
    renamed = Tree(tree.starts, numbers[tree.nodes], tree.codes)
    assert same(from_tables(*tables(renamed, leaf_to_root=leaf_to_root)), renamed)


def test_a_path_ends_at_its_first_negative_entry_and_any_code_but_0_counts():
    tree = from_tables(
        np.array([[0, -1, 0], [0, 1, -5], [0, 1, -1]]), np.array([[0, 9, 9], [3, 0, 9], [-1, 1, 9]])
    )
    assert tree.lengths.tolist() == [1, 2, 2]
    assert [tree.path(word)[1].tolist() for word in range(3)] == [[1], [0, 1], [0, 0]]


@pytest.mark.parametrize(
    ("table", "code", "message"),
    [
        ([[0, 1], [0, 1]], [[0], [1]], r"shape \[2, 2\] and path_code \[2, 1\]"),
        ([0, 0], [0, 1], "must be"),
        ([[0]], [[0]], "V of 2 or more"),
        ([[0], [-1]], [[0], [1]], "class 1 has an empty path"),
        ([[0, 1], [2, 3]], [[0, 1], [1, 0]], "no common root"),
        ([[0, -1], [0, -1]], [[0, 0], [0, 0]], "node 0 by the same code"),
        ([[0, 1], [0, 1], [0, -1]], [[0, 0], [0, 1], [0, 0]], "node 0 by the same code"),
        ([[0, 1], [0, -1]], [[0, 0], [1, 0]], "node 1 by one of its two codes"),
        ([[0, 1], [0, 1], [0, 1], [0, 1]], [[0, 0], [0, 1], [1, 0], [1, 1]], "differently"),
        ([[0, 0], [0, 0], [0, -1]], [[0, 0], [0, 1], [1, 0]], "differently"),
        ([[0], [2**40]], [[0], [1]], "32 bits"),
    ],
)
def test_from_tables_refuses(table, code, message):
    with pytest.raises(ValueError, match=message):
        from_tables(np.array(table), np.array(code))


def test_a_node_reached_twice_is_refused():
    # Both children of the root are node 1, with paths that use different codes there.
    with pytest.raises(ValueError, match="node 1"):
        from_tables(np.array([[0, 1], [0, 1]]), np.array([[0, 0], [1, 1]]))
    # Node 2 has both of its codes, but one path comes to it through node 1 and the other straight
    # from the root.
    with pytest.raises(ValueError, match="node 2 is reached in more than one way"):
        from_tables(
            np.array([[0, 1, 2], [0, 1, -1], [0, 2, -1]]),
            np.array([[0, 0, 0], [0, 1, 0], [1, 1, 0]]),
        )


@pytest.mark.parametrize("V", [-1, 0, 1])
def test_balanced_refuses(V):
    with pytest.raises(ValueError, match=f"num_classes is {V}"):
        balanced(V)


def test_children():
    tree = huffman(np.array([9, 5, 4]))
    children = tree.children()
    assert children.dtype == np.int32 and children.shape == (2, 2)
    for word in range(3):
        node = 0
        for at, code in zip(*tree.path(word), strict=True):
            assert at == node
            node = children[at, code]
        assert node == -1 - word
    gap = Tree(np.array([0, 1, 2]), np.array([1, 1], np.int32), np.array([1, 0], np.int8))
    assert gap.children().tolist() == [[2, 2], [-2, -1]]


def test_numba_is_imported_for_huffman_only():
    script = (
        "import sys, numpy as np, w2v.tree as t; t.balanced(5); assert 'numba' not in sys.modules;"
        "t.huffman(np.array([2, 1])); assert 'numba' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
