"""Computes log sum_j exp z[u, j] over all V classes and the targets' scores, z = hidden @ weight.T
+ bias, in blocks of z.

All losses over all classes are built from these sums. They are one autograd function, so that the
gradient of `weight` [V, D] is allocated once: the forward pass, and the gradients with or without
computing z again.

With products in bfloat16, blocks of z and their exponentials are bfloat16 too; their sums and all
gradients are float32.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from w2v.losses.math.blocks import Constants, Problem, floor_of
from w2v.losses.math.exponentials import exponentials, shares
from w2v.losses.math.numbers import (
    Tensors,
    accumulate_dtype,
    gradients_again,
    nested,
    row_numbers,
    rows_for,
)
from w2v.losses.math.products import add_outer, linear, outer
from w2v.system.gpu import distant

HELD_BYTES = 128 << 20  # exponentials in memory when the forward pass computes the gradients
# size of a block of scores on a CPU: 12 MB of float32, which still fit into the caches
BLOCK_ROWS, BLOCK_CLASSES = (768, 4096)
# with fewer rows at a time, adding to the whole weight gradient costs more than computing z again
EAGER_ROWS = 256
EAGER_MOST_ROWS = 2048
Needed = tuple[bool, ...]
DEVICE_BYTES = 512 << 20  # size of a block on a GPU


def _block_size(problem: Problem) -> tuple[int, int]:
    """Returns (rows, classes) of a block if no block is kept. On a GPU, blocks have all classes."""
    if not distant(problem.hidden):
        return BLOCK_ROWS, BLOCK_CLASSES // (4 if problem.constants.frugal else 1)
    num_classes = len(problem.weight)
    return max(DEVICE_BYTES // (4 * num_classes), 1), num_classes


def _eager_size(hidden: Tensor, num_classes: int, dtype: torch.dtype) -> tuple[int, int] | None:
    """Returns (rows, classes) of a block if the blocks of some rows are kept for the gradients;
    None: keeping them does not pay."""
    on_gpu, row_bytes = distant(hidden), num_classes * dtype.itemsize
    rows = DEVICE_BYTES // row_bytes if on_gpu else min(HELD_BYTES // row_bytes, EAGER_MOST_ROWS)
    if rows < min(EAGER_ROWS, len(hidden)):
        return None
    if on_gpu:
        return rows, num_classes
    classes = BLOCK_ROWS * BLOCK_CLASSES // max(min(rows, len(hidden)), 1)
    return rows, max(classes, BLOCK_CLASSES // 2)


@dataclass
class Gradients:
    """Gradients of hidden [U, D], weight [V, D] and bias [V]; None where none is wanted."""

    hidden: Tensor | None
    weight: Tensor | None
    bias: Tensor | None

    @classmethod
    def zeros(cls, needed: Needed, problem: Problem) -> Gradients:
        tensors = problem.hidden, problem.weight, problem.bias
        options: dict[str, Any] = {"dtype": problem.dtype, "memory_format": torch.contiguous_format}
        inputs = (x if want else None for x, want in zip(tensors, needed, strict=True))
        return cls(*(None if x is None else torch.zeros_like(x, **options) for x in inputs))

    def copy(self) -> Gradients:
        return Gradients(
            *(None if x is None else x.clone() for x in (self.hidden, self.weight, self.bias))
        )

    def cast(self, problem: Problem) -> Iterator[Tensor | None]:
        """Yields each gradient in the dtype of its input."""
        tensors = problem.hidden, problem.weight, problem.bias
        for gradient, x in zip((self.hidden, self.weight, self.bias), tensors, strict=True):
            yield None if gradient is None or x is None else gradient.to(x.dtype)


class ScoreSums(torch.autograd.Function):
    """(total [N], score [N], mean [N] or None); arguments and results are explained in
    `cross_entropy.score_sums`."""

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor | None, constants: Constants
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        problem, needed = Problem(hidden, weight, bias, constants), tuple(ctx.needs_input_grad[:3])
        size = None
        if constants.ahead and any(needed):
            size = _eager_size(hidden, len(weight), constants.product)
        grads = None if size is None else Gradients.zeros(needed, problem)
        counts = None
        if grads is not None and constants.row_of is not None:
            counts = problem.per_row(torch.ones_like(constants.target, dtype=problem.dtype))
        total, score = _sums(problem, size or _block_size(problem), grads, counts)
        mean = None
        if constants.with_mean:
            mean = hidden.to(problem.dtype) @ weight.mean(0, dtype=problem.dtype)
            mean = mean if bias is None else mean + bias.mean(dtype=problem.dtype)
            mean = rows_for(mean, constants.row_of)
        ctx.save_for_backward(hidden, weight, bias, total, constants.target, constants.row_of)
        ctx.grads, ctx.constants = grads, constants[2:]
        ctx.set_materialize_grads(False)
        return rows_for(total, constants.row_of), score, mean

    @staticmethod
    def backward(ctx: Any, *d_results: Tensor | None) -> tuple[Tensor | None, ...]:
        hidden, weight, bias, total, target, row_of = ctx.saved_tensors
        constants = Constants(target, row_of, *ctx.constants)
        needed = tuple(ctx.needs_input_grad[:3])
        with torch.autocast(hidden.device.type, enabled=False):
            if nested(d_results):
                inputs = hidden, weight, bias
                return *gradients_again(
                    partial(plain_sums, constants), inputs, needed, d_results
                ), None
            grads = ctx.grads
            if grads is not None and _graph_is_kept():
                grads = grads.copy()  # so that the next pass finds the same numbers
            else:
                ctx.grads = None  # they are modified in place below
            problem = Problem(hidden, weight, bias, constants)
            grads = _all_gradients(problem, grads, total, needed, d_results)
        return *grads.cast(problem), None


def plain_sums(
    constants: Constants, hidden: Tensor, weight: Tensor, bias: Tensor | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """`ScoreSums` in PyTorch's own operators, with all scores at once, which autograd can
    differentiate any number of times."""
    dtype = accumulate_dtype(hidden)
    z = hidden.to(dtype) @ weight.to(dtype).t()
    z = z if bias is None else z + bias.to(dtype)
    row = row_numbers(hidden, constants.row_of)
    score, summed = z[row, constants.target], z
    if constants.others_only:
        summed = z.index_put((row, constants.target), z.new_tensor(floor_of(dtype)))
    return summed.logsumexp(1)[row], score, z.mean(1)[row] if constants.with_mean else None


def _all_gradients(
    problem: Problem, grads: Gradients | None, total: Tensor, needed: Needed, d_results: Tensors
) -> Gradients:
    """Returns the gradients for `d_results`, those of total, score and mean. grads: those
    computed in the forward pass, or None."""
    d_total, d_score, d_mean = d_results
    if d_total is None:
        d_total = total.new_zeros(len(problem.target))
    summed, per_row = problem.constants.summed, problem.per_row(d_total)
    factor = None if grads is None or summed else _common_factor(d_total)
    if grads is None or (factor is None and not summed):
        grads = _gradients(problem, total, per_row, needed)
    elif factor is not None:
        for sums in (grads.weight, grads.bias):
            # the factor is 1 for a summed loss: saves a pass over [V, D]
            if sums is not None and factor.item() != 1:
                sums.mul_(factor)
    if grads.hidden is not None:
        grads.hidden.mul_(per_row[:, None])
    if d_score is not None:
        add_scores(grads, problem, d_score)
    if d_mean is not None:
        _add_mean(grads, problem, d_mean)
    return grads


def _sums(
    problem: Problem, size: tuple[int, int], grads: Gradients | None, counts: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Returns (log-sum-exp [U], target's score [N]). Fills grads with the gradient of
    sum_u counts[u] lse[u] for weight and bias, of lse[u] for row u of hidden."""
    dtype, floor, grid = problem.dtype, floor_of(problem.dtype), problem.grid(size)
    total = torch.empty(len(problem.hidden), dtype=dtype, device=problem.hidden.device)
    score = torch.empty(len(problem.target), dtype=dtype, device=problem.hidden.device)
    for i, rows in enumerate(grid.rows):
        hidden = problem.hidden_part(rows)
        blocks, peaks, sums = [], [], []
        for j, classes in enumerate(grid.classes):
            z = linear(hidden, problem.weight_part(classes), problem.bias_part(classes))
            members, r, c = grid.targets(i, j)
            if len(r):
                score[members] = z[r, c].to(dtype)
                if problem.constants.others_only:
                    z[r, c] = -torch.inf
            peak, summed = exponentials(z, floor, dtype, keep=grads is not None)
            peaks.append(peak)
            sums.append(summed)
            if grads is not None:
                blocks.append(z)
            del z  # before the next one is made
        peaks_of = torch.stack(peaks)  # [blocks, rows]
        top = peaks_of.amax(0)
        summed = (torch.stack(sums) * (peaks_of - top).exp_()).sum(0)
        total[rows[0] : rows[1]] = lse = summed.log_().add_(top).clamp_min_(floor)
        if grads is None:
            continue
        scales = (peaks_of - lse).exp_()  # block x scale = probabilities
        weights = scales if counts is None else scales * counts[rows[0] : rows[1]]
        for j, classes in enumerate(grid.classes):
            z, blocks[j] = blocks[j], blocks[0][:0]
            if grads.hidden is not None:
                product = linear(z, problem.weight_part(classes).t())
                grads.hidden[rows[0] : rows[1]].addcmul_(product.to(dtype), scales[j][:, None])
            if grads.weight is not None:
                part = grads.weight[classes[0] : classes[1]]
                scaled = (hidden * weights[j][:, None]).to(z.dtype)
                if i:
                    add_outer(part, z, scaled)
                else:
                    part.copy_(outer(z, scaled))
            if grads.bias is not None:
                grads.bias[classes[0] : classes[1]] += weights[j] @ z.to(dtype)
    return total, score


