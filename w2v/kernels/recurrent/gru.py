"""GRU over T places and B columns, as cuDNN and PyTorch define it (the reset gate works on the
product):

    r, z = σ(x_r + h_r), σ(x_z + h_z)     n = tanh(x_n + r · h_n)     h = (1 - z) · n + z · h_before
    x_. = x W_ih' + b_ih (for r and z with b_hh)    h_. = h_before W_hh' (h_n with b_hh)

The backward pass leaves two sets of gradients [T, B, 3H], of x_. and of h_.: they differ in the
third alone.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from numba import cfunc, int64, njit, types

from w2v.kernels.cpu.vector import add, fma, load, multiply, subtract
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

FORWARD_ROWS = 8  # 24 sums of 16 lanes beside 3 weights: 27 of 32 registers
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
        multiply_rows(FORWARD_ROWS, 3, stop - begin, before, row, panel, j.units, scratch)
        for r in range(begin, stop):
            sums = scratch + (r - begin) * int64(192)
            at = place * state + r * row + unit * int64(4)
            gates = j.gates + (place * j.columns + r) * int64(3) * row + unit * int64(4)
            recurrent = add(load(sums + 128), load_first(j.bias + unit * int64(4), count))
            reset = sigmoid(add(load_first(gates, count), load(sums)))
            update = sigmoid(add(load_first(gates + row, count), load(sums + 64)))
            new = tanh(fma(reset, recurrent, load_first(gates + 2 * row, count)))
            store_first(gates, count, reset)
            store_first(gates + row, count, update)
            store_first(gates + 2 * row, count, new)
            store_first(j.inner + at, count, recurrent)
            store_first(
                j.h + state + at,
                count,
                fma(update, subtract(load_first(j.h + at, count), new), new),
            )
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
            after = j.dgates + ((place + int64(1)) * j.columns + begin) * int64(3) * row
            multiply_rows(
                BACKWARD_ROWS, 1, stop - begin, after, 3 * row, panel, 3 * j.units, scratch
            )
        for r in range(begin, stop):
            here = r * row + unit * int64(4)
            at = place * state + here
            offset = (place * j.columns + r) * int64(3) * row + unit * int64(4)
            gates, dgates, dinput = j.gates + offset, j.dgates + offset, j.dinput + offset
            reset, update = load_first(gates, count), load_first(gates + row, count)
            new = load_first(gates + 2 * row, count)
            dh = add(load_first(j.dy + at, count), load_first(j.dh + here, count))
            if place + int64(1) < j.places:
                dh = add(dh, load(scratch + (r - begin) * int64(64)))
            kept = multiply(dh, update)
            dn = multiply(subtract(dh, kept), less_square(new))
            dr = multiply(multiply(dn, load_first(j.inner + at, count)), less_product(reset))
            dz = multiply(
                multiply(dh, subtract(load_first(j.h + at, count), new)), less_product(update)
            )
            store_first(dgates, count, dr)
            store_first(dgates + row, count, dz)
            store_first(dgates + 2 * row, count, multiply(dn, reset))
            store_first(dinput, count, dr)
            store_first(dinput + row, count, dz)
            store_first(dinput + 2 * row, count, dn)
            store_first(j.dh + here, count, kept)
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
                    panel = j.panels + unit * j.units * int64(12)
                    _forward_panel(j, scratch, place, begin, end, unit, panel)
            share = take_ticket(j.ticket)

    @cfunc(types.void(types.voidptr), cache=True)
    def backward(pointer: Any) -> None:
        """Fills dgates, dinput and dh of the Job at `pointer`; the start state's gradient is dh +
        dgates[0] W_hh."""
        _ = SOURCE
        j = read_job(pointer)
        share = take_ticket(j.ticket)
        while share < j.shares:
            begin, end = share * j.columns // j.shares, (share + int64(1)) * j.columns // j.shares
            scratch = j.scratch + share * int64(4 * SCRATCH)
            for place in range(j.places - int64(1), int64(-1), int64(-1)):
                for unit in range(int64(0), j.units, int64(16)):
                    panel = j.panels + unit * j.units * int64(12)
                    _backward_panel(j, scratch, place, begin, end, unit, panel)
            share = take_ticket(j.ticket)

    return forward.address, backward.address
