"""Hierarchical sigmoid: scores the inner nodes on the target's path, with a logistic link on each.

    P(w | h) = prod over nodes n of w's path s((2 label - 1) z_n),  z_n = h.w_n (+ b_n), s = sigmoid

The loss is -log P. The probabilities of all V words sum to 1 for any weights, so the loss is exact.
A target costs the length of its path: log2 V in a balanced tree, and less on average in a Huffman
tree, where frequent words have short paths. `w2v.tree` defines the meaning of labels. Morin and
Bengio 2005; Mikolov et al. 2013, arXiv:1301.3781.

    layer = Hsigmoid(dim, counts)                             # Huffman tree over the counts
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

from w2v.losses.base import Counts, Generator, OutputLayer, RowArguments, uniform
from w2v.losses.math.numbers import accumulate_dtype, rows_for, whole_batch
from w2v.losses.math.paths import Paths, path_loss
from w2v.losses.options import HsigmoidOptions
from w2v.sampling.checks import check_kind, checked_flag
from w2v.tree import Tree, huffman

EXPANSIONS = 16  # open nodes per row that the best-first search expands in one step


class _Tables(NamedTuple):
    """A tree's arrays on one device.

    paths: of all words, with at most `longest` nodes each. levels: for each level its nodes, and
    which of their children are inner nodes and which leaves; a level's children are counted with
    code 0 first. order [V]: each class's position among the leaves of all levels. children
    [rows, 2]: the inner node, or -1 - class.
    """

    paths: Paths
    longest: int
    levels: list[list[Tensor]]
    order: Tensor
    children: Tensor


class Hsigmoid(OutputLayer):
    """Hierarchical sigmoid over a binary tree; row n of `weight` [tree.rows, D] belongs to node n.
    tree: None for the Huffman tree of the counts; sparse: whether the gradients of weight and bias
    are sparse tensors with one entry per visited node."""

    takes = HsigmoidOptions

    def __init__(
        self,
        dim: int,
        counts: Counts,
        options: HsigmoidOptions | None = None,
        *,
        tree: Tree | None = None,
        sparse: bool = False,
        **rows: Unpack[RowArguments],
    ) -> None:
        check_kind(tree, "tree", Tree)
        self._tree_argument = tree
        super().__init__(dim, counts, options, **rows)
        self.sparse = checked_flag(sparse, "sparse")
        self._tables: dict[torch.device, _Tables] = {}

    def rows(self) -> int:
        counts, V, tree = self.counts, self.num_classes, self._tree_argument
        if tree is None:
            whole = counts.long()
            if not torch.equal(whole.to(counts.dtype), counts):
                raise ValueError("counts holds fractions, a Huffman tree needs whole numbers")
            tree = huffman(whole.numpy())
        elif len(tree) != V:
            raise ValueError(f"the tree has {len(tree)} leaves, but counts has {V} classes")
        self.tree = tree
        return tree.rows

    def unigram_bias(self) -> Tensor:
        """Returns the log ratio of the counts of each node's branches [rows]; 0 counts as 0.5."""
        starts, nodes, signs, _ = self._tables_on(torch.device("cpu")).paths
        counts = self.counts.double().repeat_interleave(starts.diff())
        of_branches = (counts * (signs == sign) for sign in (1, -1))
        none = counts.new_zeros(self.tree.rows)
        ones, zeros = (none.index_add(0, nodes, c).clamp_min_(0.5) for c in of_branches)
        return (ones / zeros).log()

    def _loss(self, hidden: Tensor, target: Tensor, row_of: Tensor | None) -> Tensor:
        if whole_batch(target)[1]:  # vmap hides the values, and with them the path lengths
            log_prob = rows_for(self._log_prob(hidden), row_of)
            return -log_prob.gather(1, target[:, None])[:, 0]
        tables = self._tables_on(hidden.device)
        paths = tables.paths.of(target, row_of, tables.longest)
        return path_loss(hidden, self.weight, self.bias, paths, self.sparse)

    def _log_prob(self, hidden: Tensor) -> Tensor:
        """Computes level by level from the root, so that children share their parent's sum."""
        tables, dtype = self._tables_on(hidden.device), accumulate_dtype(hidden)
        with torch.autocast(hidden.device.type, enabled=False):
            # [rows, N], so that the scores of a node are contiguous
            z = self.weight.to(dtype) @ hidden.to(dtype).T
            if self.bias is not None:
                z = z + self.bias.to(dtype)[:, None]
            log_p, leaves = z.new_zeros(1, len(hidden)), []
            for nodes, inner, leaf in tables.levels:
                scores = z.index_select(0, nodes)
                # code 0 has label 1
                below = torch.cat([log_p + F.logsigmoid(scores), log_p + F.logsigmoid(-scores)])
                leaves.append(below.index_select(0, leaf))
                log_p = below.index_select(0, inner)
            return torch.cat(leaves).index_select(0, tables.order).T.contiguous()

    def _predict(self, hidden: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """Best-first search: a node's probability is an upper bound for the leaves below it, so a
        branch that is less probable than the k-th best leaf so far is never entered. Where the
        search would cost more than scoring all leaves, all leaves are scored."""
        with torch.autocast(hidden.device.type, enabled=False):
            return self._search(hidden.to(accumulate_dtype(hidden)), k)

    def _sample(self, hidden: Tensor, generator: Generator, temperature: float) -> Tensor:
        """Walks from the root and draws each branch at this temperature."""
        tables, dtype = self._tables_on(hidden.device), accumulate_dtype(hidden)
        ids = torch.zeros(len(hidden), dtype=torch.int64, device=hidden.device)
        rows = torch.arange(len(hidden), device=hidden.device)  # rows that have not reached a leaf
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
        """`_predict` for rows few enough to hold all their open nodes in memory at once."""
        tables = self._tables_on(hidden.device)
        ids = torch.zeros(len(hidden), k, dtype=torch.int64, device=hidden.device)
        best = hidden.new_full((len(hidden), k), -torch.inf)
        # rows that still have nodes worth entering
        busy = torch.arange(len(hidden), device=hidden.device)
        nodes = tables.paths.nodes[:1].long().expand(len(hidden), 1)
        log_p = hidden.new_zeros(len(hidden), 1)  # of the open nodes, [busy, open]
        # number of nodes that a row may enter before all of its leaves are scored
        entries = max(64, k, self.tree.rows // 32)
        while len(busy):
            width = min(max(k, EXPANSIONS), log_p.shape[1])
            entries -= width
            if entries < 0:
                best[busy], ids[busy] = self._log_prob(hidden[busy]).topk(k, dim=1)
                break
            top, columns = log_p.topk(width, dim=1)
            log_p.scatter_(1, columns, -torch.inf)
            entered = nodes.gather(1, columns)
            z = torch.einsum("nwd,nd->nw", self.weight[entered].to(hidden.dtype), hidden[busy])
            if self.bias is not None:
                z += self.bias[entered].to(hidden.dtype)
            reached = tables.children[entered]  # [busy, entered, 2]
            reached_log_p = torch.stack([top + F.logsigmoid(z), top + F.logsigmoid(-z)], dim=2)
            reached, reached_log_p = reached.flatten(1), reached_log_p.flatten(1)
            leaf = reached < 0
            candidates = torch.cat([best[busy], reached_log_p.masked_fill(~leaf, -torch.inf)], 1)
            best_now, columns = candidates.topk(k, dim=1)
            best[busy] = best_now
            ids[busy] = torch.cat([ids[busy], -1 - reached], 1).gather(1, columns)
            nodes = torch.cat([nodes, reached.clamp(min=0)], 1)
            log_p = torch.cat([log_p, reached_log_p.masked_fill(leaf, -torch.inf)], 1)
            log_p.masked_fill_(log_p <= best_now[:, -1:], -torch.inf)
            still_open = (log_p > -torch.inf).sum(1)
            unfinished = still_open.nonzero()[:, 0]
            busy, widest = busy[unfinished], int(still_open.max())
            log_p, columns = log_p[unfinished].topk(widest, dim=1)
            nodes = nodes[unfinished].gather(1, columns)
        return ids, best

    def _tables_on(self, device: torch.device) -> _Tables:
        """Returns the tree's arrays on a device, built on first use."""
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
