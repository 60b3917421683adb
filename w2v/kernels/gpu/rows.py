"""Reading and changing rows of a table that all programs change."""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def present(shape: tl.constexpr):
    """Which of a tile's [1, width] floats a row has."""
    return tl.arange(0, shape.width)[None, :] < shape.stride


@triton.jit
def addresses(table, index, shape: tl.constexpr):
    """Of the rows `index` ([n, 1], or one number), [n, width]; where they are `present`."""
    floats = tl.arange(0, shape.width)[None, :]
    return table.rows + index.to(tl.int64) * shape.stride + floats


@triton.jit
def read(places, there):
    """What stands at addresses now; 0 where it is not `there`. From the cache that all
    multiprocessors share: their own ones would not see what is added by reductions, and rows that
    every window uses would never leave them."""
    return tl.load(places, mask=there, other=0.0, cache_modifier=".cg")


@triton.jit
def add(places, change, there):
    """Adds without order, and without waiting. A constant `there` along a row lets four floats go
    at once."""
    tl.atomic_add(places, change, mask=there, sem="relaxed")
