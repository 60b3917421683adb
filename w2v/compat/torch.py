"""PyTorch's adaptive softmax: torch.nn.AdaptiveLogSoftmaxWithLoss, and the same as a function of
its weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from w2v.errors import shown
from w2v.losses.adaptive import check_cutoffs
from w2v.losses.checks import check_new
from w2v.losses.math import levels
from w2v.losses.math.levels import Tail, Weights, adaptive_log_prob
from w2v.losses.math.numbers import accumulate_dtype, eager
from w2v.sampling.checks import Refused, checked_flag, checked_floats, checked_ids, checked_whole


class AdaptiveOutput(NamedTuple):
    """output [N] (or [] without batch): log P(target | input); loss []: mean of -output."""

    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(nn.AdaptiveLogSoftmaxWithLoss):
    """PyTorch's module with its constructor, attributes, starting values and state, but computed
    without ever holding all scores of the head."""

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        sizes = in_features, n_classes, cutoffs, div_value
        head_bias = checked_flag(head_bias, "head_bias")
        check_new({"device": device, "dtype": dtype})
        try:
            super().__init__(*sizes, head_bias, device, dtype)
        except (TypeError, ArithmeticError, RuntimeError) as error:
            named = "in_features, n_classes, cutoffs, div_value"
            given, cause = f"{named} = {shown(sizes)}", shown(str(error))
            raise Refused(f"PyTorch cannot create it with {given}: {cause}") from error

    def forward(self, input_: Tensor, target_: Tensor) -> AdaptiveOutput:  # type: ignore[override]
        """Returns (output, loss) for input [N, D] or [D] and target [N] or []."""
        head, tails = self.head, levels.tails_of(self.tail)
        return adaptive_log_softmax_with_loss(
            input_, target_, head.weight, tails, self.cutoffs, head.bias
        )

    @eager
    def log_prob(self, input: Tensor) -> Tensor:
        """Returns log P(class | input) [N, n_classes] (or [n_classes] for input [D])."""
        log_prob = levels.all_log_prob(*self._operands(input))
        return log_prob.view(*input.shape[:-1], self.n_classes)

    @eager
    @torch.no_grad()
    def predict(self, input: Tensor) -> Tensor:
        """Returns the most probable class [N] (or [] for input [D])."""
        return levels.best_classes(*self._operands(input), 1)[0].view(input.shape[:-1])

    def _operands(self, input: Tensor) -> tuple[Tensor, Weights, list[int]]:
        weights = Weights(self.head.weight, self.head.bias, levels.tails_of(self.tail))
        D = self.in_features
        rows = checked_floats(input, "input", (D,), ("N", D), ("B", "T", D))
        rows = rows.reshape(math.prod(input.shape[:-1]), D)
        return rows, weights.to(accumulate_dtype(input)), list(self.cutoffs[:-1])


@eager
def adaptive_log_softmax_with_loss(
    input: Tensor,
    target: Tensor,
    head_weight: Tensor,
    tail_weights: Sequence[Sequence[Tensor]],
    cutoffs: Sequence[int],
    head_bias: Tensor | None = None,
) -> AdaptiveOutput:
    """Returns (output, loss) of torch.nn.AdaptiveLogSoftmaxWithLoss; as in torch, the loss without
    targets is NaN.

    input [N, D] or [D], target [N] or [], head_weight [c_0 + clusters, D], head_bias; tail_weights:
    for each cluster the module's tail.i.0.weight [d, D] and tail.i.1.weight [words, d]; cutoffs:
    the first class of each cluster, optionally followed by V, as in the module's `cutoffs`.
    """
    try:
        tails = [Tail(*pair) for pair in tail_weights]
        cutoffs = list(cutoffs)
    except (TypeError, RuntimeError) as error:
        cause = shown(str(error))
        raise Refused(f"tail_weights must be pairs and cutoffs numbers: {cause}") from None
    starts = [checked_whole(cutoff, "each of the cutoffs") for cutoff in cutoffs]
    K, D = len(tails), checked_floats(input, "input", ("N", "D"), ("D",)).shape[-1]
    if len(starts) not in {K, K + 1} or not tails:
        actual = f"{len(starts)} cutoffs and {K} tails"
        raise Refused(f"there are {actual}; each cutoff begins a cluster")
    last = checked_floats(tails[-1].output, f"tail {K - 1} output", ("words", "d"))
    num_classes = starts[K - 1] + len(last)
    if starts[K:] not in ([], [num_classes]):
        end = f"the tails end at class {num_classes}"
        raise Refused(f"the last cutoff is {starts[K]}, but {end}")
    starts = check_cutoffs(starts[:K], num_classes)
    rows = starts[0] + K
    checked_floats(head_weight, "head_weight", (rows, D))
    if head_bias is not None:
        checked_floats(head_bias, "head_bias", (rows,))
    spans = pairwise([*starts, num_classes])
    for i, (tail, (low, high)) in enumerate(zip(tails, spans, strict=True)):
        width = len(checked_floats(tail.projection, f"tail {i} projection", ("d", D)))
        checked_floats(tail.output, f"tail {i} output", (high - low, width))
    try:
        classes = checked_ids(target, num_classes, "targets", cast=False)
    except Refused as error:
        raise Refused(f"Target values should be in [0, {num_classes - 1}]: {error}") from None
    if (shape := classes.shape) != input.shape[:-1]:
        actual = f"input has shape {list(input.shape)} and target {list(shape)}"
        rule = "Input and target should have the same size"
        raise Refused(f"{rule}, [N, D] and [N], or [D] and []: {actual}")
    weights = Weights(head_weight, head_bias, tails).to(accumulate_dtype(input))
    hidden, classes = input.reshape(classes.numel(), D), classes.reshape(-1)
    output = adaptive_log_prob(hidden, classes, weights, starts).view(shape)
    return AdaptiveOutput(output, -output.mean())
