"""Linear layer + cross-entropy in one, without ever holding the scores [N, V] of all targets.

    z = hidden @ weight.T + bias                           # [U, V], a few rows or columns at a time
    loss[n] = log sum_j exp z[u, j] - (1 - a) z[u, t] - a mean_j z[u, j],
    u = row_of[n], t = target[n], a = smoothing

    loss = linear_cross_entropy(hidden, weight, target)              # [N] nats
    loss.mean().backward()

Two ways to the gradients. When every target's loss is going to be weighted alike, as by `mean()`
and `sum()`, the gradients of the log-sum-exp are made in the forward pass while the exponentials
are at hand (three matrix products in all), and the backward pass multiplies them by that weight.
When the weights turn out to differ, or are known to, or so many classes would leave only a handful
of rows at a time, the backward pass computes the scores again (four products).

N targets that share U hidden rows cost U rows of scores. Products and sums are made in float32
(float64 stays float64), also under torch.autocast; only inside `bfloat16_products` products are
not, and the loss is right to 1e-2. The idea of the forward-pass gradient: Wijmans et al. 2024,
arXiv:2411.09009; Hsu et al. 2024, arXiv:2410.10989.
"""

from __future__ import annotations

import torch
from torch import Tensor

from w2v.losses.math.blocks import Asked
from w2v.losses.math.numbers import accumulate_dtype, is_promised, transformed
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
    """-sum_j q_j log softmax(hidden @ weight.T + bias)_j with q = (1 - smoothing) onehot(target) +
    smoothing / V: [N], of hidden [U, D], weight [V, D], target [N] int64 in 0 … V - 1, bias [V] or
    None, row_of [N] int64 or None: row n."""
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
    """What a loss needs to know about the scores z of all V classes, per target and differentiable.

    Returns (log sum_j exp z_j [N], the target's z [N], with_mean: mean_j z_j [N], else None).
    others_only: leaves *every* target of a hidden row out of that row's log-sum-exp. A sum over
    nothing has the log `floor_of(dtype)`, a very negative finite number.
    """
    # What stands behind `others_only` is not linear in the log-sum-exp, so that its gradient cannot
    # be guessed.
    guess = torch.is_grad_enabled() and not others_only
    product = product_dtype(accumulate_dtype(hidden))
    asked = Asked(target, row_of, guess, with_mean, others_only, product, is_promised())
    with torch.autocast(hidden.device.type, enabled=False):
        if transformed():
            return plain_sums(asked, hidden, weight, bias)
        return ScoreSums.apply(hidden, weight, bias, asked)  # type: ignore[no-any-return, no-untyped-call]
