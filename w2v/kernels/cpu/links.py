"""From scores to residuals and loss: the link functions.

For a hidden row with scores s_k (offsets added), labels y_k and 0/1 weights that silence padding
and hits:

    logistic        loss = Σ_k softplus(s_k) - y_k · s_k    residual g_k = lr · (y_k - sigmoid(s_k))
    cross-entropy   loss = log Σ_k exp(s_k) - s_target    g_k = lr · (y_k - exp(s_k) / Σ_j exp(s_j))

A tally travels through all windows of a block: (linear part of the loss, a product whose logarithm
is the rest, how many factors it has, loss so far in float64), so that a logarithm is taken once for
many windows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import int64, njit

from w2v.kernels.cpu.lanes import (
    any_outside,
    lane_product,
    lane_sum,
    load_tile,
    segment_first,
    segment_sum,
)
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

# 1 + exp(-|s|) <= 2: 60 factors a lane keep a lane below 2^60 and the product of the 16 lanes below
# 2^960, inside float64.
FACTORS = 60
# nats by which a noise word's score is above the target's, for its residual; in the loss all that
# is more adds to it, so that a run which diverges is known by it
MOST = np.float32(50)
LARGE = np.float32(2.0**30)  # a product of sums, each up to rows · e^50 = rows · 2^73


@njit(nogil=True, boundscheck=False, forceinline=True)
def logistic_residuals(
    scores: int, groups: int, labels: Any, offsets: Any, weights: Any, last: Any, lr: Any, sums: Any
) -> Any:
    """Scores become residuals in place, `groups` vectors of them from address `scores`; returns the
    tally with the loss added.

    labels, offsets, weights: the tile's, by lane. last: the weights of the last group, which may be
    short of hidden rows.
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
        # label · s also carries a NaN or infinity into the loss, which `where_positive` would hide.
        linear = fma(weight, subtract(where_positive(s, s, zero), multiply(labels, s)), linear)
        product = multiply(product, fma(e, weight, one))
        factors += 1
        if factors == FACTORS:
            loss += lane_sum(linear) + np.log(lane_product(product))
            linear, product, factors = zero, one, int64(0)
    return linear, product, factors, loss


@njit(nogil=True, boundscheck=False, forceinline=True)
def cross_entropy_residuals(
    columns: Any, sums: Any, scores: int, stride: int, tiles: int, groups: int, labels: int,
    offsets: int, weights: int, last: Any, lr: Any, tally: Any,
) -> Any:  # fmt: skip
    """Scores become residuals in place, for all tiles of a window: tile i's `groups` vectors stand
    from scores + i · stride.

    The target's score is subtracted from all, so that the loss is the logarithm of their
    exponentials' sum. (To subtract the highest instead takes twice as many steps across lanes.)
    columns, sums: tuples of T and T·Q vectors. labels, offsets, weights: addresses, 32 bytes a
    tile; the target is the first row of the first. last: 1 in the lanes of the last group's hidden
    rows.
    """
    linear, product, factors, loss = tally
    one, zero, most = spread(np.float32(1)), spread(np.float32(0)), spread(MOST)
    weights_0, offsets_0 = load_tile(weights, columns, sums), load_tile(offsets, columns, sums)
    labels_0, rate_0 = load_tile(labels, columns, sums), spread(lr)
    # of hidden rows that are not there, whatever their scores are, nothing is learnt
    labels_1, rate_1 = multiply(labels_0, last), multiply(rate_0, last)
    for group in range(groups):
        label = labels_1 if group == groups - 1 else labels_0
        rate = rate_1 if group == groups - 1 else rate_0
        place = scores + group * 64
        s = add(load(place), offsets_0)
        target = segment_first(s, columns, sums)
        above, live = subtract(s, target), last if group == groups - 1 else one
        bounded, silent = minimum(most, above), weights_0
        linear = fma(multiply(silent, live), subtract(above, bounded), linear)
        e = multiply(exp(bounded), silent)
        total = e
        for tile in range(1, tiles):  # noise words only
            at = scores + tile * stride + group * 64
            above = subtract(add(load(at), load_tile(offsets + tile * 32, columns, sums)), target)
            silent = load_tile(weights + tile * 32, columns, sums)
            bounded = minimum(most, above)
            linear = fma(multiply(silent, live), subtract(above, bounded), linear)
            other = multiply(exp(bounded), silent)
            total = add(total, other)
            store(at, other)
        total = segment_sum(total, columns, sums)
        factor = divide(rate, total)
        store(place, subtract(multiply(label, rate), multiply(e, factor)))
        for tile in range(1, tiles):
            at = scores + tile * stride + group * 64
            store(at, subtract(zero, multiply(load(at), factor)))
        product = multiply(product, fma(label, subtract(total, one), one))
        if any_outside(product, LARGE):
            loss += np.log(lane_product(product))
            product = one
    return linear, product, factors, loss
