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

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from w2v.losses.base import NLL_ROWS, OutputLayer, Scores, accumulate_dtype, uniform
from w2v.losses.options import HsigmoidOptions
from w2v.tree import Tree, huffman

# numbers gathered at a time for the scores on a CPU: 4 MB of float32 stay in the caches
GATHER = 1 << 20
DEVICE_GATHER = 1 << 26  # on a GPU
EXPANSIONS = 16  # open nodes per row and step that the best-first search looks into


class Hsigmoid(OutputLayer):
    """Hierarchical sigmoid over a binary tree. `weight` [inner nodes, D]; row n belongs to the
    tree's node n.

    Args:
        tree: the paths; None: Huffman's tree over the counts.
        sparse: the gradients of weight and bias are sparse tensors with one entry per visited node.
        dim, counts, options, weight, bias, ignore_index: as in OutputLayer, with weight [tree.rows,
            D].

    Raises:
        ValueError: as OutputLayer; or the tree has not V leaves.
    """

    exact = True
    starts: Tensor
    nodes: Tensor
    signs: Tensor

    def __init__(
        self,
        dim: int,
        counts: Tensor | Sequence[int],
        options: HsigmoidOptions | None = None,
        *,
        tree: Tree | None = None,
        sparse: bool = False,
        weight: Tensor | None = None,
        bias: Tensor | bool = False,
        ignore_index: int | None = None,
    ) -> None:
        if tree is None:
            tree = huffman(torch.as_tensor(counts).cpu().numpy())
        elif len(tree) != len(counts):
            raise ValueError(
                f"the tree has {len(tree)} leaves, but counts has {len(counts)} classes"
            )
        self.tree = tree
        super().__init__(
            dim,
            counts,
            options or HsigmoidOptions(),
            weight=weight,
            bias=bias,
            ignore_index=ignore_index,
        )
        self.sparse = sparse
        self.register_buffer("starts", torch.from_numpy(tree.starts), persistent=False)
        self.register_buffer("nodes", torch.from_numpy(tree.nodes), persistent=False)
        # int8: 2 label - 1
        self.register_buffer("signs", torch.from_numpy(1 - 2 * tree.codes), persistent=False)
        self._tables: dict[torch.device, Any] = {}

    def rows(self) -> int:
        """How many inner nodes there are."""
        return self.tree.rows

    def unigram_bias(self) -> Tensor:
        """log of what a node's two branches count [rows]; a branch without any counts half."""
        counts = self.counts.double().repeat_interleave(self.starts.diff())
        one, other = (
            counts.new_zeros(self.tree.rows)
            .index_add_(0, self.nodes, counts * (self.signs == sign))
            .clamp_min_(0.5)
            for sign in (1, -1)
        )
        return (one / other).log()

    def score(self, hidden: Tensor, samples: Any = None) -> Scores:
        """Nothing yet: which nodes are scored depends on the targets."""
        return Scores(hidden)

    def link(self, scores: Scores, target: Tensor, row_of: Tensor | None = None) -> Tensor:
        """-log P(target | hidden) [N] along the paths of the targets [N] or [N, 1]."""
        target, valid = self.checked(target)
        first = self.starts[target]
        lengths = self.starts[target + 1] - first
        if valid is not None:
            lengths = torch.where(valid, lengths, 0)
        starts = offsets(lengths)
        place = torch.arange(int(starts[-1]), device=target.device)
        place += torch.repeat_interleave(first - starts[:-1], lengths, output_size=len(place))
        return path_loss(
            scores.hidden,
            self.weight,
            self.bias,
            starts,
            self.nodes[place],
            self.signs[place],
            row_of,
            self.sparse,
        )

    def nll(self, hidden: Tensor, target: Tensor) -> Tensor:
        """-log P(target | hidden) [N]: the loss itself, which visits one path per target."""
        return self(hidden, target)

    def log_prob(self, hidden: Tensor) -> Tensor:
        """log P(class | hidden) [N, V], level by level from the root: children share their parent's
        probability."""
        levels, order, _ = self._walk(hidden.device)
        dtype = accumulate_dtype(hidden)
        with torch.autocast(hidden.device.type, enabled=False):
            # [rows, N]: a node's scores lie side by side
            z = self.weight.to(dtype) @ hidden.to(dtype).T
            if self.bias is not None:
                z = z + self.bias.to(dtype)[:, None]
            log_p, leaves = z.new_zeros(1, len(hidden)), []
            for nodes, inner, leaf in levels:
                at = z.index_select(0, nodes)
                # codes 0 have label 1
                below = torch.cat([log_p + F.logsigmoid(at), log_p + F.logsigmoid(-at)])
                leaves.append(below.index_select(0, leaf))
                log_p = below.index_select(0, inner)
            return torch.cat(leaves).index_select(0, order).T.contiguous()

    @torch.no_grad()
    def predict(self, hidden: Tensor, k: int = 1) -> tuple[Tensor, Tensor]:
        """The k most probable classes: (ids [N, k], log-probabilities [N, k]), best first, by
        best-first search.

        A node's probability bounds those of all leaves below it, so that a branch less probable
        than the k-th best leaf found is never entered. Rows so flat that the search would cost more
        than scoring all leaves are scored.
        """
        k = min(k, self.num_classes)
        dtype = accumulate_dtype(hidden)
        with torch.autocast(hidden.device.type, enabled=False):
            found = [self._search(rows.to(dtype), k) for rows in hidden.split(NLL_ROWS)]
        if not found:
            return hidden.new_zeros(0, k, dtype=torch.int64), hidden.new_zeros(0, k, dtype=dtype)
        return torch.cat([ids for ids, _ in found]), torch.cat([log_p for _, log_p in found])

    @torch.no_grad()
    def sample(
        self, hidden: Tensor, generator: torch.Generator | None = None, temperature: float = 1.0
    ) -> Tensor:
        """One class [N] per row, by a walk from the root in which every branch is drawn by
        temperature.

        Raises:
            ValueError: the temperature is not above 0.
        """
        if not temperature > 0:
            raise ValueError(f"temperature is {temperature}, it must be above 0")
        _, _, children = self._walk(hidden.device)
        dtype = accumulate_dtype(hidden)
        ids = torch.zeros(len(hidden), dtype=torch.int64, device=hidden.device)
        rows = torch.arange(len(hidden), device=hidden.device)  # that have not reached a leaf
        nodes = self.nodes[:1].long().expand(len(hidden))
        with torch.autocast(hidden.device.type, enabled=False):
            while len(rows):
                z = torch.linalg.vecdot(self.weight[nodes].to(dtype), hidden[rows].to(dtype))
                if self.bias is not None:
                    z = z + self.bias.reshape(-1)[nodes].to(dtype)
                # code 0 has label 1, whose probability is sigmoid(z)
                code = uniform(len(rows), generator, z.device) >= torch.sigmoid(
                    z.double() / temperature
                )
                reached = children[nodes, code.long()]
                leaf = reached < 0
                ids[rows[leaf]] = -1 - reached[leaf]
                rows, nodes = rows[~leaf], reached[~leaf]
        return ids

    def _search(self, hidden: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """predict for rows that are few enough to hold all their open nodes at once."""
        _, _, children = self._walk(hidden.device)
        ids = torch.zeros(len(hidden), k, dtype=torch.int64, device=hidden.device)
        best = hidden.new_full((len(hidden), k), -torch.inf)
        # rows that still have nodes worth entering
        busy = torch.arange(len(hidden), device=hidden.device)
        nodes = self.nodes[:1].long().expand(len(hidden), 1)
        log_p = hidden.new_zeros(len(hidden), 1)  # of the open nodes, [busy, open]
        # nodes that a row may enter before all of its leaves are scored
        entries = max(64, k, self.tree.rows // 32)
        while len(busy):
            width = min(max(k, EXPANSIONS), log_p.shape[1])
            entries -= width
            if entries < 0:
                best[busy], ids[busy] = self.log_prob(hidden[busy]).topk(k, dim=1)
                break
            top, place = log_p.topk(width, dim=1)
            log_p.scatter_(1, place, -torch.inf)
            entered = nodes.gather(1, place)
            z = torch.einsum("nwd,nd->nw", self.weight[entered].to(hidden.dtype), hidden[busy])
            if self.bias is not None:
                z += self.bias[entered].to(hidden.dtype)
            reached = children[entered]  # [busy, entered, 2]
            reached_log_p = torch.stack([top + F.logsigmoid(z), top + F.logsigmoid(-z)], dim=2)
            reached, reached_log_p = reached.flatten(1), reached_log_p.flatten(1)
            leaf = reached < 0
            best_here, place = torch.cat(
                [best[busy], reached_log_p.masked_fill(~leaf, -torch.inf)], 1
            ).topk(k, dim=1)
            best[busy], ids[busy] = (
                best_here,
                torch.cat([ids[busy], -1 - reached], 1).gather(1, place),
            )
            nodes = torch.cat([nodes, reached.clamp(min=0)], 1)
            log_p = torch.cat([log_p, reached_log_p.masked_fill(leaf, -torch.inf)], 1)
            log_p.masked_fill_(log_p <= best_here[:, -1:], -torch.inf)
            still_open = (log_p > -torch.inf).sum(1)
            left = still_open.nonzero()[:, 0]
            busy, widest = busy[left], int(still_open.max())
            log_p, place = log_p[left].topk(widest, dim=1)
            nodes = nodes[left].gather(1, place)
        return ids, best

    def _walk(
        self, device: torch.device
    ) -> tuple[list[tuple[Tensor, Tensor, Tensor]], Tensor, Tensor]:
        """(levels, order, children) of the tree on a device, made when first needed.

        A level is (its nodes, which of their children are inner nodes, which are leaves); the
        children of a level are counted code 0 first. order [V]: each class's place among the leaves
        of all levels. children [rows, 2]: the inner node, or -1 - class.
        """
        if device not in self._tables:
            children = self.tree.children()
            levels, classes, level = [], [], self.tree.nodes[:1]
            while len(level):
                below = children[level].ravel(order="F")
                inner, leaf = np.flatnonzero(below >= 0), np.flatnonzero(below < 0)
                levels.append(
                    tuple(torch.from_numpy(part).to(device) for part in (level, inner, leaf))
                )
                classes.append(-1 - below[leaf])
                level = below[inner]
            order = torch.from_numpy(np.argsort(np.concatenate(classes))).to(device)
            self._tables[device] = levels, order, torch.from_numpy(children).long().to(device)
        return self._tables[device]


def offsets(lengths: Tensor) -> Tensor:
    """[N + 1]: 0 and the running sums of lengths [N]."""
    return torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])


