"""Reads and updates rows of tables that all programs share."""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def inside_row(shape: tl.constexpr):
    """Returns a mask [1, width]: which floats of a tile's row belong to a row of the table."""
    return tl.arange(0, shape.width)[None, :] < shape.stride


@triton.jit
def row_addresses(table, index, shape: tl.constexpr):
    """Returns the addresses [n, width] of the floats of rows `index` ([n, 1] or a scalar). Only
    those in `inside_row` may be accessed."""
    floats = tl.arange(0, shape.width)[None, :]
    return table.rows + index.to(tl.int64) * shape.stride + floats


@triton.jit
def read(addresses, mask):
    """Returns the current values at the addresses, 0 where `mask` is False. They are read from the
    L2 cache, which all multiprocessors share. The multiprocessors' own L1 caches would not see what
    other programs add, and rows that every window uses would never leave them."""
    return tl.load(addresses, mask=mask, other=0.0, cache_modifier=".cg")


@triton.jit
def add(addresses, change, mask):
    """Adds `change` to the values at the addresses, atomically but in no particular order, and
    without waiting. If `mask` is constant along a row, four floats are added by one
    instruction."""
    tl.atomic_add(addresses, change, mask=mask, sem="relaxed")