def _gradients(problem: Problem, total: Tensor, per_row: Tensor, needed: Needed) -> Gradients:
    """Returns the gradients of sum_u per_row[u] lse[u] for weight and bias, of lse[u] for row u of
    hidden; computes z again."""
    grid = problem.grid(_block_size(problem))
    grads = Gradients.zeros(needed, problem)
    for j, classes in enumerate(grid.classes):
        weight, bias = problem.weight_part(classes), problem.bias_part(classes)
        sums: Tensor | None = None
        for i, rows in enumerate(grid.rows):
            hidden, weights = problem.hidden_part(rows), per_row[rows[0] : rows[1]]
            z = linear(hidden, weight, bias)
            if problem.constants.others_only:
                _, r, c = grid.targets(i, j)
                z[r, c] = -torch.inf
            shares(z, total[rows[0] : rows[1]])
            if grads.hidden is not None:
                grads.hidden[rows[0] : rows[1]] += linear(z, weight.t())
            if grads.weight is not None:
                share = outer(z, (hidden * weights[:, None]).to(z.dtype)).to(problem.dtype)
                sums = share if sums is None else sums.add_(share)
                del share
            if grads.bias is not None:
                grads.bias[classes[0] : classes[1]] += weights @ z.to(problem.dtype)
            del z  # before the next one is made: one block at a time
        if grads.weight is not None and sums is not None:
            grads.weight[classes[0] : classes[1]] = sums
    return grads


