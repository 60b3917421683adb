"""torch's adaptive softmax as a function of its weights."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from torch import Tensor

from w2v.losses.adaptive import Tail, adaptive_log_prob, check_cutoffs, check_rows
from w2v.losses.base import accumulate_dtype, checked_classes


class AdaptiveOutput(NamedTuple):
    """output [N] (or [] without batch): log P(target | input); loss []: the mean of -output."""

    output: Tensor
    loss: Tensor


def adaptive_log_softmax_with_loss(
    input: Tensor,
    target: Tensor,
    head_weight: Tensor,
    tail_weights: Sequence[Sequence[Tensor]],
    cutoffs: Sequence[int],
    head_bias: Tensor | None = None,
) -> AdaptiveOutput:
    """(output, loss) of torch.nn.AdaptiveLogSoftmaxWithLoss; the loss of no targets is NaN, as
    there.

    Args:
        input: [N, D], or [D] with a target [].
        target: [N], in 0 … V - 1.
        head_weight: [c_0 + clusters, D].
        tail_weights: per cluster its projection [d, D] and its output [words, d]: the module's
            tail.i.0.weight and tail.i.1.weight.
        cutoffs: the first class of each cluster; V may follow as the last one, as in the module's
            own `cutoffs`.
        head_bias: [c_0 + clusters].

    Raises:
        ValueError: a target is out of range, or shapes and cutoffs contradict each other.
    """
    tails = [Tail(*pair) for pair in tail_weights]
    if len(cutoffs) not in {len(tails), len(tails) + 1} or not tails:
        raise ValueError(
            f"there are {len(cutoffs)} cutoffs and {len(tails)} tails; each cutoff begins a cluster"
        )
    num_classes = int(cutoffs[len(tails) - 1]) + len(tails[-1].output)
    if len(cutoffs) > len(tails) and int(cutoffs[-1]) != num_classes:
        raise ValueError(
            f"the last cutoff is {cutoffs[-1]}, but the tails end at class {num_classes}"
        )
    starts = check_cutoffs(cutoffs[: len(tails)], num_classes)
    rows = starts[0] + len(tails)
    if head_weight.dim() != 2 or tuple(head_weight.shape) != (rows, input.shape[-1]):
        raise ValueError(
            f"head_weight has shape {list(head_weight.shape)}, it must be [{rows},"
            f" {input.shape[-1]}]"
        )
    if head_bias is not None and tuple(head_bias.shape) != (rows,):
        raise ValueError(f"head_bias has shape {list(head_bias.shape)}, it must be [{rows}]")
    for i, (tail, (start, end)) in enumerate(
        zip(tails, pairwise([*starts, num_classes]), strict=True)
    ):
        width = tail.projection.shape[0]
        if tuple(tail.output.shape) != (end - start, width) or tuple(tail.projection.shape) != (
            width,
            input.shape[-1],
        ):
            raise ValueError(
                f"tail {i} has shapes {list(tail.projection.shape)} and {list(tail.output.shape)}, "
                f"they must be [d, {input.shape[-1]}] and [{end - start}, d]"
            )
    batched = input.dim() > 1
    if batched != (target.dim() > 0):
        raise ValueError(
            f"input has shape {list(input.shape)}, but target has {list(target.shape)}"
        )
    hidden = input if batched else input[None]
    target, _ = checked_classes(target.reshape(-1), num_classes)
    check_rows(hidden, target, None)
    dtype = accumulate_dtype(input)
    output = adaptive_log_prob(
        hidden,
        target,
        head_weight.to(dtype),
        None if head_bias is None else head_bias.to(dtype),
        [Tail(tail.projection.to(dtype), tail.output.to(dtype)) for tail in tails],
        starts,
    )
    output = output if batched else output[0]
    return AdaptiveOutput(output, -output.mean())
