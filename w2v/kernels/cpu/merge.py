"""Thread-own rows: the copies that each thread works on, and how they are merged with the shared
rows.

If N threads change copies of a row from the same start, the sum of their changes is larger than the
same updates in sequence would have made: each thread moves the row towards its equilibrium, and N
times that distance is too far. Rows of the most frequent words and nodes near the root would
oscillate, and with many threads diverge (8 threads, hsigmoid: infinite loss within one epoch of 17
M words). So the sum is damped. If n uses of a row by one thread move it by 1 - exp(-x) of the way,
x = PULL · lr · n, then N · n uses move it by 1 - exp(-N·x), and the damping is

    (1 - exp(-N·x)) / (N · (1 - exp(-x)))  ~  (1 + x) / (1 + N·x)   1 if rare, 1 / N at the top
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import float32, int32, int64

from w2v.kernels.cpu import vector as v
from w2v.kernels.cpu.parts import inlined, part
from w2v.system.compiled import compiled

# How far one use moves a row towards its equilibrium, per unit of learning rate. As measured, rows
# still oscillate with 0.1 and 8 threads, and 1 slows down words of medium frequency.
PULL = float32(0.4)
CHUNK = 256  # rows that one thread merges at a time


@inlined
def damping(uses: float, threads: int, lr: float) -> float:
    """Returns the factor for the sum of the changes of a row by `threads` threads, if each has used
    it `uses` times."""
    x = PULL * lr * float32(uses)
    return (float32(1) + x) / (float32(1) + float32(threads) * x)


@part
def refresh(m: Any, size: int, bias: int) -> None:
    """Copies the shared rows to this thread's own rows."""
    for row in (m.input, m.ngrams, m.path, m.noise):
        v.copy_rows(row.own, row.shared, row.hot * size)
        v.copy_rows(row.base, row.shared, row.hot * size)
    if bias & 1:
        v.copy_rows(m.bias.own, m.bias.shared, m.bias.hot * 4)
        v.copy_rows(m.bias.base, m.bias.shared, m.bias.hot * 4)
    if bias & 2:
        v.copy_rows(m.log_z.own, m.log_z.shared, 64)
        v.copy_rows(m.log_z.base, m.log_z.shared, 64)


@part
def merge(m: Any, size: int, bias: int, threads: int, lr: float) -> None:
    """Adds this thread's changes since the last merge to the shared rows, damped as if each of the
    `threads` threads had used the rows equally often. Then copies the shared rows back and resets
    the use counts."""
    if bias & 1:
        for i in range(m.bias.hot):
            factor = damping(v.read_int(m.noise.uses + 4 * i), threads, lr)
            merge_number(m.bias, 4 * i, factor)
    if bias & 2:  # used in every window
        merge_number(m.log_z, 0, float32(1) / float32(threads))
    for row in (m.input, m.ngrams, m.path, m.noise):
        for i in range(row.hot):
            factor = damping(v.read_int(row.uses + 4 * i), threads, lr)
            v.write_int(row.uses + 4 * i, int32(0))
            add_row(row.shared + i * size, row.own + i * size, row.base + i * size, factor, size)


@inlined
def merge_number(table: Any, offset: int, factor: float) -> None:
    """`add_row` for one float, `offset` bytes from the start of the table."""
    change = v.read_float(table.own + offset) - v.read_float(table.base + offset)
    value = v.read_float(table.shared + offset) + factor * change
    v.write_float(table.shared + offset, value)
    v.write_float(table.own + offset, value)
    v.write_float(table.base + offset, value)


@inlined
def add_row(target: int, own: int, base: int, factor: float, size: int) -> None:
    """Computes target += factor · (own - base), then own = base = target, over `size` bytes (a
    multiple of 64)."""
    scale = v.spread(factor)
    for i in range(0, size, 64):
        value = v.fma(scale, v.subtract(v.load(own + i), v.load(base + i)), v.load(target + i))
        v.store(target + i, value)
        v.store(own + i, value)
        v.store(base + i, value)


@compiled(nogil=True, boundscheck=False)
def merge_round(
    shared: Any, own: Any, uses: Any, threads: int, lr: float, part: int, parts: int
) -> None:
    """Merges rows if every row has thread-own copies. A shared row becomes the copy of the only
    thread that has used it, or adds the damped sum of all threads' changes in thread order; then it
    is copied to all threads, and the use counts are reset.

    shared [rows, padded], own [all threads, rows, padded], uses [all threads, rows]; the first
    `threads` threads have trained. This call processes every `parts`th chunk of rows, from `part`.
    """
    rows, width = shared.shape
    size, stride = width * 4, own.strides[0]
    shared_at, own_at = int64(shared.ctypes.data), int64(own.ctypes.data)
    for chunk in range(part * CHUNK, rows, parts * CHUNK):
        for row in range(chunk, min(rows, chunk + CHUNK)):
            total, users, last = 0, 0, 0
            for thread in range(threads):
                if uses[thread, row]:
                    total, users, last = total + uses[thread, row], users + 1, thread
                    uses[thread, row] = 0
            if users == 0:
                continue
            target, copies = shared_at + row * size, own_at + row * size
            if users == 1:
                source = copies + last * stride
                v.copy_rows(target, source, size)
                for thread in range(own.shape[0]):
                    if thread != last:
                        v.copy_rows(copies + thread * stride, source, size)
                continue
            factor = v.spread(damping(total / users, users, float32(lr)))
            for i in range(0, size, 64):
                base = v.load(target + i)
                change = v.subtract(v.load(copies + i), base)
                for thread in range(1, threads):
                    change = v.add(change, v.subtract(v.load(copies + thread * stride + i), base))
                value = v.fma(factor, change, base)
                v.store(target + i, value)
                for thread in range(own.shape[0]):
                    v.store(copies + thread * stride + i, value)


@compiled(nogil=True, boundscheck=False)
def merge_ranks(
    rows: Any, base: Any, received: Any, rank: int, first: int, factor: Any, begin: int, end: int
) -> None:
    """Computes base += f · (sum over all ranks, in order, of their changes); rows = base.

    rows [n, width]: this rank's rows; base: their values at the last exchange; factor [n]: f;
    received [ranks, first + n or more, width]: the rows of the other ranks, from index `first` on.
    This call processes rows `begin` … `end` - 1.
    """
    change = np.zeros(rows.shape[1], np.float32)
    for row in range(begin, end):
        change[:] = 0
        for other in range(received.shape[0]):
            for i in range(len(change)):
                own = rows[row, i] if other == rank else received[other, first + row, i]
                change[i] += own - base[row, i]
        for i in range(len(change)):
            base[row, i] += factor[row] * change[i]
            rows[row, i] = base[row, i]


@compiled(nogil=True, boundscheck=False)
def merge_biases(shared: Any, own: Any, uses: Any, threads: int, lr: float) -> None:
    """As `merge_round`, for one number per row: shared [rows], own [all threads, rows]; does not
    reset the use counts."""
    for row in range(uses.shape[1]):
        total, users, change = 0, 0, float32(0)
        for thread in range(threads):
            if uses[thread, row]:
                total, users = total + uses[thread, row], users + 1
                change += own[thread, row] - shared[row]
        if users:
            shared[row] += damping(total / users, users, float32(lr)) * change
            own[:, row] = shared[row]
