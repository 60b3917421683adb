"""The arithmetic of one window: C hidden rows x R output rows, scored in tiles of T output rows
(the last one padded) x Q hidden rows.

With hidden rows x[q], output rows w[k] and the residuals g[q, k] of the link
(`w2v.kernels.cpu.links`):

    scores s[q, k] = x[q]·w[k]
    x[q] += Σ_k g[q, k] · w[k]               w[k] += Σ_q g[q, k] · x[q]

where all scores are computed from the state at the start of the window. A score tile is a vector of
16 lanes, with s[q, k] in lane q·T + k; T·Q <= 16. `size` is the length of a row in bytes, a
multiple of 64. T, Q and U, the number of output rows that are updated together, are passed as the
lengths of tuples, so that loops over them have constant length and the tuples stay in registers.

Skip-gram: the hidden rows are the context words' input rows. CBOW: the only hidden row is their
mean or sum, and its gradient is added to the input rows instead.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.cpython.unsafe.tuple import tuple_setitem

from w2v.kernels.cpu.columns import add_columns, change, load_columns, read_addresses
from w2v.kernels.cpu.lanes import transposed_sum
from w2v.kernels.cpu.parts import inlined
from w2v.kernels.cpu.vector import add, fma, load, load_spread, multiply, read_long, spread, store


@inlined
def score_tile(sums: Any, columns: Any, origins: int, rows: int, size: int) -> Any:
    """Returns 16 lanes of scores, for Q hidden rows whose addresses are at `origins` and T output
    rows whose addresses are at `rows`.

    sums: Q·T zero vectors. columns: T zero vectors.
    """
    for d in range(0, size, 64):
        for k in range(len(columns)):
            columns = tuple_setitem(columns, k, load(read_long(rows + 8 * k) + d))
        for q in range(len(sums) // len(columns)):
            x = load(read_long(origins + 8 * q) + d)
            for k in range(len(columns)):
                lane = q * len(columns) + k
                sums = tuple_setitem(sums, lane, fma(x, columns[k], sums[lane]))
    return transposed_sum(sums)


@inlined
def update_rows(
    columns: Any, tile_of: Any, groups_of: Any, origins: int, targets: int, contexts: int,
    sources: int, rows: int, scores: int, stride: int, size: int,
) -> None:  # fmt: skip
    """Adds g·w to the `contexts` rows whose addresses are at `targets`, and g·x to U output rows;
    g are the residuals at `scores`, those of the next tile `stride` bytes later.

    columns: U zero vectors; tile_of, groups_of: tuples of lengths T and Q. origins, sources:
    addresses of the hidden and output rows' values at the start of the window (the rows themselves
    or copies). A row that occurs twice gets both updates; of a hidden row, all but the first
    occurrence need a copy.
    """
    width, group = len(tile_of), len(groups_of)
    read, write = read_addresses(columns, sources), read_addresses(columns, rows)
    for d in range(0, size, 64):
        values, gradients = load_columns(read, d), columns
        for q in range(contexts):
            residuals = scores + q // group * 64 + q % group * (4 * width)
            x = load(read_long(origins + 8 * q) + d)
            target = read_long(targets + 8 * q) + d
            y, gradients = change(values, gradients, tile_of, residuals, stride, x, load(target))
            store(target, y)
        add_columns(write, d, gradients)


@inlined
def gather_contexts(hidden: int, rows: int, contexts: int, scale: Any, size: int) -> None:
    """Writes scale · sum of the `contexts` rows whose addresses are at `rows` to `hidden`, and sets
    the row after it, which accumulates the gradient, to 0."""
    factor, zero = spread(scale), spread(np.float32(0))
    for d in range(0, size, 64):
        total = zero
        for q in range(contexts):
            total = add(total, load(read_long(rows + 8 * q) + d))
        store(hidden + d, multiply(factor, total))
        store(hidden + size + d, zero)


@inlined
def gather_weighted(
    hidden: int, rows: int, weights: int, contexts: int, scale: Any, size: int
) -> None:
    """As `gather_contexts`, with each row multiplied by its float32 weight at `weights`."""
    factor, zero = spread(scale), spread(np.float32(0))
    for d in range(0, size, 64):
        total = zero
        for q in range(contexts):
            total = fma(load_spread(weights + 4 * q), load(read_long(rows + 8 * q) + d), total)
        store(hidden + d, multiply(factor, total))
        store(hidden + size + d, zero)


@inlined
def scatter_gradient(hidden: int, rows: int, contexts: int, scale: Any, size: int) -> None:
    """Adds scale · the row after `hidden` to each of the `contexts` rows; a row that occurs twice
    gets it twice."""
    factor = spread(scale)
    for d in range(0, size, 64):
        change = multiply(factor, load(hidden + size + d))
        for q in range(contexts):
            row = read_long(rows + 8 * q) + d
            store(row, add(load(row), change))
