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
from typing import Any

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

    Arrays are float32 and contiguous; both passes work on the columns begin … end - 1.
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
    def forward(
        gates: Any, h: Any, inner: Any, panels: Any, bias: Any, begin: int, end: int
    ) -> None:
        _ = SOURCE
        places, columns, units = inner.shape
        row, state = int64(4) * units, int64(4) * columns * units
        gates_at, h_at = int64(gates.ctypes.data), int64(h.ctypes.data)
        inner_at, bias_at = int64(inner.ctypes.data), int64(bias.ctypes.data)
        panels_at = int64(panels.ctypes.data)
        scratch = np.empty(SCRATCH, np.float32)
        scratch_at = int64(scratch.ctypes.data)
        for place in range(places):
            for unit in range(int64(0), units, int64(16)):
                panel = panels_at + unit * units * int64(12)
                count = min(int64(16), units - unit)
                first = int64(begin)
                while first < end:
                    stop = tile_end(first, end, int64(FORWARD_ROWS))
                    before = h_at + place * state + first * row
                    multiply_rows(
                        FORWARD_ROWS, 3, stop - first, before, row, panel, units, scratch_at
                    )
                    for r in range(first, stop):
                        sums = scratch_at + (r - first) * int64(192)
                        at = place * state + r * row + unit * int64(4)
                        gate = gates_at + (place * columns + r) * int64(3) * row + unit * int64(4)
                        recurrent = add(
                            load(sums + 128), load_first(bias_at + unit * int64(4), count)
                        )
                        reset = sigmoid(add(load_first(gate, count), load(sums)))
                        update = sigmoid(add(load_first(gate + row, count), load(sums + 64)))
                        new = tanh(fma(reset, recurrent, load_first(gate + 2 * row, count)))
                        old = load_first(h_at + at, count)
                        store_first(gate, count, reset)
                        store_first(gate + row, count, update)
                        store_first(gate + 2 * row, count, new)
                        store_first(inner_at + at, count, recurrent)
                        after = fma(update, subtract(old, new), new)
                        store_first(h_at + state + at, count, after)
                    first = stop

    @njit(nogil=True, boundscheck=False, cache=True)
    def backward(
        gates: Any,
        h: Any,
        inner: Any,
        panels: Any,
        dy: Any,
        dh: Any,
        dgates: Any,
        dinput: Any,
        begin: int,
        end: int,
    ) -> None:
        _ = SOURCE
        places, columns, units = inner.shape
        row, state = int64(4) * units, int64(4) * columns * units
        gates_at, h_at = int64(gates.ctypes.data), int64(h.ctypes.data)
        inner_at, dy_at = int64(inner.ctypes.data), int64(dy.ctypes.data)
        dh_at, dgates_at = int64(dh.ctypes.data), int64(dgates.ctypes.data)
        dinput_at, panels_at = int64(dinput.ctypes.data), int64(panels.ctypes.data)
        scratch = np.empty(SCRATCH, np.float32)
        scratch_at = int64(scratch.ctypes.data)
        for place in range(places - int64(1), int64(-1), int64(-1)):
            for unit in range(int64(0), units, int64(16)):
                panel = panels_at + unit * units * int64(12)
                count = min(int64(16), units - unit)
                first = int64(begin)
                while first < end:
                    stop = tile_end(first, end, int64(BACKWARD_ROWS))
                    if place + int64(1) < places:
                        later = dgates_at + ((place + 1) * columns + first) * int64(3) * row
                        rows, long = stop - first, int64(3) * units
                        multiply_rows(
                            BACKWARD_ROWS, 1, rows, later, 3 * row, panel, long, scratch_at
                        )
                    for r in range(first, stop):
                        here = r * row + unit * int64(4)
                        at = place * state + here
                        offset = (place * columns + r) * int64(3) * row + unit * int64(4)
                        gate, dgate, dx = gates_at + offset, dgates_at + offset, dinput_at + offset
                        reset, update = load_first(gate, count), load_first(gate + row, count)
                        new = load_first(gate + 2 * row, count)
                        dstate = add(load_first(dy_at + at, count), load_first(dh_at + here, count))
                        if place + int64(1) < places:
                            dstate = add(dstate, load(scratch_at + (r - first) * int64(64)))
                        kept = multiply(dstate, update)
                        dn = multiply(subtract(dstate, kept), less_square(new))
                        dr = multiply(
                            multiply(dn, load_first(inner_at + at, count)), less_product(reset)
                        )
                        change = subtract(load_first(h_at + at, count), new)
                        dz = multiply(multiply(dstate, change), less_product(update))
                        store_first(dgate, count, dr)
                        store_first(dgate + row, count, dz)
                        store_first(dgate + 2 * row, count, multiply(dn, reset))
                        store_first(dx, count, dr)
                        store_first(dx + row, count, dz)
                        store_first(dx + 2 * row, count, dn)
                        store_first(dh_at + here, count, kept)
                    first = stop

    return forward, backward
