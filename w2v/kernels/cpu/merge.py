"""Thread-own rows: copies that a thread works on, and how they and the shared rows come together."""

from __future__ import annotations

from typing import Any

from numba import int64, njit

from w2v.kernels.cpu.vector import add, copy_rows, load, store, subtract

CHUNK = 256  # rows that one thread merges at a time


@njit(nogil=True, boundscheck=False)
def refresh(m: Any, size: int, bias: int) -> None:
    """This thread's own rows = the shared ones."""
    for row in (m.input, m.path, m.noise):
        copy_rows(row.own, row.shared, row.hot * size)
        copy_rows(row.base, row.shared, row.hot * size)
    if bias & 1:
        copy_rows(m.bias.own, m.bias.shared, m.bias.hot * 4)
        copy_rows(m.bias.base, m.bias.shared, m.bias.hot * 4)
    if bias & 2:
        copy_rows(m.log_z.own, m.log_z.shared, 64)
        copy_rows(m.log_z.base, m.log_z.shared, 64)


@njit(nogil=True, boundscheck=False)
def merge(m: Any, size: int, bias: int) -> None:
    """The shared rows += what this thread has added to its own since the last merge; then own = shared."""
    for row in (m.input, m.path, m.noise):
        add_rows(row.shared, row.own, row.base, row.hot * size)
    if bias & 1:
        add_rows(m.bias.shared, m.bias.own, m.bias.base, m.bias.hot * 4)
    if bias & 2:
        add_rows(m.log_z.shared, m.log_z.own, m.log_z.base, 64)


@njit(nogil=True, boundscheck=False)
def add_rows(target: int, own: int, base: int, size: int) -> None:
    """target += own - base, then own = base = target, over `size` bytes (a multiple of 64) at three addresses."""
    for i in range(0, size, 64):
        value = add(load(target + i), subtract(load(own + i), load(base + i)))
        store(target + i, value)
        store(own + i, value)
        store(base + i, value)


@njit(nogil=True, boundscheck=False, cache=True)
def merge_round(shared: Any, own: Any, touched: Any, threads: int, part: int, parts: int) -> None:
    """Where every row is thread-own: shared row = what the only thread that has changed it made of it, or the row +
    the sum of all threads' changes, in the threads' order; then all own rows = shared, and the marks are cleared.

    shared [rows, padded], own [all threads, rows, padded], touched [all threads, rows]; the first `threads` have
    trained. Rows are dealt out in chunks: this call does every `parts`th.
    """
    rows, width = shared.shape
    size, stride = width * 4, own.strides[0]
    shared_at, own_at = int64(shared.ctypes.data), int64(own.ctypes.data)
    for chunk in range(part * CHUNK, rows, parts * CHUNK):
        for row in range(chunk, min(rows, chunk + CHUNK)):
            users, last = 0, 0
            for thread in range(threads):
                if touched[thread, row]:
                    users, last = users + 1, thread
                    touched[thread, row] = 0
            if users == 0:
                continue
            target, copies = shared_at + row * size, own_at + row * size
            for i in range(0, size, 64):
                if users == 1:
                    value = load(copies + last * stride + i)
                else:
                    base = load(target + i)
                    value = base
                    for thread in range(threads):
                        value = add(value, subtract(load(copies + thread * stride + i), base))
                store(target + i, value)
                for thread in range(own.shape[0]):
                    store(copies + thread * stride + i, value)
