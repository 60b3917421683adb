"""Cross-entropies on given logits, with the manners of `torch.nn.functional.cross_entropy`, and the
fused linear one.

Logits are [N, C] or [N, C, d1, …], targets [N] or [N, d1, …]. Computed in float32 (float64 stays).
`reduction` is "none", "sum" or "mean": over the targets that are not ignored; with class weights,
divided by their weights' sum.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from w2v.losses.base import accumulate_dtype, checked_classes
from w2v.losses.math import cross_entropy
from w2v.losses.softmax import kept_cross_entropy


def label_smoothing_cross_entropy(
    input: Tensor,
    target: Tensor,
    smoothing: float,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """-sum_c weight_c q_c log softmax(input)_c, q = (1 - smoothing) onehot(target) + smoothing / C.

    Raises:
        ValueError: smoothing is outside 0 … 1, a class is outside 0 … C - 1, shapes do not fit.
    """
    cross_entropy.check_smoothing(smoothing)
    logits, _, _ = checked_logits(input, target, ignore_index)
    check_reduction(reduction)
    return F.cross_entropy(
        logits,
        target,
        weight,
        ignore_index=ignore_index,
        reduction=reduction,
        label_smoothing=smoothing,
    )


def sparse_softmax_cross_entropy(
    input: Tensor,
    target: Tensor,
    k: int,
    keep_target: bool = True,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    masked_mean: bool = False,
) -> Tensor:
    """logsumexp over the k highest logits (and the target's, with keep_target) - the target's
    logit.

    masked_mean: the mean goes only over targets that are among the k highest; NaN when none is.

    Raises:
        ValueError: k is outside 1 … C, a class is outside 0 … C - 1, shapes do not fit, masked_mean
            without "mean".
    """
    logits, target, valid = checked_logits(input, target, ignore_index)
    check_reduction(reduction)
    if not 1 <= k <= logits.shape[1]:
        raise ValueError(f"k is {k}, it must lie in 1 to {logits.shape[1]}, the number of classes")
    if masked_mean and reduction != "mean":
        raise ValueError(f"masked_mean needs reduction 'mean', not {reduction!r}")
    values, ids = logits.topk(k, dim=1)
    score = logits.gather(1, target.unsqueeze(1)).squeeze(1)
    inside = (ids == target.unsqueeze(1)).any(1)
    loss = kept_cross_entropy(values.logsumexp(1), score, inside, keep_target)
    counted = valid & inside if masked_mean else valid
    return reduced(
        loss, counted, reduction, None if weight is None else weight.to(loss.dtype)[target]
    )


def linear_cross_entropy(
    input: Tensor,
    weight: Tensor,
    target: Tensor,
    bias: Tensor | None = None,
    *,
    label_smoothing: float = 0.0,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """cross_entropy(input @ weight.T + bias, target) without holding these logits: input [N, D],
    weight [C, D].

    Raises:
        ValueError: shapes do not fit, a class is outside 0 … C - 1, label_smoothing is outside 0 …
            1.
    """
    check_reduction(reduction)
    loss = cross_entropy.linear_cross_entropy(
        input, weight, target, bias, smoothing=label_smoothing, ignore_index=ignore_index
    )
    return reduced(loss, target.reshape(loss.shape) != ignore_index, reduction)


def checked_logits(
    input: Tensor, target: Tensor, ignore_index: int
) -> tuple[Tensor, Tensor, Tensor]:
    """(logits in the dtype of the sums, target with ignored entries replaced by 0, mask of those
    that count).

    Raises:
        ValueError: shapes do not fit, a class is out of range.
    """
    if input.dim() < 2 or target.shape != input.shape[:1] + input.shape[2:]:
        raise ValueError(
            f"input has shape {list(input.shape)} and target {list(target.shape)}, "
            "they must be [N, C, ...] and [N, ...]"
        )
    classes, valid = checked_classes(target, input.shape[1], ignore_index)
    assert valid is not None
    return input.to(accumulate_dtype(input)), classes, valid


def check_reduction(reduction: str) -> None:
    """Raises ValueError unless reduction is "none", "mean" or "sum"."""
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"reduction is {reduction!r}, it must be 'none', 'mean' or 'sum'")


def reduced(loss: Tensor, counted: Tensor, reduction: str, weight: Tensor | None = None) -> Tensor:
    """Losses where `counted`, 0 elsewhere; times the targets' weights; reduced. A mean over nothing
    is NaN."""
    loss = torch.where(counted, loss if weight is None else loss * weight, 0)
    if reduction == "none":
        return loss
    if reduction == "sum":
        return loss.sum()
    return loss.sum() / (counted.sum() if weight is None else torch.where(counted, weight, 0).sum())