def _graph_is_kept() -> bool:
    """Returns whether the graph is kept for another backward pass (retain_graph=True)."""
    is_kept = getattr(torch._C._autograd, "_get_current_graph_task_keep_graph", None)
    return is_kept is None or is_kept()


def _common_factor(d_total: Tensor) -> Tensor | None:
    """Returns the gradient that all targets share; None if they differ."""
    if not len(d_total):
        return d_total.new_zeros(())
    return d_total[0] if bool((d_total == d_total[0]).all()) else None


def add_scores(grads: Gradients, problem: Problem, d_score: Tensor) -> None:
    """Adds the gradients of sum_n d_score[n] score[n]."""
    if grads.hidden is not None:
        rows = problem.weight.index_select(0, problem.target).to(problem.dtype) * d_score[:, None]
        if problem.row_of is None:
            grads.hidden += rows
        else:
            grads.hidden.index_add_(0, problem.row_of, rows)
    if grads.weight is not None:
        rows = rows_for(problem.hidden, problem.row_of).to(problem.dtype) * d_score[:, None]
        grads.weight.index_add_(0, problem.target, rows)
    if grads.bias is not None:
        grads.bias.index_add_(0, problem.target, d_score)


def _add_mean(grads: Gradients, problem: Problem, d_mean: Tensor) -> None:
    """Adds the gradients of sum_n d_mean[n] mean_j z[row_of[n], j]."""
    per_row = problem.per_row(d_mean)
    if grads.hidden is not None:
        grads.hidden.addcmul_(per_row[:, None], problem.weight.mean(0, dtype=problem.dtype))
    if grads.weight is not None:
        grads.weight += per_row @ problem.hidden.to(problem.dtype) / len(problem.weight)
    if grads.bias is not None:
        grads.bias += per_row.sum() / len(problem.weight)
