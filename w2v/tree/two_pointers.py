"""Builds a Huffman tree over sorted counts, compiled. Imported only when a tree is built, because
importing Numba takes long."""

from __future__ import annotations

from typing import Any

import numpy as np

from w2v.system.compiled import compiled


@compiled()
def merge(counts: Any) -> Any:
    V = len(counts)
    weight = np.empty(2 * V - 1, np.int64)
    for leaf in range(V):
        weight[leaf] = counts[leaf]
    parent, code = np.zeros(2 * V - 1, np.int32), np.zeros(2 * V - 1, np.int8)
    leaf, inner = V - 1, V
    for new in range(V, 2 * V - 1):
        total = 0
        for second in range(2):
            # `<`, not `<=`: on a tie the inner node is taken. Inner nodes that do not exist yet
            # (inner >= new) count as infinitely heavy.
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
        for i in range(starts[word + 1] - 1, starts[word] - 1, -1):
            codes[i] = code[node]
            node = parent[node]
            nodes[i] = 2 * V - 2 - node
    return starts, nodes, codes
