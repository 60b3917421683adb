"""Hierarchical sigmoid: the inner nodes on the target's path x a logistic link on each.

    P(w | h) = prod over nodes n of w's path s((2 label - 1) z_n),  z_n = h.w_n (+ b_n), s = sigmoid

and the loss is -log P: the probabilities of all V words sum to 1 whatever the weights are, so the
loss is exact. One target costs its path's length, log2 V in a balanced tree and less in Huffman's,
where frequent words have short paths. Which way a label points is stated in `w2v.tree`. Morin and
Bengio 2005; Mikolov et al. 2013, arXiv:1301.3781.

    layer = Hsigmoid(dim, counts)                             # Huffman's tree over the counts
    layer = Hsigmoid(dim, counts, tree=tree)                  # or a w2v.tree.Tree
    layer(hidden, target).mean().backward()
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from typing_extensions import Unpack

from w2v.losses.base import Counts, Generator, OutputLayer, Rows, uniform
from w2v.losses.given import check_kind
from w2v.losses.math.numbers import accumulate_dtype, rows_for, whole_batch
from w2v.losses.math.paths import Paths, path_loss
from w2v.losses.options import HsigmoidOptions
from w2v.tree import Tree, huffman

EXPANSIONS = 16  # open nodes per row and step that the best-first search looks into


class _Tables(NamedTuple):
    """A tree's arrays on a device.

    paths: of all words, none longer than `longest`. levels: per level its nodes, which of their
    children are inner nodes, which are leaves; the children of a level are counted code 0 first.
    order [V]: each class's place among the leaves of all levels. children [rows, 2]: the inner
    node, or -1 - class.
    """

    paths: Paths
    longest: int
    levels: list[list[Tensor]]
    order: Tensor
    children: Tensor


class Hsigmoid(OutputLayer):
    """Hierarchical sigmoid over a binary tree. Row n of `weight` [tree.rows, D] belongs to the
    tree's node n. tree: None for Huffman's over the counts; sparse: the gradients of weight and
    bias are sparse tensors with one entry per visited node."""

    takes = HsigmoidOptions

    def __init__(
        self,
        dim: int,
        counts: Counts,
        options: HsigmoidOptions | None = None,
        *,
        tree: Tree | None = None,
        sparse: bool = False,
        **rows: Unpack[Rows],
    ) -> None:
        check_kind(tree, "tree", Tree)
        check_kind(sparse, "sparse", bool)
        self._given = tree
        super().__init__(dim, counts, options, **rows)
        self.sparse = sparse
        self._tables: dict[torch.device, _Tables] = {}

    def rows(self) -> int:
        counts, V, tree = self.counts, self.num_classes, self._given
        if tree is None:
            whole = counts.long()
            if not torch.equal(whole.to(counts.dtype), counts):
                raise ValueError("counts holds fractions, Huffman's tree needs whole numbers")
            tree = huffman(whole.numpy())
        elif len(tree) != V:
            raise ValueError(f"the tree has {len(tree)} leaves, but counts has {V} classes")
        self.tree = tree
        return tree.rows

    def unigram_bias(self) -> Tensor:
        """log of what a node's two branches count [rows]; a branch without any counts half."""
        starts, nodes, signs, _ = self._on(torch.device("cpu")).paths
        counts = self.counts.double().repeat_interleave(starts.diff())
        of_branches = (counts * (signs == sign) for sign in (1, -1))
        none = counts.new_zeros(self.tree.rows)
        one, other = (none.index_add(0, nodes, each).clamp_min_(0.5) for each in of_branches)
        return (one / other).log()

    def _loss(self, hidden: Tensor, target: Tensor, row_of: Tensor | None) -> Tensor:
        if whole_batch(target)[1]:  # how long the paths are is hidden
            found = rows_for(self._log_prob(hidden), row_of)
            return -found.gather(1, target[:, None])[:, 0]
        tables = self._on(hidden.device)
        paths = tables.paths.of(target, row_of, tables.longest)
        return path_loss(hidden, self.weight, self.bias, paths, self.sparse)

    def _log_prob(self, hidden: Tensor) -> Tensor:
        """Level by level from the root: children share their parent's probability."""
        tables, dtype = self._on(hidden.device), accumulate_dtype(hidden)
        with torch.autocast(hidden.device.type, enabled=False):
            # [rows, N]: a node's scores lie side by side
            z = self.weight.to(dtype) @ hidden.to(dtype).T
            if self.bias is not None:
                z = z + self.bias.to(dtype)[:, None]
            log_p, leaves = z.new_zeros(1, len(hidden)), []
            for nodes, inner, leaf in tables.levels:
                at = z.index_select(0, nodes)
                # codes 0 have label 1
                below = torch.cat([log_p + F.logsigmoid(at), log_p + F.logsigmoid(-at)])
                leaves.append(below.index_select(0, leaf))
                log_p = below.index_select(0, inner)
            return torch.cat(leaves).index_select(0, tables.order).T.contiguous()

    def _predict(self, hidden: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """By best-first search: a node's probability bounds those of all leaves below it, so that a
        branch less probable than the k-th best leaf found is never entered. Rows so flat that the
        search would cost more than scoring all leaves are scored."""
        with torch.autocast(hidden.device.type, enabled=False):
            return self._search(hidden.to(accumulate_dtype(hidden)), k)

    def _sample(self, hidden: Tensor, generator: Generator, temperature: float) -> Tensor:
        """By a walk from the root in which every branch is drawn by temperature."""
        tables, dtype = self._on(hidden.device), accumulate_dtype(hidden)
        ids = torch.zeros(len(hidden), dtype=torch.int64, device=hidden.device)
        rows = torch.arange(len(hidden), device=hidden.device)  # that have not reached a leaf
        nodes = tables.paths.nodes[:1].long().expand(len(hidden))
        with torch.autocast(hidden.device.type, enabled=False):
            while len(rows):
                z = torch.linalg.vecdot(self.weight[nodes].to(dtype), hidden[rows].to(dtype))
                if self.bias is not None:
                    z = z + self.bias.reshape(-1)[nodes].to(dtype)
                # code 0 has label 1, whose probability is sigmoid(z)
                probability = torch.sigmoid(z.double() / temperature)
                code = uniform(len(rows), generator, z.device) >= probability
                reached = tables.children[nodes, code.long()]
                leaf = reached < 0
                ids[rows[leaf]] = -1 - reached[leaf]
                rows, nodes = rows[~leaf], reached[~leaf]
        return ids

    def _search(self, hidden: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """predict for rows that are few enough to hold all their open nodes at once."""
        tables = self._on(hidden.device)
        ids = torch.zeros(len(hidden), k, dtype=torch.int64, device=hidden.device)
        best = hidden.new_full((len(hidden), k), -torch.inf)
        # rows that still have nodes worth entering
        busy = torch.arange(len(hidden), device=hidden.device)
        nodes = tables.paths.nodes[:1].long().expand(len(hidden), 1)
        log_p = hidden.new_zeros(len(hidden), 1)  # of the open nodes, [busy, open]
        # nodes that a row may enter before all of its leaves are scored
        entries = max(64, k, self.tree.rows // 32)
        while len(busy):
            width = min(max(k, EXPANSIONS), log_p.shape[1])
            entries -= width
            if entries < 0:
                best[busy], ids[busy] = self._log_prob(hidden[busy]).topk(k, dim=1)
                break
            top, place = log_p.topk(width, dim=1)
            log_p.scatter_(1, place, -torch.inf)
            entered = nodes.gather(1, place)
            z = torch.einsum("nwd,nd->nw", self.weight[entered].to(hidden.dtype), hidden[busy])
            if self.bias is not None:
                z += self.bias[entered].to(hidden.dtype)
            reached = tables.children[entered]  # [busy, entered, 2]
            reached_log_p = torch.stack([top + F.logsigmoid(z), top + F.logsigmoid(-z)], dim=2)
            reached, reached_log_p = reached.flatten(1), reached_log_p.flatten(1)
            leaf = reached < 0
            found = torch.cat([best[busy], reached_log_p.masked_fill(~leaf, -torch.inf)], 1)
            best_here, place = found.topk(k, dim=1)
            best[busy] = best_here
            ids[busy] = torch.cat([ids[busy], -1 - reached], 1).gather(1, place)
            nodes = torch.cat([nodes, reached.clamp(min=0)], 1)
            log_p = torch.cat([log_p, reached_log_p.masked_fill(leaf, -torch.inf)], 1)
            log_p.masked_fill_(log_p <= best_here[:, -1:], -torch.inf)
            still_open = (log_p > -torch.inf).sum(1)
            left = still_open.nonzero()[:, 0]
            busy, widest = busy[left], int(still_open.max())
            log_p, place = log_p[left].topk(widest, dim=1)
            nodes = nodes[left].gather(1, place)
        return ids, best

    def _on(self, device: torch.device) -> _Tables:
        """The tree's arrays on a device, made when first needed."""
        if device not in self._tables:
            tree, children = self.tree, self.tree.children()
            levels, classes, level = [], [], tree.nodes[:1]
            while len(level):
                below = children[level].ravel(order="F")
                inner, leaf = np.flatnonzero(below >= 0), np.flatnonzero(below < 0)
                levels.append([torch.from_numpy(x).to(device) for x in (level, inner, leaf)])
                classes.append(-1 - below[leaf])
                level = below[inner]
            arrays = tree.starts, tree.nodes, 1 - 2 * tree.codes
            paths = Paths(*(torch.from_numpy(array).to(device) for array in arrays))
            order = torch.from_numpy(np.argsort(np.concatenate(classes))).to(device)
            below = torch.from_numpy(children).long().to(device)
            longest = int(np.diff(tree.starts).max(initial=0))
            self._tables[device] = _Tables(paths, longest, levels, order, below)
        return self._tables[device]
