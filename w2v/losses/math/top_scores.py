"""The k highest scores of each hidden row and the scores of the targets, without ever holding all
scores [U, V].

They are one autograd function, so that the gradient of `weight` [V, D] is allocated once: only
k + 1 of its rows per hidden row are non-zero, which takes no matrix product over V.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from w2v.losses.math.blocks import Constants, Problem, spans_of
from w2v.losses.math.numbers import (
    accumulate_dtype,
    gradients_again,
    nested,
    row_numbers,
    transformed,
)
from w2v.losses.math.products import all_scores, linear
from w2v.losses.math.score_sums import HELD_BYTES, Gradients, add_scores


def top_scores(
    operands: tuple[Tensor, Tensor, Tensor | None], target: Tensor, row_of: Tensor | None, k: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Returns (the k highest of z = hidden @ weight.T + bias [U, k], their classes [U, k], the
    targets' z [N]) for operands (hidden, weight, bias).

    Scores are float32 (float64 stays) and differentiable; the choice of the highest is treated as
    constant.
    """
    with torch.autocast(target.device.type, enabled=False):
        if transformed():
            z = all_scores(*operands)
            return *z.topk(k, dim=1), z[row_numbers(z, row_of), target]
        values, ids, score = _TopScores.apply(*operands, Constants(target, row_of), k)  # type: ignore[no-untyped-call]
    return values, ids, score


class _TopScores(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor | None, constants: Constants, k: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        target, row_of = constants.target, constants.row_of
        dtype = accumulate_dtype(hidden)
        full = weight.to(dtype).contiguous()
        offset = None if bias is None else bias.to(dtype)
        values = torch.empty(len(hidden), k, dtype=dtype, device=hidden.device)
        ids = torch.empty(len(hidden), k, dtype=torch.int64, device=hidden.device)
        score = torch.empty(len(target), dtype=dtype, device=hidden.device)
        size = HELD_BYTES // (2 * len(weight) * dtype.itemsize), len(weight)
        grid = Problem(hidden, weight, bias, constants).grid(size)
        for i, (start, end) in enumerate(grid.rows):
            z = linear(hidden[start:end].to(dtype).contiguous(), full, offset)
            values[start:end], ids[start:end] = z.topk(k, dim=1)
            members, r, c = grid.targets(i, 0)
            score[members] = z[r, c]
        ctx.save_for_backward(hidden, weight, bias, target, row_of, ids)
        ctx.mark_non_differentiable(ids)
        return values, ids, score

    @staticmethod
    def backward(ctx: Any, d_values: Tensor, _: None, d_score: Tensor) -> tuple[Tensor | None, ...]:
        hidden, weight, bias, target, row_of, ids = ctx.saved_tensors
        needed = ctx.needs_input_grad[:3]
        if nested((d_values, d_score)):

            def plain(hidden: Tensor, weight: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor]:
                z = all_scores(hidden, weight, bias)
                return z.gather(1, ids), z[row_numbers(z, row_of), target]

            inputs = hidden, weight, bias
            return *gradients_again(plain, inputs, needed, (d_values, d_score)), None, None
        dtype = d_score.dtype
        problem = Problem(hidden, weight, bias, Constants(target, row_of, product=dtype))
        grads = Gradients.zeros(needed, problem)
        with torch.autocast(hidden.device.type, enabled=False):
            row_bytes = ids.shape[1] * hidden.shape[1] * dtype.itemsize
            for start, end in spans_of(len(hidden), HELD_BYTES // (4 * row_bytes)):
                part, grad = ids[start:end], d_values[start:end]
                if grads.hidden is not None:
                    rows = torch.bmm(grad[:, None, :], weight[part].to(dtype))
                    grads.hidden[start:end] = rows[:, 0]
                if grads.weight is not None:
                    rows = grad[:, :, None] * hidden[start:end, None, :].to(dtype)
                    grads.weight.index_add_(0, part.flatten(), rows.flatten(0, 1))
            if grads.bias is not None:
                grads.bias.index_add_(0, ids.flatten(), d_values.flatten())
            add_scores(grads, problem, d_score)
        return *grads.cast(problem), None, None
