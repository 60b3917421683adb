"""The arithmetic of one window: C hidden rows x R output rows, R in tiles of T rows (the last one padded), C in
groups of Q.

With hidden rows x[q], output rows w[k], scores s = x[q]·w[k] (+ offset), a 0/1 weight that silences padding, and the
logistic link

    loss  = softplus(s) - label · s          residual g = (label - sigmoid(s)) · lr
    x[q] += Σ_k g[q, k] · w[k]               w[k] += Σ_q g[q, k] · x[q]

all scores are taken from the state at the window's start. Score tiles lie as 16 lanes, lane q·T + k; T·Q <= 16.
`size` is a row's length in bytes, a multiple of 64. T and Q arrive as the lengths of tuples, so that every loop over
them has a constant length and the tuples stay in registers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import int64, njit
from numba.cpython.unsafe.tuple import tuple_setitem

from w2v.kernels.cpu.vector import (
    add,
    divide,
    exp_nonpositive,
    fma,
    lane_product,
    lane_sum,
    load,
    load_spread,
    multiply,
    negative_abs,
    read_long,
    spread,
    store,
    subtract,
    transposed_sum,
    where_positive,
)

# 1 + exp(-|s|) <= 2: 60 factors a lane keep a lane below 2^60 and the product of the 16 lanes below 2^960, inside
# float64.
FACTORS = 60


@njit(nogil=True, boundscheck=False, forceinline=True)
def score_tile(sums: Any, columns: Any, hidden: int, rows: int, size: int) -> Any:
    """16 lanes of scores: Q hidden rows from address `hidden`, T output rows whose addresses stand at `rows`.

    sums: Q·T zero vectors. columns: T zero vectors.
    """
    for d in range(0, size, 64):
        for k in range(len(columns)):
            columns = tuple_setitem(columns, k, load(read_long(rows + 8 * k) + d))
        for q in range(len(sums) // len(columns)):
            x = load(hidden + q * size + d)
            for k in range(len(columns)):
                lane = q * len(columns) + k
                sums = tuple_setitem(sums, lane, fma(x, columns[k], sums[lane]))
    return transposed_sum(sums)


@njit(nogil=True, boundscheck=False, forceinline=True)
def logistic_residuals(
    scores: int, groups: int, labels: Any, offsets: Any, weights: Any, last: Any, lr: Any, tally: Any
) -> Any:
    """Scores become residuals in place, `groups` vectors of them from address `scores`; returns the tally with the
    loss added.

    labels, offsets, weights: the tile's, by lane. last: the weights of the last group, which may be short of hidden
    rows.
    tally: (linear part, product of 1 + exp(-|s|), factors in it, loss in float64): log is taken once per FACTORS
    groups, in float64.
    """
    linear, product, factors, loss = tally
    one, zero = spread(np.float32(1)), spread(np.float32(0))
    rate = spread(lr)
    for group in range(groups):
        weight = last if group == groups - 1 else weights
        s = add(load(scores + group * 64), offsets)
        e = exp_nonpositive(negative_abs(s))
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
def update_tile(
    columns: Any, gradients: Any, read: Any, write: Any, groups_of: Any, hidden: int, targets: int, contexts: int,
    sources: int, rows: int, scores: int, size: int,
) -> None:  # fmt: skip
    """Adds g·w to the `contexts` rows whose addresses stand at `targets` and g·x to the T output rows; x are the
    copies at address `hidden`, g the residuals at `scores`.

    columns, gradients: T zero vectors; read, write: T zeros; groups_of: a tuple of length Q. sources: where the
    output rows' values at the window's start stand (the rows themselves, or copies of them). An output row that
    stands twice gets both updates.
    """
    width, group = len(columns), len(groups_of)
    for k in range(width):
        read = tuple_setitem(read, k, read_long(sources + 8 * k))
        write = tuple_setitem(write, k, read_long(rows + 8 * k))
    for d in range(0, size, 64):
        for k in range(width):
            columns = tuple_setitem(columns, k, load(read[k] + d))
            gradients = tuple_setitem(gradients, k, spread(np.float32(0)))
        for q in range(contexts):
            residual = scores + q // group * 64 + q % group * (4 * width)
            x = load(hidden + q * size + d)
            target = read_long(targets + 8 * q) + d
            y = load(target)
            for k in range(width):
                g = load_spread(residual + 4 * k)
                y = fma(g, columns[k], y)
                gradients = tuple_setitem(gradients, k, fma(g, x, gradients[k]))
            store(target, y)
        for k in range(width):
            store(write[k] + d, add(load(write[k] + d), gradients[k]))
