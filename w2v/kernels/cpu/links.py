"""The link functions, which turn scores into residuals and loss.

For a hidden row with scores s_k (including offsets), labels y_k and weights 0 or 1, which are 0 for
padding and hits:

    logistic        loss = Σ_k softplus(s_k) - y_k · s_k    residual g_k = lr · (y_k - sigmoid(s_k))
    cross-entropy   loss = log Σ_k exp(s_k) - s_target    g_k = lr · (y_k - exp(s_k) / Σ_j exp(s_j))

A tally is passed through all windows of a block: (linear part of the loss, a product whose log is
the rest of the loss, the number of its factors, the loss so far in float64). In this way many
windows share one logarithm.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import int64

from w2v.kernels.cpu.lanes import (
    any_outside,
    lane_product,
    lane_sum,
    load_tile,
    segment_first,
    segment_sum,
)
from w2v.kernels.cpu.parts import inlined
from w2v.kernels.cpu.vector import (
    add,
    divide,
    exp,
    fma,
    load,
    minimum,
    multiply,
    negative_abs,
    spread,
    store,
    subtract,
    where_positive,
)

# 1 + exp(-|s|) <= 2: with 60 factors a lane stays below 2^60 and the product of the 16 lanes below
# 2^960, which float64 can hold.
FACTORS = 60
# limit in nats on how far a noise word's score exceeds the target's, for the residual; in the loss
# the excess is added linearly, so that a diverging run is detected
MAX_EXCESS = np.float32(50)
# The log of the product is taken when a lane exceeds this. A factor is at most rows · e^50, about
# rows · 2^73.
LARGE = np.float32(2.0**30)


@inlined
def logistic_residuals(
    scores: int, groups: int, labels: Any, offsets: Any, weights: Any, last: Any, lr: Any, sums: Any
) -> Any:
    """Replaces scores by residuals in place, in `groups` vectors from address `scores`; returns the
    tally with the loss added.

    labels, offsets, weights: of the tile, by lane. last: the weights of the last group, which may
    have fewer hidden rows.
    """
    linear, product, factors, loss = sums
    one, zero = spread(np.float32(1)), spread(np.float32(0))
    rate = spread(lr)
    for group in range(groups):
        weight = last if group == groups - 1 else weights
        s = add(load(scores + group * 64), offsets)
        e = exp(negative_abs(s))
        denominator = add(one, e)
        probability = divide(where_positive(s, one, e), denominator)
        store(scores + group * 64, multiply(subtract(labels, probability), multiply(weight, rate)))
        # the term label · s passes NaN or infinity on to the loss, where `where_positive` would not
        linear = fma(weight, subtract(where_positive(s, s, zero), multiply(labels, s)), linear)
        product = multiply(product, fma(e, weight, one))
        factors += 1
        if factors == FACTORS:
            loss += lane_sum(linear) + np.log(lane_product(product))
            linear, product, factors = zero, one, int64(0)
    return linear, product, factors, loss


@inlined
def cross_entropy_residuals(
    columns: Any, sums: Any, scores: int, stride: int, tiles: int, groups: int, labels: int,
    offsets: int, weights: int, last: Any, lr: Any, tally: Any,
) -> Any:  # fmt: skip
    """Replaces scores by residuals in place for all tiles of a window; the `groups` vectors of tile
    i start at scores + i · stride.

    The target's score is subtracted from all scores, so that the loss is the log of the sum of
    their exponentials. (Subtracting the maximum would need twice as many operations across lanes.)
    columns, sums: tuples of T and T·Q vectors. labels, offsets, weights: addresses, 32 bytes per
    tile; the target is the first row of the first tile. last: 1 in the lanes of hidden rows that
    exist in the last group.
    """
    linear, product, factors, loss = tally
    one, zero, most = spread(np.float32(1)), spread(np.float32(0)), spread(MAX_EXCESS)
    weights_0, offsets_0 = load_tile(weights, columns, sums), load_tile(offsets, columns, sums)
    labels_0, rate_0 = load_tile(labels, columns, sums), spread(lr)
    # hidden rows that do not exist must have no effect, whatever their scores are
    labels_1, rate_1 = multiply(labels_0, last), multiply(rate_0, last)
    for group in range(groups):
        label = labels_1 if group == groups - 1 else labels_0
        rate = rate_1 if group == groups - 1 else rate_0
        first_tile = scores + group * 64
        s = add(load(first_tile), offsets_0)
        target = segment_first(s, columns, sums)
        above, live = subtract(s, target), last if group == groups - 1 else one
        bounded, weight = minimum(most, above), weights_0
        linear = fma(multiply(weight, live), subtract(above, bounded), linear)
        e = multiply(exp(bounded), weight)
        total = e
        for tile in range(1, tiles):  # noise words only
            at = scores + tile * stride + group * 64
            above = subtract(add(load(at), load_tile(offsets + tile * 32, columns, sums)), target)
            weight = load_tile(weights + tile * 32, columns, sums)
            bounded = minimum(most, above)
            linear = fma(multiply(weight, live), subtract(above, bounded), linear)
            other = multiply(exp(bounded), weight)
            total = add(total, other)
            store(at, other)
        total = segment_sum(total, columns, sums)
        factor = divide(rate, total)
        store(first_tile, subtract(multiply(label, rate), multiply(e, factor)))
        for tile in range(1, tiles):
            at = scores + tile * stride + group * 64
            store(at, subtract(zero, multiply(load(at), factor)))
        product = multiply(product, fma(label, subtract(total, one), one))
        if any_outside(product, LARGE):
            loss += np.log(lane_product(product))
            product = one
    return linear, product, factors, loss
