"""The logistic loss along paths, whose rows are gathered in parts and whose gradients are weighted
sums.

loss[n] = sum over steps p in starts[n]:starts[n + 1] of -log sigmoid(signs[p] z(nodes[p]))
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from w2v.losses.math.numbers import accumulate_dtype, gradients_again, nested, transformed
from w2v.system.gpu import distant

# numbers gathered at a time for the scores on a CPU: 4 MB of float32, which fit the caches
GATHER = 1 << 20
DEVICE_GATHER = 1 << 26  # the same on a GPU
LONGEST = 64  # up to this length, a GPU pads all paths to the length of the longest


class Paths(NamedTuple):
    """Paths in CSR form: starts [N + 1], nodes [P] and signs [P] (+1 for label 1, -1 for label 0,
    0 for padding). row_of [N]: the hidden row of each path; None: path n has row n."""

    starts: Tensor
    nodes: Tensor
    signs: Tensor
    row_of: Tensor | None = None

    def of(self, target: Tensor, row_of: Tensor | None, longest: int) -> Paths:
        """Returns the paths with the numbers `target` [N]; no path has more than `longest` nodes.

        On a GPU the total number of nodes is not read back, which would wait for the device: short
        paths are padded with their last node and sign 0 instead.
        """
        first = self.starts[target]
        lengths = self.starts[target + 1] - first
        if distant(target) and longest <= LONGEST:
            step = torch.arange(longest, device=target.device)
            steps = first[:, None] + torch.minimum(step, lengths[:, None] - 1)
            signs = self.signs[steps].masked_fill_(step >= lengths[:, None], 0)
            starts = torch.arange(len(target) + 1, device=target.device) * longest
            return Paths(starts, self.nodes[steps].view(-1), signs.view(-1), row_of)
        starts = offsets(lengths)
        step_of = torch.arange(int(starts[-1]), device=target.device)
        step_of += torch.repeat_interleave(first - starts[:-1], lengths, output_size=len(step_of))
        return Paths(starts, self.nodes[step_of], self.signs[step_of], row_of)

    def rows(self) -> tuple[Tensor, Tensor]:
        """Returns (the path number of each step [P], its hidden row [P])."""
        numbers = torch.arange(len(self.starts) - 1, device=self.starts.device)
        path = torch.repeat_interleave(numbers, self.starts.diff(), output_size=len(self.nodes))
        return path, path if self.row_of is None else self.row_of[path]


def offsets(lengths: Tensor) -> Tensor:
    """Returns 0 followed by the cumulative sums of lengths [N]: [N + 1]."""
    return torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])


def path_loss(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, paths: Paths, sparse: bool = False
) -> Tensor:
    """Returns the loss [N] for hidden [U, D], weight [rows, D], bias [rows] or [rows, 1] or None;
    sparse: whether the gradients of weight and bias are sparse."""
    rows, targets = len(hidden), len(paths.starts) - 1
    if paths.row_of is None and rows != targets:
        raise ValueError(f"hidden has {rows} rows, but there are {targets} targets")
    paths = paths._replace(signs=paths.signs.to(accumulate_dtype(hidden)))
    with torch.autocast(hidden.device.type, enabled=False):
        if transformed():
            return _plain_loss(paths, hidden, weight, bias)[0]
        return _PathLoss.apply(hidden, weight, bias, paths, sparse)  # type: ignore[no-any-return, no-untyped-call]


def _plain_loss(paths: Paths, hidden: Tensor, weight: Tensor, bias: Tensor | None) -> tuple[Tensor]:
    """`path_loss` in PyTorch's own operators, which autograd can differentiate repeatedly."""
    (path, row), dtype = paths.rows(), paths.signs.dtype
    z = (weight.to(dtype)[paths.nodes] * hidden.to(dtype)[row]).sum(1)
    z = z if bias is None else z + bias.to(dtype).reshape(-1)[paths.nodes]
    losses = _step_losses(z * paths.signs, paths)
    return (z.new_zeros(len(paths.starts) - 1).index_add(0, path, losses),)


def _step_losses(z: Tensor, paths: Paths) -> Tensor:
    """Returns the loss of each step [P] from the scores times their signs."""
    losses = -F.logsigmoid(z)
    return losses.masked_fill(paths.signs == 0, 0) if distant(z) else losses


