"""LSTM over T places and B columns:

    i, f, o = σ(z_i), σ(z_f), σ(z_o)     g = tanh(z_g)     z = x W_ih' + b + h_before W_hh'
    c = f · c_before + i · g             h = o · tanh(c)

The products with x and the weights' gradients are made elsewhere, for all places at once; here is
what has to go place by place. The gates of 16 units are finished where their sums come out of the
registers.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from numba import cfunc, int64, njit, types

from w2v.kernels.cpu.vector import add, fma, load, multiply
from w2v.kernels.recurrent.job import SCRATCH, read_job, source_digest, take_ticket
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

FORWARD_ROWS = 6  # 24 sums of 16 lanes beside 4 weights: 28 of 32 registers
BACKWARD_ROWS = 12


@njit(nogil=True, boundscheck=False)
def _forward_panel(
    j: Any, scratch: int, place: int, begin: int, end: int, unit: int, panel: int
) -> None:
    row = int64(4) * j.units
    state = j.columns * row
    count = min(int64(16), j.units - unit)
    while begin < end:
        stop = tile_end(begin, end, int64(FORWARD_ROWS))
        before = j.h + place * state + begin * row
        multiply_rows(FORWARD_ROWS, 4, stop - begin, before, row, panel, j.units, scratch)
        for r in range(begin, stop):
            sums = scratch + (r - begin) * int64(256)
            z = j.gates + (place * j.columns + r) * int64(4) * row + unit * int64(4)
            at = place * state + r * row + unit * int64(4)
            i = sigmoid(add(load_first(z, count), load(sums)))
            f = sigmoid(add(load_first(z + row, count), load(sums + 64)))
            g = tanh(add(load_first(z + 2 * row, count), load(sums + 128)))
            o = sigmoid(add(load_first(z + 3 * row, count), load(sums + 192)))
            c = fma(f, load_first(j.inner + at, count), multiply(i, g))
            store_first(z, count, i)
            store_first(z + row, count, f)
            store_first(z + 2 * row, count, g)
            store_first(z + 3 * row, count, o)
            store_first(j.inner + state + at, count, c)
            store_first(j.h + state + at, count, multiply(o, tanh(c)))
        begin = stop


@njit(nogil=True, boundscheck=False)
def _backward_panel(
    j: Any, scratch: int, place: int, begin: int, end: int, unit: int, panel: int
) -> None:
    row = int64(4) * j.units
    state = j.columns * row
    count = min(int64(16), j.units - unit)
    while begin < end:
        stop = tile_end(begin, end, int64(BACKWARD_ROWS))
        if place + int64(1) < j.places:
            after = j.dgates + ((place + int64(1)) * j.columns + begin) * int64(4) * row
            multiply_rows(
                BACKWARD_ROWS, 1, stop - begin, after, 4 * row, panel, 4 * j.units, scratch
            )
        for r in range(begin, stop):
            here = r * row + unit * int64(4)
            at = place * state + here
            z = (place * j.columns + r) * int64(4) * row + unit * int64(4)
            i, f = load_first(j.gates + z, count), load_first(j.gates + z + row, count)
            g, o = (
                load_first(j.gates + z + 2 * row, count),
                load_first(j.gates + z + 3 * row, count),
            )
            squashed = tanh(load_first(j.inner + state + at, count))
            if place + int64(1) < j.places:
                dh = add(load_first(j.dy + at, count), load(scratch + (r - begin) * int64(64)))
            else:
                dh = add(load_first(j.dy + at, count), load_first(j.dh + here, count))
            dc = fma(multiply(dh, o), less_square(squashed), load_first(j.dc + here, count))
            store_first(j.dgates + z, count, multiply(multiply(dc, g), less_product(i)))
            df = multiply(dc, load_first(j.inner + at, count))
            store_first(j.dgates + z + row, count, multiply(df, less_product(f)))
            store_first(j.dgates + z + 2 * row, count, multiply(multiply(dc, i), less_square(g)))
            store_first(
                j.dgates + z + 3 * row, count, multiply(multiply(dh, squashed), less_product(o))
            )
            store_first(j.dc + here, count, multiply(dc, f))
        begin = stop


@cache
def kernels() -> tuple[int, int]:
    """Addresses of the compiled forward and backward pass over a Job (see job.py)."""
    SOURCE = source_digest()

    @cfunc(types.void(types.voidptr), cache=True)
    def forward(pointer: Any) -> None:
        """Fills gates, h and inner of the Job at `pointer`."""
        _ = SOURCE
        j = read_job(pointer)
        share = take_ticket(j.ticket)
        while share < j.shares:
            begin, end = share * j.columns // j.shares, (share + int64(1)) * j.columns // j.shares
            scratch = j.scratch + share * int64(4 * SCRATCH)
            for place in range(j.places):
                for unit in range(int64(0), j.units, int64(16)):
                    panel = j.panels + unit * j.units * int64(16)
                    _forward_panel(j, scratch, place, begin, end, unit, panel)
            share = take_ticket(j.ticket)

    @cfunc(types.void(types.voidptr), cache=True)
    def backward(pointer: Any) -> None:
        """Fills dgates and dc of the Job at `pointer`; the start state's gradient is dgates[0]
        W_hh."""
        _ = SOURCE
        j = read_job(pointer)
        share = take_ticket(j.ticket)
        while share < j.shares:
            begin, end = share * j.columns // j.shares, (share + int64(1)) * j.columns // j.shares
            scratch = j.scratch + share * int64(4 * SCRATCH)
            for place in range(j.places - int64(1), int64(-1), int64(-1)):
                for unit in range(int64(0), j.units, int64(16)):
                    panel = j.panels + unit * j.units * int64(16)
                    _backward_panel(j, scratch, place, begin, end, unit, panel)
            share = take_ticket(j.ticket)

    return forward.address, backward.address
