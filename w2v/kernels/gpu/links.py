"""From scores to residuals and loss, for a tile of C hidden rows and R output rows.

For a hidden row with scores s_k (offsets added) and labels y_k:

    logistic        loss = Σ_k softplus(s_k) - y_k · s_k    residual y_k - sigmoid(s_k)
    cross-entropy   loss = log Σ_k exp(s_k) - s_target      residual y_k - exp(s_k) / Σ_j exp(s_j)

`live` [C, R] silences padding and hits; labels [1, R]. A live score that is no number, or infinite,
makes the loss so.
"""

from __future__ import annotations

import triton
import triton.language as tl

# nats by which a noise word's score is above the target's, for its residual; in the loss all that
# is more adds to it, so that a run which diverges is known by it
MOST = tl.constexpr(50.0)


@triton.jit
def logistic(s, labels, live):
    """(residuals [C, R], losses [C, R])."""
    e = tl.exp(-tl.abs(s))
    probability = tl.where(s >= 0, 1.0, e) / (1.0 + e)
    losses = tl.where(s >= 0, s, 0.0) - labels * s + tl.log(1.0 + e)
    return tl.where(live, labels - probability, 0.0), tl.where(live, losses, 0.0)


@triton.jit
def cross_entropy(s, labels, live):
    """(residuals [C, R], losses [C, R]: what a row has once stands in the target's column)."""
    is_target = labels > 0
    e, cut = exponentials(s, tl.sum(tl.where(is_target, s, 0.0), 1), live)
    total = tl.maximum(tl.sum(e, 1), 1.0)  # the target's is 1
    losses = cut + tl.where(live & is_target, tl.log(total)[:, None], 0.0)
    return softened(e, total, labels, live), losses


@triton.jit
def exponentials(s, target, live):
    """(exp(s - target) with the bound [C, R], what the bound cut off [C, R]); target [C]: the
    target's score."""
    above = s - target[:, None]
    bounded = tl.minimum(above, MOST)
    return tl.where(live, tl.exp(bounded), 0.0), tl.where(live, above - bounded, 0.0)


@triton.jit
def softened(e, total, labels, live):
    """Residuals [C, R] from the exponentials [C, R] and their sums [C]."""
    return tl.where(live, labels - e / total[:, None], 0.0)


@triton.jit
def add_losses(sums, losses):
    """The sum with `losses` [C, R] added. It is a pair of numbers, the second of which is what
    rounding has added to the first (Kahan): however many windows, the error is that of one."""
    losses = tl.sum(tl.sum(losses, 1), 0) - sums[1]
    total = sums[0] + losses
    return total, (total - sums[0]) - losses
