"""Cross-entropies and margin losses as functions with the conventions of
`torch.nn.functional.cross_entropy`.

Logits are [N, C], [N, C, d1, …] or [C], targets integers [N], [N, d1, …] or []; the linear losses
take input [..., D], weight [C, D] and targets [...], and never hold the logits. They are computed
in float32 (float64 stays). `reduction` is "none", "sum" or "mean": the mean over the targets that
are not `ignore_index`, weighted if there are class weights. The formulas are in `w2v.losses`.

All functions raise ValueError if shapes do not match, a class is outside 0 … C - 1, or an option is
out of range.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from w2v.errors import shown
from w2v.losses.margin import am_move, am_operands, l_move, l_operands, moved_cross_entropy
from w2v.losses.math import cross_entropy
from w2v.losses.math.numbers import (
    accumulate_dtype,
    check_floating,
    checked_classes,
    checked_integers,
    checked_number,
    eager,
    transformed,
)
from w2v.losses.softmax import kept_cross_entropy
from w2v.sampling.checks import checked_choice, checked_flag, checked_whole

LossOf = Callable[[Tensor, Tensor], Tensor]  # (rows, their targets) -> losses


@eager
def label_smoothing_cross_entropy(
    input: Tensor,
    target: Tensor,
    smoothing: float,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Returns -sum_c weight_c q_c log softmax(input)_c, with q = (1 - smoothing) onehot(target) +
    smoothing / C.

    As in torch, the target may be probabilities in the shape of input, which replace the onehot;
    then no target is ignored, and a mean is over all of them.
    """
    smoothing = checked_number(smoothing, "smoothing", 0, 1)
    if target.is_floating_point() and target.shape == input.shape:
        logits, of_classes = _logits(input, weight, reduction)
        checked_whole(ignore_index, "ignore_index")
        counted = partial(F.cross_entropy, reduction=reduction, label_smoothing=smoothing)
        return counted(logits, target.to(logits.dtype), of_classes)
    logits, classes, valid, of_classes = _checked_logits(
        input, target, weight, ignore_index, reduction
    )
    counted = partial(F.cross_entropy, ignore_index=-1, reduction=reduction)
    loss = counted(logits, _marked(classes, valid), of_classes, label_smoothing=smoothing)
    return loss.view(target.shape if reduction == "none" else ())


@eager
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
    """Returns logsumexp over the k highest logits (with keep_target also the target's) minus the
    target's logit.

    masked_mean: whether the mean is only over targets among the k highest; NaN if none is.
    """
    logits, classes, valid, of_classes = _checked_logits(
        input, target, weight, ignore_index, reduction
    )
    keep_target = checked_flag(keep_target, "keep_target")
    masked_mean = checked_flag(masked_mean, "masked_mean")
    if not 1 <= (k := checked_whole(k, "k")) <= logits.shape[1]:
        raise ValueError(
            f"k is {shown(k)}, it must lie in 1 to {logits.shape[1]}, the number of classes"
        )
    if masked_mean and reduction != "mean":
        raise ValueError(f"masked_mean needs reduction 'mean', not {reduction!r}")
    values, ids = logits.topk(k, dim=1)
    score = logits.gather(1, classes.unsqueeze(1)).squeeze(1)
    inside = (ids == classes.unsqueeze(1)).any(1)
    loss = kept_cross_entropy(values.logsumexp(1), score, inside, keep_target)
    counted = valid & inside if masked_mean else valid
    of_targets = None if of_classes is None else of_classes[classes]
    loss = _reduced(loss, counted, reduction, of_targets)
    return loss.view(target.shape if reduction == "none" else ())


