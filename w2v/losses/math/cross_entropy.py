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

from w2v.losses.base import accumulate_dtype, checked_classes
from w2v.losses.math.products import product_dtype
from w2v.losses.math.score_sums import ScoreSums


def linear_cross_entropy(
    hidden: Tensor,
    weight: Tensor,
    target: Tensor,
    bias: Tensor | None = None,
    row_of: Tensor | None = None,
    *,
    smoothing: float = 0.0,
    ignore_index: int | None = None,
) -> Tensor:
    """-sum_j q_j log softmax(hidden @ weight.T + bias)_j with q = (1 - smoothing) onehot(target) +
    smoothing / V: [N].

    Args:
        hidden: [U, D].
        weight: [V, D].
        target: [N] or [N, 1] classes.
        bias: [V] or None.
        row_of: [N], the hidden row of every target; None: row n.
        smoothing: share of the probability spread evenly over all V classes, the target's included.
        ignore_index: targets of this value have loss 0 and no gradient.

    Raises:
        ValueError: shapes do not fit, a class is outside 0 … V - 1, smoothing is outside 0 … 1.
    """
    check_smoothing(smoothing)
    if target.dim() == 2 and target.shape[1] == 1:
        target = target[:, 0]
    target, valid = checked_classes(target, len(weight), ignore_index)
    total, score, mean = score_sums(
        hidden, weight, bias, target, row_of, valid=valid, with_mean=smoothing > 0
    )
    loss = total - score if mean is None else total - (1 - smoothing) * score - smoothing * mean
    return loss if valid is None else torch.where(valid, loss, 0)


def check_smoothing(smoothing: float) -> None:
    """Raises ValueError when smoothing is outside 0 … 1."""
    if not 0 <= smoothing <= 1:
        raise ValueError(f"smoothing is {smoothing}, it must lie in 0 to 1")


def all_scores(hidden: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """hidden @ weight.T + bias [U, V] in float32 (float64 stays), also under autocast."""
    dtype = accumulate_dtype(hidden)
    with torch.autocast(hidden.device.type, enabled=False):
        return torch.nn.functional.linear(
            hidden.to(dtype), weight.to(dtype), None if bias is None else bias.to(dtype)
        )


def score_sums(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    target: Tensor,
    row_of: Tensor | None = None,
    *,
    valid: Tensor | None = None,
    with_mean: bool = False,
    others_only: bool = False,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """What a loss needs to know about the scores z of all V classes, per target and differentiable.

    Args:
        hidden, weight, bias, row_of: as in `linear_cross_entropy`.
        target: [N], all of them in 0 … V - 1.
        valid: [N] bool, the targets whose loss counts; None: all. Only a guess at the gradient that
            will come.
        with_mean: whether to give the third result.
        others_only: leave *every* target of a hidden row out of that row's log-sum-exp.

    Returns:
        (log sum_j exp z_j [N], the target's z [N], mean_j z_j [N] or None). A sum over nothing has
            the log
        `floor_of(dtype)`, a very negative finite number.

    Raises:
        ValueError: the shapes of hidden, weight, bias, target and row_of do not fit.
    """
    check_shapes(hidden, weight, bias, target, row_of)
    # What stands behind `others_only` is not linear in the log-sum-exp, so that its gradient cannot
    # be guessed.
    eager = torch.is_grad_enabled() and not others_only
    product = product_dtype(accumulate_dtype(hidden))
    target, row_of = target.long(), None if row_of is None else row_of.long()
    with torch.autocast(hidden.device.type, enabled=False):
        return ScoreSums.apply(
            hidden, weight, bias, target, row_of, valid, eager, with_mean, others_only, product
        )


def check_shapes(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, target: Tensor, row_of: Tensor | None
) -> None:
    """Raises ValueError unless hidden [U, D], weight [V, D], bias [V], target [N], row_of [N]
    (None: N = U) fit."""
    if hidden.dim() != 2 or weight.dim() != 2 or hidden.shape[1] != weight.shape[1]:
        raise ValueError(
            f"hidden has shape {list(hidden.shape)} and weight {list(weight.shape)}, they must be"
            " [N, D] and [V, D]"
        )
    if bias is not None and tuple(bias.shape) != (len(weight),):
        raise ValueError(f"bias has shape {list(bias.shape)}, it must be [{len(weight)}]")
    if target.dim() != 1:
        raise ValueError(f"targets have shape {list(target.shape)}, they must be [N] or [N, 1]")
    if row_of is None and len(target) != len(hidden):
        raise ValueError(
            f"there are {len(target)} targets for {len(hidden)} hidden rows; row_of says which is"
            " whose"
        )
    if row_of is not None:
        if tuple(row_of.shape) != tuple(target.shape):
            raise ValueError(
                f"row_of has shape {list(row_of.shape)}, it must be [{len(target)}], one per target"
            )
        if len(row_of) and not (int(row_of.min()) >= 0 and int(row_of.max()) < len(hidden)):
            raise ValueError(
                f"row_of ranges from {int(row_of.min())} to {int(row_of.max())}, it must lie in 0"
                f" to {len(hidden) - 1}"
            )
