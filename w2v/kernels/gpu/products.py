"""The three products of a tile: H [hidden, width] hidden rows, Y [tile, width] output rows, g
[hidden, tile] residuals.

CBOW's one hidden row is multiplied by threads, skip-gram's many by matrix units.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def scores(H, Y, shape: tl.constexpr):
    """H · Yᵀ [hidden, tile]."""
    if shape.cbow:
        s = tl.sum(H * Y, 1)[None, :]
    else:
        s = tl.trans(tl.dot(Y, tl.trans(H), input_precision=shape.precision))
    return s


@triton.jit
def for_hidden(g, Y, shape: tl.constexpr):
    """g · Y [hidden, width]."""
    if shape.cbow:
        change = tl.sum(tl.trans(g) * Y, 0, keep_dims=True)
    else:
        change = tl.dot(g, Y, input_precision=shape.precision)
        # else the matrix units would add it to the hidden rows, and they round towards zero
        change = tl.where(tl.arange(0, shape.width)[None, :] < shape.stride, change, 0.0)
    return change


@triton.jit
def for_outputs(g, H, shape: tl.constexpr):
    """gᵀ · H [tile, width]."""
    if shape.cbow:
        change = tl.trans(g) * H
    else:
        change = tl.dot(tl.trans(g), H, input_precision=shape.precision)
    return change