def path_loss(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    starts: Tensor,
    nodes: Tensor,
    signs: Tensor,
    row_of: Tensor | None = None,
    sparse: bool = False,
) -> Tensor:
    """Loss [N] = sum over target n's steps p in starts[n]:starts[n + 1] of -log sigmoid(signs[p] ·
    z(nodes[p])).

    Args:
        hidden: [U, D].
        weight: [rows, D], and bias [rows] or [rows, 1] or None.
        starts: [N + 1], nodes [P] and signs [P] (+1 for label 1, -1 for label 0): the paths in CSR
            form.
        row_of: [N], the hidden row of each target; None: row n.
        sparse: gradients of weight and bias are sparse.

    Raises:
        ValueError: there are not as many targets as hidden rows.
    """
    if row_of is None and len(hidden) != len(starts) - 1:
        raise ValueError(f"hidden has {len(hidden)} rows, but there are {len(starts) - 1} targets")
    dtype = accumulate_dtype(hidden)
    with torch.autocast(hidden.device.type, enabled=False):
        return _PathLoss.apply(
            hidden.to(dtype),
            weight.to(dtype),
            None if bias is None else bias.to(dtype),
            starts,
            nodes,
            signs.to(dtype),
            row_of,
            sparse,
        )


class _PathLoss(torch.autograd.Function):
    """`path_loss` in one dtype. Never holds [P, D]: scores are gathered in parts, gradients are
    weighted sums."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        starts: Tensor,
        nodes: Tensor,
        signs: Tensor,
        row_of: Tensor | None,
        sparse: bool,
    ) -> Tensor:
        targets = torch.arange(len(starts) - 1, device=starts.device)
        target_of = torch.repeat_interleave(targets, starts.diff(), output_size=len(nodes))
        row = target_of if row_of is None else row_of[target_of]
        part = max(1, (GATHER if hidden.device.type == "cpu" else DEVICE_GATHER) // hidden.shape[1])
        z = hidden.new_empty(len(nodes))
        for p in range(0, len(nodes), part):
            here = slice(p, p + part)
            z[here] = (weight.index_select(0, nodes[here]) * hidden.index_select(0, row[here])).sum(
                1
            )
        if bias is not None:
            z += bias.reshape(-1).index_select(0, nodes)
        z *= signs
        ctx.save_for_backward(
            hidden, weight, starts, nodes, torch.sigmoid(-z).mul_(signs), target_of, row, row_of
        )
        ctx.bias_shape, ctx.sparse = None if bias is None else bias.shape, sparse
        return z.new_zeros(len(targets)).index_add_(0, target_of, -F.logsigmoid(z))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_loss: Tensor) -> tuple[Tensor | None, ...]:
        hidden, weight, starts, nodes, residual, target_of, row, row_of = ctx.saved_tensors
        d_z = -residual * d_loss.index_select(0, target_of)
        d_hidden = d_weight = d_bias = None
        if ctx.needs_input_grad[0]:
            d_hidden = weighted_sums(weight, nodes, d_z, starts)
            if row_of is not None:
                d_hidden = torch.zeros_like(hidden).index_add_(0, row_of, d_hidden)
        if ctx.needs_input_grad[1] or ctx.needs_input_grad[2]:
            by_node, order = nodes.sort()
            visited, place, times = torch.unique_consecutive(
                by_node, return_inverse=True, return_counts=True
            )
            bounds, d_z = offsets(times), d_z[order]
            if ctx.needs_input_grad[1]:
                d_rows = weighted_sums(hidden, row[order], d_z, bounds)
                d_weight = _rows_gradient(visited, d_rows, weight.shape, ctx.sparse)
            if ctx.needs_input_grad[2]:
                d_nodes = (
                    d_z.new_zeros(len(visited))
                    .index_add_(0, place, d_z)
                    .reshape(-1, *ctx.bias_shape[1:])
                )
                d_bias = _rows_gradient(visited, d_nodes, ctx.bias_shape, ctx.sparse)
        return d_hidden, d_weight, d_bias, None, None, None, None, None


def weighted_sums(matrix: Tensor, rows: Tensor, factors: Tensor, bounds: Tensor) -> Tensor:
    """[len(bounds) - 1, D]: sum over p in bounds[i]:bounds[i + 1] of factors[p] ·
    matrix[rows[p]]."""
    if not len(rows):
        return matrix.new_zeros(len(bounds) - 1, matrix.shape[1])
    return F.embedding_bag(
        rows.long(),
        matrix,
        bounds,
        per_sample_weights=factors,
        mode="sum",
        include_last_offset=True,
    )


def _rows_gradient(rows: Tensor, values: Tensor, shape: torch.Size, sparse: bool) -> Tensor:
    """A gradient of this shape that is `values` in `rows` (ascending, distinct) and 0 elsewhere."""
    if sparse:
        return torch.sparse_coo_tensor(
            rows[None].long(), values, shape, is_coalesced=True, check_invariants=False
        )
    return values.new_zeros(shape).index_copy_(0, rows.long(), values)
