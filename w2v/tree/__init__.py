"""Binary trees over the vocabulary, for hierarchical sigmoid.

The path of a word runs from the root to its leaf. Each step at an inner node n, with score
z = h·w[n], has a code, 0 or 1. Sign convention: **label = 1 - code** and P(label = 1) = sigmoid(z),
as in word2vec.c. Paddle and fastText have P(code = 1) = sigmoid(z), that is, label = code: the
codes of their trees must be inverted for their weights to keep their meaning.

`huffman` numbers inner nodes from the root: node 0 is the root and a child always has a higher
number than its parent, so that the rows needed most often come first. word2vec.c numbers them in
order of creation, the root last: its row `point` is node V - 2 - point here. A tree given by the
user keeps its own numbers, because they are row numbers of the user's matrix.
"""

from __future__ import annotations

from w2v.tree.paths import Tree, huffman

__all__ = ["Tree", "huffman"]
