"""One layer's pass over a sequence as a job for several threads.

Columns (the sequences of a batch) do not depend on each other: each thread takes a share of the
columns through all places, without waiting for the others. The threads are those of the OpenMP
library that PyTorch brings: they still spin for work after PyTorch's own parallel parts, so that
threads of another pool would have to share the cores with them.
"""

from __future__ import annotations

import ctypes
import hashlib
import threading
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from w2v.kernels.cpu.vector import I64, read_long

SCRATCH = 24 * 16  # floats that every share needs for sums


class Job(NamedTuple):
    """Sizes and addresses (float32, contiguous) of one pass; B columns, T places, H units, G gates
    (LSTM 4, GRU 3).

    ticket: 0. shares: into how many parts the columns are cut. gates [T, B, G·H]: the products with
    the input and the biases before the forward pass, the gates after it. h [T + 1, B, H]: the start
    state, then every place's. inner: LSTM: the cells c [T + 1, B, H] likewise; GRU: the recurrent
    part of the candidate [T, B, H]. panels: the recurrent weights, see `pack`. bias [H]: of that
    recurrent part (GRU). scratch [shares, SCRATCH].

    Backward: dy [T, B, H]. dh [B, H] of the last state, of which GRU makes a part of the start
    state's. dc [B, H] of the last cell, becomes the start cell's (LSTM). The results: dgates [T, B,
    G·H] of the products with h; dinput [T, B, G·H] of the products with the input (GRU; with LSTM
    they are the same).
    """

    ticket: int
    shares: int
    places: int
    columns: int
    units: int
    gates: int
    h: int
    inner: int
    panels: int
    bias: int
    scratch: int
    dy: int
    dh: int
    dc: int
    dgates: int
    dinput: int


def source_digest() -> int:
    """A number that changes with the source of the recurrences and of what they call. Frozen into a
    compiled function, it keeps Numba's cache from serving machine code of older helpers: the cache
    looks at one file only.
    """
    here = Path(__file__).parent
    files = [*sorted(here.glob("*.py")), here.parent / "cpu" / "vector.py"]
    return int.from_bytes(
        hashlib.sha256(b"".join(file.read_bytes() for file in files)).digest()[:7], "big"
    )


@intrinsic
def _address_of(typing: Any, pointer: Any) -> Any:
    """The number of a void pointer."""
    return types.int64(types.voidptr), lambda context, builder, signature, args: builder.ptrtoint(
        args[0], I64
    )


@intrinsic
def take_ticket(typing: Any, address: Any) -> Any:
    """The int64 at `address`, raised by 1 for whoever comes next (atomic)."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = builder.inttoptr(args[0], I64.as_pointer())
        return builder.atomic_rmw("add", pointer, ir.Constant(I64, 1), "monotonic")

    return types.int64(types.int64), codegen


@njit(nogil=True, boundscheck=False, forceinline=True)
def read_job(pointer: Any) -> Any:
    """The Job at a void pointer; its ticket is the address where tickets are taken."""
    at = _address_of(pointer)
    return Job(
        at,
        read_long(at + 8),
        read_long(at + 16),
        read_long(at + 24),
        read_long(at + 32),
        read_long(at + 40),
        read_long(at + 48),
        read_long(at + 56),
        read_long(at + 64),
        read_long(at + 72),
        read_long(at + 80),
        read_long(at + 88),
        read_long(at + 96),
        read_long(at + 104),
        read_long(at + 112),
        read_long(at + 120),
    )


def run(kernel: int, job: Job, threads: int) -> None:
    """Runs the compiled function at address `kernel` on `job` by that many threads, until all
    shares are done."""
    block = np.array(job, dtype=np.int64)
    parallel = _openmp()
    if threads > 1 and parallel is not None:
        parallel(kernel, block.ctypes.data, threads, 0)
        return
    work = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(kernel)  # lets go of the interpreter's lock
    helpers = [threading.Thread(target=work, args=(block.ctypes.data,)) for _ in range(threads - 1)]
    for helper in helpers:
        helper.start()
    work(block.ctypes.data)
    for helper in helpers:
        helper.join()


@cache
def _openmp() -> Any:
    """GOMP_parallel(function, data, threads, flags) of the OpenMP library in this process (GNU's,
    and LLVM's and Intel's on Linux); None where there is none."""
    try:
        parallel = ctypes.CDLL(None).GOMP_parallel
    except (AttributeError, OSError, TypeError):
        return None
    parallel.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
    parallel.restype = None
    return parallel
