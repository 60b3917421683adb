"""Huffman's tree: word2vec.c's own codes, and what every optimal prefix code must be."""

import heapq
import subprocess
import sys
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2v.tree import Tree, huffman

GOLDEN = sorted((Path(__file__).parents[1] / "golden" / "word2vec_c").glob("huffman_*.npz"))


def optimal_cost(counts: list[int]) -> int:
    """Σ count · code length of an optimal code: the sum of all merged weights, by a heap."""
    heap, cost = list(counts), 0
    heapq.heapify(heap)
    while len(heap) > 1:
        merged = heapq.heappop(heap) + heapq.heappop(heap)
        cost += merged
        heapq.heappush(heap, merged)
    return cost


def test_there_are_golden_cases():
    assert len(GOLDEN) == 12


@pytest.mark.parametrize("file", GOLDEN, ids=lambda file: file.stem)
def test_word2vec_c(file):
    with np.load(file) as z:
        counts, lengths, codes, points, cost = (
            z[name] for name in ("counts", "code_len", "codes", "points", "total_cost")
        )
    tree, V = huffman(counts), len(counts)
    assert len(tree) == V
    assert tree.lengths.tolist() == lengths.tolist()
    assert int(counts @ tree.lengths) == cost
    for word in range(V):
        nodes, code = tree.path(word)
        assert code.tolist() == codes[word, : lengths[word]].tolist()
        assert (V - 2 - nodes).tolist() == points[word, : lengths[word]].tolist()


sorted_counts = st.lists(st.integers(0, 10**12), min_size=1, max_size=80).map(
    lambda c: sorted(c, reverse=True)
)
few_distinct = st.lists(st.integers(0, 3), min_size=1, max_size=80).map(
    lambda c: sorted(c, reverse=True)
)


def check_shape(tree: Tree, V: int) -> None:
    """Fails unless the paths are those of one full binary tree over V leaves, numbered from the
    root."""
    assert len(tree) == V
    assert (tree.starts.dtype, tree.nodes.dtype, tree.codes.dtype) == (np.int64, np.int32, np.int8)
    assert tree.starts[0] == 0 and tree.starts[-1] == len(tree.nodes) == len(tree.codes)
    paths = [
        tuple(zip(*(part.tolist() for part in tree.path(word)), strict=True)) for word in range(V)
    ]
    codes = sorted("".join(str(code) for _, code in path) for path in paths)
    # in sorted order a prefix stands directly before a word that it begins
    assert all(not longer.startswith(shorter) for shorter, longer in pairwise(codes))
    assert sum(Fraction(1, 2 ** len(path)) for path in paths) == 1
    child_of: dict[tuple[int, int], int] = {}
    for path in paths:
        assert path[0][0] == 0
        for (parent, code), (node, _) in pairwise(path):
            assert node > parent
            assert child_of.setdefault((parent, code), node) == node, "one child per node and code"
    assert {node for path in paths for node, _ in path} == set(range(V - 1))


@given(st.one_of(sorted_counts, few_distinct))
def test_full_optimal_and_root_first(counts):
    tree = huffman(np.array(counts))
    if len(counts) > 1:
        check_shape(tree, len(counts))
    assert int(np.array(counts) @ tree.lengths) == optimal_cost(counts)


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=60))
def test_unsorted_counts_still_give_a_tree(counts):
    check_shape(huffman(np.array(counts)), len(counts))


def test_more_frequent_words_have_no_longer_codes():
    counts = np.sort(np.random.default_rng(0).zipf(1.3, 5000).clip(max=10**9))[::-1]
    lengths, counts = huffman(counts).lengths, counts.tolist()
    assert all(
        lengths[i] <= lengths[j]
        for i, j in zip(range(4999), range(1, 5000), strict=True)
        if counts[i] > counts[j]
    )


def test_counts_that_grow_like_fibonacci_numbers_give_one_long_chain():
    counts = [1, 1]
    while len(counts) < 80:
        counts.append(counts[-1] + counts[-2])
    assert huffman(np.array(counts[::-1])).lengths.tolist() == [*range(1, 80), 79]


def test_one_word_has_an_empty_path():
    tree = huffman(np.array([7]))
    assert len(tree) == 1
    assert tree.lengths.tolist() == [0]
    assert tree.path(0)[0].tolist() == []
    assert tree.steps().tolist() == []


def test_two_words():
    tree = huffman(np.array([7, 3]))
    assert tree.nodes.tolist() == [0, 0]
    # the rarer one is taken first, the second of the two gets code 1
    assert tree.codes.tolist() == [1, 0]
    assert tree.steps().tolist() == [0, 1]


def test_steps_hold_node_and_label():
    tree = huffman(np.array([9, 5, 4, 2, 1, 1]))
    steps = tree.steps()
    assert steps.dtype == np.int32
    assert (steps >> 1).tolist() == tree.nodes.tolist()
    assert (steps & 1).tolist() == [1 - code for code in tree.codes.tolist()]  # label = 1 - code


@pytest.mark.parametrize("counts", [[], [[1, 2]], [3, -1]])
def test_refuses(counts):
    with pytest.raises(ValueError, match="counts"):
        huffman(np.array(counts, np.int64))


def test_leaves_its_input_alone():
    counts = np.array([5, 4, 3])
    huffman(counts)
    assert counts.tolist() == [5, 4, 3]


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
        "import sys, numpy as np, w2v.tree as t; assert 'numba' not in sys.modules;"
        "t.huffman(np.array([2, 1])); assert 'numba' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
