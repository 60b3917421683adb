"""The three matrix products of a tile, for hidden rows H [hidden, width], output rows Y [tile,
width] and residuals g [hidden, tile].

Skip-gram uses the GPU's matrix units. CBOW has a single hidden row, for which ordinary arithmetic
is used.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def scores(H, Y, shape: tl.constexpr):
    """Returns H · Yᵀ [hidden, tile]."""
    if shape.cbow:
        s = tl.sum(H * Y, 1)[None, :]
    else:
        s = tl.trans(tl.dot(Y, tl.trans(H), input_precision=shape.precision))
    return s


@triton.jit
def hidden_gradient(g, Y, shape: tl.constexpr):
    """Returns g · Y [hidden, width]."""
    if shape.cbow:
        change = tl.sum(column(g, shape) * Y, 0, keep_dims=True)
    else:
        change = tl.dot(g, Y, input_precision=shape.precision)
        # Without this `where`, which changes no value, Triton would let the matrix units add the
        # product to the hidden rows, and they round towards zero.
        change = tl.where(tl.arange(0, shape.width)[None, :] < shape.stride, change, 0.0)
    return change


@triton.jit
def output_gradient(g, H, shape: tl.constexpr):
    """Returns gᵀ · H [tile, width]."""
    if shape.cbow:
        change = column(g, shape) * H
    else:
        change = tl.dot(tl.trans(g), H, input_precision=shape.precision)
    return change


@triton.jit
def column(g, shape: tl.constexpr):
    """Returns gᵀ [tile, 1] of CBOW."""
    if shape.cross_entropy and shape.tiles == 1:
        # Triton would write the transpose of such residuals to shared memory `width` times.
        g = tl.sum(g, 0)[:, None]
    else:
        g = tl.trans(g)
    return g
