"""Margin softmax losses as functions. `reduction` is "none", "mean" (over targets that are not
ignored) or "sum".

Sums are in float32 (float64 stays). The formulas are in `w2v.losses.margin`.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from w2v.compat.softmax import check_reduction, checked_logits, reduced
from w2v.losses.margin import (
    am_operands,
    check_angular,
    check_margin,
    check_scale,
    l_move,
    moved_cross_entropy,
)


def soft_margin_cross_entropy(
    input: Tensor,
    target: Tensor,
    margin: float,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """cross_entropy of logits [N, C] or [N, C, d1, …] with the target's logit lowered by margin;
    weight [C] or None.

    Raises:
        ValueError: margin is negative, a class is outside 0 … C - 1, shapes do not fit.
    """
    check_margin(margin)
    check_reduction(reduction)
    logits, classes, _ = checked_logits(input, target, ignore_index)
    moved = logits.scatter_add(
        1, classes.unsqueeze(1), logits.new_full((), -margin).expand_as(classes.unsqueeze(1))
    )
    return F.cross_entropy(moved, target, weight, ignore_index=ignore_index, reduction=reduction)


def am_softmax_loss(
    input: Tensor,
    weight: Tensor,
    target: Tensor,
    scale: float = 30.0,
    margin: float = 0.35,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Cross-entropy of scale x cos(input, weight), the target's cosine lowered by margin: input [N,
    D], weight [C, D].

    Raises:
        ValueError: scale is not above 0, margin is negative, a class is outside 0 … C - 1, shapes
            do not fit.
    """
    check_scale(scale)
    check_margin(margin)
    check_reduction(reduction)
    with torch.autocast(input.device.type, enabled=False):
        h, w = am_operands(input, weight, scale)
    loss = moved_cross_entropy(
        h, w, target, None, None, lambda z, *_: z - scale * margin, ignore_index
    )
    return reduced(loss, target.reshape(loss.shape) != ignore_index, reduction)


def l_softmax_loss(
    input: Tensor,
    weight: Tensor,
    target: Tensor,
    margin: int = 2,
    annealing: float = 0.0,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Cross-entropy of input @ weight.T, the target's angle multiplied by margin: input [N, D],
    weight [C, D].

    annealing is lambda in (lambda x plain score + margin score) / (1 + lambda).

    Raises:
        ValueError: margin is not 1, 2, 3 or 4, annealing is negative, a class is outside 0 … C - 1,
            shapes do not fit.
    """
    check_angular(margin, annealing)
    check_reduction(reduction)
    move = l_move(input, weight, margin, annealing)
    loss = moved_cross_entropy(input, weight, target, None, None, move, ignore_index)
    return reduced(loss, target.reshape(loss.shape) != ignore_index, reduction)