class _PathLoss(torch.autograd.Function):
    """`path_loss` in the dtype of the signs. Never holds [P, D]: scores are computed in parts, and
    gradients are weighted sums."""

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor | None, paths: Paths, sparse: bool
    ) -> Tensor:
        nodes, (path, row), dtype = paths.nodes, paths.rows(), paths.signs.dtype
        gather = GATHER if hidden.device.type == "cpu" else DEVICE_GATHER
        part, z = max(1, gather // max(1, hidden.shape[1])), torch.empty_like(paths.signs)
        for p in range(0, len(nodes), part):
            chunk = slice(p, p + part)
            rows = weight.index_select(0, nodes[chunk]).to(dtype)
            z[chunk] = (rows * hidden.index_select(0, row[chunk]).to(dtype)).sum(1)
        if bias is not None:
            z += bias.reshape(-1).index_select(0, nodes)
        z *= paths.signs
        residual = torch.sigmoid(-z).mul_(paths.signs)
        ctx.save_for_backward(hidden, weight, bias, residual, path, row, *paths)
        ctx.sparse = sparse
        return z.new_zeros(len(paths.starts) - 1).index_add_(0, path, _step_losses(z, paths))

    @staticmethod
    def backward(ctx: Any, d_loss: Tensor) -> tuple[Tensor | None, ...]:
        hidden, weight, bias, residual, path, row, starts, nodes, signs, row_of = ctx.saved_tensors
        needed = ctx.needs_input_grad[:3]
        if nested((d_loss,)):
            plain = partial(_plain_loss, Paths(starts, nodes, signs, row_of))
            return *gradients_again(plain, (hidden, weight, bias), needed, (d_loss,)), None, None
        d_z = -residual * d_loss.index_select(0, path)
        d_hidden = d_weight = d_bias = None
        if needed[0]:
            d_hidden = weighted_sums(weight, nodes, d_z, starts)
            if row_of is not None:
                d_hidden = d_z.new_zeros(hidden.shape).index_add_(0, row_of, d_hidden)
            d_hidden = d_hidden.to(hidden.dtype)
        if needed[1] or needed[2]:
            by_node, order = nodes.sort()
            visited, index, times = runs(by_node, len(weight))
            d_z = d_z[order]
            if needed[1]:
                d_rows = weighted_sums(hidden, row[order], d_z, offsets(times))
                d_weight = _rows_gradient(visited, d_rows, weight, ctx.sparse)
            if needed[2]:
                d_nodes = d_z.new_zeros(len(visited)).index_add_(0, index, d_z)
                d_nodes = d_nodes.reshape(-1, *bias.shape[1:])
                d_bias = _rows_gradient(visited, d_nodes, bias, ctx.sparse)
        return d_hidden, d_weight, d_bias, None, None


def runs(ordered: Tensor, most: int) -> tuple[Tensor, Tensor, Tensor]:
    """Returns (the distinct values of ordered [P], the position of each element among them [P], how
    often each occurs). On a GPU their number is not read back: the last value is repeated, with
    count 0, until there are min(`most`, P) of them; there are never more than `most`."""
    if not distant(ordered):
        return ordered.unique_consecutive(True, True)  # type: ignore[no-untyped-call,no-any-return]
    index = (ordered.diff(prepend=ordered[:1]) != 0).cumsum(0)
    distinct = ordered[-1:].expand(min(most, len(ordered))).clone().scatter_(0, index, ordered)
    times = torch.zeros_like(distinct).index_add_(0, index, torch.ones_like(ordered))
    return distinct, index, times


def weighted_sums(matrix: Tensor, rows: Tensor, factors: Tensor, bounds: Tensor) -> Tensor:
    """Returns the sums over p in bounds[i]:bounds[i + 1] of factors[p] · matrix[rows[p]]:
    [len(bounds) - 1, D]; in the dtype of the factors."""
    if not len(rows) or not matrix.shape[1]:
        return factors.new_zeros(len(bounds) - 1, matrix.shape[1])
    options: dict[str, Any] = {"mode": "sum", "include_last_offset": True}
    matrix = matrix.to(factors.dtype)
    return F.embedding_bag(rows.long(), matrix, bounds, per_sample_weights=factors, **options)


def _rows_gradient(rows: Tensor, values: Tensor, table: Tensor, sparse: bool) -> Tensor:
    """Returns a gradient of the table: `values` in `rows` (as returned by `runs`), else 0."""
    values = values.to(table.dtype)
    if sparse:
        options: Any = {"is_coalesced": not distant(rows), "check_invariants": False}
        return torch.sparse_coo_tensor(rows[None].long(), values, table.shape, **options)
    return values.new_zeros(table.shape).index_add_(0, rows.long(), values)
