"""Linear layer and cross-entropy in one, without ever holding the scores [N, V] of all targets.

    z = hidden @ weight.T + bias                           # [U, V], a few rows or columns at a time
    loss[n] = log sum_j exp z[u, j] - (1 - a) z[u, t] - a mean_j z[u, j],
    u = row_of[n], t = target[n], a = smoothing

    loss = linear_cross_entropy(hidden, weight, target)              # [N] nats
    loss.mean().backward()

Gradients are computed in one of two ways. If all targets' losses will be weighted alike, as by
`mean()` or `sum()`, the gradients of the log-sum-exp are computed in the forward pass, while the
exponentials are available (three matrix products in all), and the backward pass multiplies them by
that weight. If the weights turn out to differ, or are known to, or if there are so many classes
that only few rows fit at a time, the backward pass computes the scores again (four products).

N targets that share U hidden rows cost U rows of scores. Products and sums are computed in float32
(float64 stays float64), also under torch.autocast; the exception is `bfloat16_products`, within
which the loss is accurate to 1e-2. Sources of the forward-pass gradient: Wijmans et al. 2024,
arXiv:2411.09009; Hsu et al. 2024, arXiv:2410.10989.
"""

from __future__ import annotations

import torch
from torch import Tensor

from w2v.losses.math.blocks import Constants
from w2v.losses.math.numbers import accumulate_dtype, are_trusted, transformed
from w2v.losses.math.products import product_dtype
from w2v.losses.math.score_sums import ScoreSums, plain_sums


def linear_cross_entropy(
    hidden: Tensor,
    weight: Tensor,
    target: Tensor,
    bias: Tensor | None = None,
    row_of: Tensor | None = None,
    *,
    smoothing: float = 0.0,
) -> Tensor:
    """Returns -sum_j q_j log softmax(hidden @ weight.T + bias)_j [N] with q = (1 - smoothing)
    onehot(target) + smoothing / V, for hidden [U, D], weight [V, D], target [N] int64 in
    0 … V - 1, bias [V] or None, row_of [N] int64 or None (target n has row n)."""
    total, score, mean = score_sums(hidden, weight, bias, target, row_of, with_mean=smoothing > 0)
    return total - score if mean is None else total - (1 - smoothing) * score - smoothing * mean


def score_sums(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    target: Tensor,
    row_of: Tensor | None = None,
    *,
    with_mean: bool = False,
    others_only: bool = False,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Returns what a loss needs from the scores z of all V classes, per target, differentiable:
    (log sum_j exp z_j [N], the target's z [N], with_mean: mean_j z_j [N], else None).

    others_only: excludes *every* target of a hidden row from that row's log-sum-exp. The log of an
    empty sum is `floor_of(dtype)`, a very negative finite number.
    """
    # With `others_only` the loss is not linear in the log-sum-exp, so its gradient cannot be
    # computed in advance.
    ahead = torch.is_grad_enabled() and not others_only
    product = product_dtype(accumulate_dtype(hidden))
    constants = Constants(target, row_of, ahead, with_mean, others_only, product, are_trusted())
    with torch.autocast(hidden.device.type, enabled=False):
        if transformed():
            return plain_sums(constants, hidden, weight, bias)
        return ScoreSums.apply(hidden, weight, bias, constants)  # type: ignore[no-any-return, no-untyped-call]
