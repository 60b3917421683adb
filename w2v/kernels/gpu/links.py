"""The link functions: they turn the scores of C hidden rows and R output rows into residuals and
losses.

For a hidden row with scores s_k (including offsets) and labels y_k (1 for the target, else 0):

    logistic        loss = Σ_k softplus(s_k) - y_k · s_k    residual y_k - sigmoid(s_k)
    cross-entropy   loss = log Σ_k exp(s_k) - s_target      residual y_k - exp(s_k) / Σ_j exp(s_j)

`active` [C, R] is False for padding and for noise words that are left out; their residuals and
losses are 0. labels [1, R]. If an active score is NaN or infinite, so is the loss.
"""

from __future__ import annotations

import triton
import triton.language as tl

# Limit in nats on how far a noise word's score may exceed the target's in the residual. In the loss
# the excess is added linearly, so that a diverging run is detected.
MAX_EXCESS = tl.constexpr(50.0)


@triton.jit
def logistic(s, labels, active):
    """Returns (residuals [C, R], losses [C, R]) of the logistic link."""
    e = tl.exp(-tl.abs(s))
    probability = tl.where(s >= 0, 1.0, e) / (1.0 + e)
    losses = tl.where(s >= 0, s, 0.0) - labels * s + tl.log(1.0 + e)
    return tl.where(active, labels - probability, 0.0), tl.where(active, losses, 0.0)


@triton.jit
def cross_entropy(s, labels, active):
    """Returns (residuals [C, R], losses [C, R]) of the cross-entropy link. The losses of a hidden
    row sum to its loss; its logarithm stands in the target's column."""
    is_target = labels > 0
    e, excess = exponentials(s, tl.sum(tl.where(is_target, s, 0.0), 1), active)
    total = tl.maximum(tl.sum(e, 1), 1.0)  # the target's own term is 1
    losses = excess + tl.where(active & is_target, tl.log(total)[:, None], 0.0)
    return softmax_residuals(e, total, labels, active), losses


@triton.jit
def exponentials(s, target, active):
    """Returns (exp(min(s - target, MAX_EXCESS)) [C, R], the part of s - target above MAX_EXCESS
    [C, R]), where target [C] holds the targets' scores."""
    above = s - target[:, None]
    bounded = tl.minimum(above, MAX_EXCESS)
    return tl.where(active, tl.exp(bounded), 0.0), tl.where(active, above - bounded, 0.0)


@triton.jit
def softmax_residuals(e, total, labels, active):
    """Returns the residuals [C, R] of cross-entropy from the exponentials [C, R] and their sums
    [C]."""
    return tl.where(active, labels - e / total[:, None], 0.0)


@triton.jit
def add_losses(sums, losses):
    """Returns `sums` with losses [C, R] added. `sums` is a pair: the sum, and the rounding error
    that it contains (Kahan summation), so that the error does not grow with the number of
    windows."""
    losses = tl.sum(tl.sum(losses, 1), 0) - sums[1]
    total = sums[0] + losses
    return total, (total - sums[0]) - losses
