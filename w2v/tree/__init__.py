"""Binary trees over the vocabulary, for hierarchical sigmoid.

A word's path runs from the root to its leaf; at inner node n with score z = h·w[n] the step's code
is 0 or 1. Our sign: **label = 1 - code**, and P(label = 1) = sigmoid(z), as in word2vec.c. Paddle
and fastText have P(code = 1) = sigmoid(z), that is label = code: every code of their trees has to
be turned around, so that their weights keep their meaning.

In `huffman` inner nodes are numbered from the root: node 0 is the root and a child always has a
higher number than its parent, so that the rows needed most often come first. word2vec.c numbers
them by creation, the root last: its row `point` is our node V - 2 - point. A tree that is given
keeps its own numbers: they are rows of somebody's matrix.
"""

from __future__ import annotations

from w2v.tree.paths import Tree, huffman

__all__ = ["Tree", "huffman"]
