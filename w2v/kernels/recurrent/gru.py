"""A GRU over T places and B columns, as cuDNN and PyTorch define it (the reset gate works on the
product):

    r, z = σ(x_r + h_r), σ(x_z + h_z)     n = tanh(x_n + r · h_n)     h = (1 - z) · n + z · h_before
    x_. = x W_ih' + b_ih (for r and z with b_hh)    h_. = h_before W_hh' (h_n with b_hh)

The products with x and the gradients of the weights are made elsewhere, for all places at once;
here is what has to go place by place. The gates of 16 units are finished where their sums come out
of the registers. The backward pass leaves two sets of gradients, of x_. and of h_.: they differ in
the third alone. Columns do not depend on each other: each thread takes some through all places.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from numba import int64, njit

from w2v.kernels.cpu import vector
from w2v.kernels.cpu.vector import add, fma, load, multiply, subtract
from w2v.kernels.recurrent import product
from w2v.kernels.recurrent.product import (
    less_product,
    less_square,
    load_first,
    multiply_rows,
    sigmoid,
    store_first,
    tanh,
    tile_end,
)

FORWARD_ROWS = 8  # 24 sums of 16 lanes beside 3 weights: 27 of 32 registers
BACKWARD_ROWS = 12
SCRATCH = 24 * 16  # floats for the sums of a tile


@cache
def kernels() -> tuple[Callable[..., None], Callable[..., None]]:
    """Returns the forward and the backward pass.

    Both take the places T, the columns B, the units H and the addresses of contiguous float32
    arrays, and work on the columns begin … end - 1.
        gates [T · B, 3H]: x_. before the forward pass, the gates after it.
        h [T + 1, B, H]: the start state, then the state after every place.
        inner [T, B, H]: h_n. bias [H]: its part of b_hh. panels: W_hh, see `product`.
        dy [T, B, H], dh [B, H]: gradients of the outputs and of the last state; dh becomes what the
        start state gets beside dgates W_hh. dgates, dinput [T · B, 3H]: gradients of h_. and of x_.
    """
    # Frozen into the functions, the digest keeps Numba's cache, which looks at this file alone,
    # from serving machine code with older helpers.
    sources = b"".join(Path(str(module.__file__)).read_bytes() for module in (vector, product))
    SOURCE = int.from_bytes(hashlib.sha256(sources).digest()[:7], "big")

    @njit(nogil=True, boundscheck=False, cache=True)
    def forward(places, columns, units, gates, h, inner, panels, bias, begin, end):  # type: ignore[no-untyped-def]
        _ = SOURCE
        row, state = 4 * units, 4 * columns * units
        scratch = np.empty(SCRATCH, np.float32)
        sums_at = int64(scratch.ctypes.data)
        for place in range(places):
            for unit in range(0, units, 16):
                panel, count = panels + unit * units * 12, min(16, units - unit)
                first = begin
                while first < end:
                    stop = tile_end(first, end, FORWARD_ROWS)
                    before, rows = h + place * state + first * row, stop - first
                    multiply_rows(FORWARD_ROWS, 3, rows, before, row, panel, units, sums_at)
                    for r in range(first, stop):
                        sums, at = sums_at + (r - first) * 192, place * state + r * row + unit * 4
                        gate = gates + (place * columns + r) * 3 * row + unit * 4
                        recurrent = add(load(sums + 128), load_first(bias + unit * 4, count))
                        reset = sigmoid(add(load_first(gate, count), load(sums)))
                        update = sigmoid(add(load_first(gate + row, count), load(sums + 64)))
                        new = tanh(fma(reset, recurrent, load_first(gate + 2 * row, count)))
                        old = load_first(h + at, count)
                        store_first(gate, count, reset)
                        store_first(gate + row, count, update)
                        store_first(gate + 2 * row, count, new)
                        store_first(inner + at, count, recurrent)
                        store_first(h + state + at, count, fma(update, subtract(old, new), new))
                    first = stop

    @njit(nogil=True, boundscheck=False, cache=True)
    def backward(  # type: ignore[no-untyped-def]
        places, columns, units, gates, h, inner, panels, dy, dh, dgates, dinput, begin, end
    ):
        _ = SOURCE
        row, state = 4 * units, 4 * columns * units
        scratch = np.empty(SCRATCH, np.float32)
        sums_at = int64(scratch.ctypes.data)
        for place in range(places - 1, -1, -1):
            for unit in range(0, units, 16):
                panel, count = panels + unit * units * 12, min(16, units - unit)
                first = begin
                while first < end:
                    stop = tile_end(first, end, BACKWARD_ROWS)
                    if place + 1 < places:
                        later = dgates + ((place + 1) * columns + first) * 3 * row
                        rows, long = stop - first, 3 * units
                        multiply_rows(BACKWARD_ROWS, 1, rows, later, 3 * row, panel, long, sums_at)
                    for r in range(first, stop):
                        here = r * row + unit * 4
                        at = place * state + here
                        offset = (place * columns + r) * 3 * row + unit * 4
                        gate, dgate, dx = gates + offset, dgates + offset, dinput + offset
                        reset, update = load_first(gate, count), load_first(gate + row, count)
                        new = load_first(gate + 2 * row, count)
                        dstate = add(load_first(dy + at, count), load_first(dh + here, count))
                        if place + 1 < places:
                            dstate = add(dstate, load(sums_at + (r - first) * 64))
                        kept = multiply(dstate, update)
                        dn = multiply(subtract(dstate, kept), less_square(new))
                        through = multiply(dn, load_first(inner + at, count))
                        dr = multiply(through, less_product(reset))
                        change = subtract(load_first(h + at, count), new)
                        dz = multiply(multiply(dstate, change), less_product(update))
                        store_first(dgate, count, dr)
                        store_first(dgate + row, count, dz)
                        store_first(dgate + 2 * row, count, multiply(dn, reset))
                        store_first(dx, count, dr)
                        store_first(dx + row, count, dz)
                        store_first(dx + 2 * row, count, dn)
                        store_first(dh + here, count, kept)
                    first = stop

    return forward, backward