@eager
def soft_margin_cross_entropy(
    input: Tensor,
    target: Tensor,
    margin: float,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Returns cross_entropy with the target's logit lowered by margin; weight [C] or None."""
    margin = checked_number(margin, "margin", 0)
    logits, classes, valid, of_classes = _checked_logits(
        input, target, weight, ignore_index, reduction
    )
    column = classes.unsqueeze(1)
    moved = logits.scatter_add(1, column, logits.new_full((), -margin).expand_as(column))
    labels = _marked(classes, valid)
    loss = F.cross_entropy(moved, labels, of_classes, ignore_index=-1, reduction=reduction)
    return loss.view(target.shape if reduction == "none" else ())


@eager
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
    """Returns cross_entropy(input @ weight.T + bias, target) without holding the logits."""
    label_smoothing = checked_number(label_smoothing, "label_smoothing", 0, 1)
    check_floating(bias=bias)
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(f"bias has shape {list(bias.shape)}, it must be {list(weight.shape[:1])}")

    def loss(hidden: Tensor, classes: Tensor) -> Tensor:
        operands = hidden, weight, classes, bias
        return cross_entropy.linear_cross_entropy(*operands, smoothing=label_smoothing)

    return _of_kept(loss, input, weight, target, ignore_index, reduction)


@eager
def am_softmax_loss(
    input: Tensor,
    weight: Tensor,
    target: Tensor,
    scale: float = 30.0,
    margin: float = 0.35,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Returns the cross-entropy of scale x cos(input, weight), the target's cosine minus margin."""
    scale = checked_number(scale, "scale", 0, above=True)
    margin = checked_number(margin, "margin", 0)
    move = am_move(scale, margin)

    def loss(hidden: Tensor, classes: Tensor) -> Tensor:
        with torch.autocast(hidden.device.type, enabled=False):
            operands = *am_operands(hidden, weight, scale), None
        return moved_cross_entropy(operands, classes, None, move)

    return _of_kept(loss, input, weight, target, ignore_index, reduction)


@eager
def l_softmax_loss(
    input: Tensor,
    weight: Tensor,
    target: Tensor,
    margin: int = 2,
    annealing: float = 0.0,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Returns the cross-entropy of input @ weight.T, with the target's angle multiplied by margin.

    annealing is lambda in (lambda x plain score + margin score) / (1 + lambda).
    """
    if not 1 <= (margin := checked_whole(margin, "margin")) <= 4:
        raise ValueError(f"margin is {shown(margin)}, it must be a whole number from 1 to 4")
    annealing = checked_number(annealing, "annealing", 0)

    def loss(hidden: Tensor, classes: Tensor) -> Tensor:
        operands = l_operands(hidden, weight)
        move = l_move(*operands, margin, annealing)
        return moved_cross_entropy((*operands, None), classes, None, move)

    return _of_kept(loss, input, weight, target, ignore_index, reduction)


def _of_kept(
    loss_of: LossOf, input: Tensor, weight: Tensor, target: Tensor, ignored: int, reduction: str
) -> Tensor:
    """Returns the reduced linear loss of the rows whose target is not ignored."""
    shape, rows = list(input.shape), list(weight.shape)
    if len(rows) != 2 or shape[-1:] != rows[1:]:
        shapes = f"input has shape {shape} and weight {rows}"
        raise ValueError(f"{shapes}, they must be [..., D] and [C, D]")
    if list(target.shape) != shape[:-1]:
        raise ValueError(
            f"input has shape {shape}, so target must have {shape[:-1]}, not {list(target.shape)}"
        )
    check_floating(input=input, weight=weight)
    _check_reduction(reduction)
    hidden = input.reshape(target.numel(), input.shape[-1])
    classes, valid = _checked(target.reshape(-1), len(weight), ignored)
    if transformed() or bool(valid.all()):
        loss = loss_of(hidden, classes)
    else:
        kept = valid.nonzero()[:, 0]
        loss = loss_of(hidden.index_select(0, kept), classes[kept])
        loss = loss.new_zeros(len(classes)).index_copy(0, kept, loss)
    return _reduced(loss.view(target.shape), valid.view(target.shape), reduction)


def _logits(input: Tensor, weight: Tensor | None, reduction: str) -> tuple[Tensor, Tensor | None]:
    """Returns (logits, class weights), checked and in the dtype of the sums."""
    check_floating(input=input, weight=weight)
    _check_reduction(reduction)
    classes = input.shape[min(1, input.dim() - 1)]
    if weight is not None and list(weight.shape) != [classes]:
        raise ValueError(f"weight has shape {list(weight.shape)}, it must be [{classes}]")
    dtype = accumulate_dtype(input)
    return input.to(dtype), None if weight is None else weight.to(dtype)


def _checked_logits(
    input: Tensor, target: Tensor, weight: Tensor | None, ignored: int, reduction: str
) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """Returns (logits [N, C, ...] in the dtype of the sums, target with 0 for ignored entries, mask
    of the entries that count, class weights)."""
    shape, classes = list(input.shape), list(target.shape)
    if not shape or classes != shape[:1] * (len(shape) > 1) + shape[2:]:
        hint = ""
        if target.is_floating_point() and classes == shape:
            hint = "; only label_smoothing_cross_entropy takes probabilities"
        shapes = f"input has shape {shape} and target {classes}"
        raise ValueError(f"{shapes}, they must be [N, C, ...] and [N, ...], or [C] and []{hint}")
    logits, of_classes = _logits(input, weight, reduction)
    labels, valid = _checked(target, shape[min(1, len(shape) - 1)], ignored)
    if len(shape) == 1:
        logits, labels, valid = logits[None], labels[None], valid[None]
    return logits, labels, valid, of_classes


def _checked(target: Tensor, num_classes: int, ignored: int) -> tuple[Tensor, Tensor]:
    """Returns (target as int64 with 0 for ignored entries, mask of the entries that count)."""
    ignored = checked_whole(ignored, "ignore_index")
    # compared as int64, because torch would cast the number to a type that may not hold it
    target = checked_integers(target)
    valid = target != ignored
    if not num_classes and len(valid):
        raise ValueError("there are no classes, C is 0")
    return checked_classes(target.masked_fill(~valid, 0), num_classes), valid


def _marked(classes: Tensor, valid: Tensor) -> Tensor:
    """Returns the classes, with -1 for those that do not count."""
    return torch.where(valid, classes, -1)


def _check_reduction(reduction: str) -> None:
    checked_choice(reduction, "reduction", ("none", "mean", "sum"))


def _reduced(loss: Tensor, counted: Tensor, reduction: str, weight: Tensor | None = None) -> Tensor:
    """Returns the reduced losses, weighted by target; losses not `counted` are 0. A mean over
    nothing is NaN."""
    loss = torch.where(counted, loss if weight is None else loss * weight, 0)
    if reduction == "none":
        return loss
    if reduction == "sum":
        return loss.sum()
    return loss.sum() / (counted.sum() if weight is None else torch.where(counted, weight, 0).sum())
