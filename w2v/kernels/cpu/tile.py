"""The arithmetic of one window: C hidden rows x R output rows, R in tiles of T rows (the last one
padded), C in groups of Q.

With hidden rows x[q], output rows w[k] and the residuals g[q, k] of the link
(`w2v.kernels.cpu.links`):

    scores s[q, k] = x[q]·w[k]
    x[q] += Σ_k g[q, k] · w[k]               w[k] += Σ_q g[q, k] · x[q]

all scores are taken from the state at the window's start. Score tiles lie as 16 lanes, lane q·T +
k; T·Q <= 16. `size` is a row's length in bytes, a multiple of 64. T and Q arrive as the lengths of
tuples, so that every loop over them has a constant length and the tuples stay in registers.

Skip-gram: the hidden rows are the context words' input rows. CBOW: there is one, their mean or sum,
and what would be added to it is added to the input rows instead.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numba.cpython.unsafe.tuple import tuple_setitem

from w2v.kernels.cpu.lanes import transposed_sum
from w2v.kernels.cpu.vector import add, fma, load, load_spread, multiply, read_long, spread, store


@njit(nogil=True, boundscheck=False, forceinline=True)
def score_tile(sums: Any, columns: Any, hidden: int, rows: int, size: int) -> Any:
    """16 lanes of scores: Q hidden rows from address `hidden`, T output rows whose addresses stand
    at `rows`.

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
def update_tile(
    columns: Any, gradients: Any, read: Any, write: Any, groups_of: Any, hidden: int, targets: int,
    contexts: int, sources: int, rows: int, scores: int, size: int,
) -> None:  # fmt: skip
    """Adds g·w to the `contexts` rows whose addresses stand at `targets` and g·x to the T output
    rows; x are the copies at address `hidden`, g the residuals at `scores`.

    columns, gradients: T zero vectors; read, write: T zeros; groups_of: a tuple of length Q.
    sources: where the output rows' values at the window's start stand (the rows themselves, or
    copies of them). An output row that stands twice gets both updates.
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
            # two sums: a sum's next term has to wait for its last one
            y, z = (load(target), spread(np.float32(0)))
            for k in range(width):
                g = load_spread(residual + 4 * k)
                if k % 2:
                    y = fma(g, columns[k], y)
                else:
                    z = fma(g, columns[k], z)
                gradients = tuple_setitem(gradients, k, fma(g, x, gradients[k]))
            store(target, add(y, z))
        for k in range(width):
            store(write[k] + d, add(load(write[k] + d), gradients[k]))


@njit(nogil=True, boundscheck=False, forceinline=True)
def gather_contexts(hidden: int, rows: int, contexts: int, scale: Any, size: int) -> None:
    """The row at `hidden` = scale · sum of the `contexts` rows whose addresses stand at `rows`; the
    row after it, which collects its gradient, becomes 0."""
    factor, zero = spread(scale), spread(np.float32(0))
    for d in range(0, size, 64):
        total = zero
        for q in range(contexts):
            total = add(total, load(read_long(rows + 8 * q) + d))
        store(hidden + d, multiply(factor, total))
        store(hidden + size + d, zero)


@njit(nogil=True, boundscheck=False, forceinline=True)
def gather_weighted(
    hidden: int, rows: int, weights: int, contexts: int, scale: Any, size: int
) -> None:
    """As `gather_contexts`, each row times the float32 at its place from address `weights` on."""
    factor, zero = spread(scale), spread(np.float32(0))
    for d in range(0, size, 64):
        total = zero
        for q in range(contexts):
            total = fma(load_spread(weights + 4 * q), load(read_long(rows + 8 * q) + d), total)
        store(hidden + d, multiply(factor, total))
        store(hidden + size + d, zero)


@njit(nogil=True, boundscheck=False, forceinline=True)
def scatter_gradient(hidden: int, rows: int, contexts: int, scale: Any, size: int) -> None:
    """Each of the `contexts` rows += scale · the row after `hidden`; one that stands twice gets it
    twice."""
    factor = spread(scale)
    for d in range(0, size, 64):
        change = multiply(factor, load(hidden + size + d))
        for q in range(contexts):
            row = read_long(rows + 8 * q) + d
            store(row, add(load(row), change))
