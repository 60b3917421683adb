"""Biases of output rows (NCE): one float per word, and one for all words, a learned -log Z. Off by
default, so the code is simple and works row by row."""

from __future__ import annotations

from numba import float32

from w2v.kernels.cpu.parts import part
from w2v.kernels.cpu.vector import read_float, read_long, write_float


@part
def biased_offsets(
    target: int, offsets: int, rows: int, count: int, width: int, shared: int, bias: int
) -> None:
    """Writes offset + biases of `count` rows to the lanes at `target`, tile by tile. `rows`: the
    address of the addresses of the rows' biases."""
    for k in range(count):
        lane = k // width * 32 + k % width * 4
        value = read_float(offsets + lane)
        if bias & 1:
            value += read_float(read_long(rows + 8 * k))
        if bias & 2:
            value += read_float(shared)
        write_float(target + lane, value)


@part
def update_biases(
    scores: int,
    stride: int,
    rows: int,
    count: int,
    contexts: int,
    width: int,
    group: int,
    shared: int,
    bias: int,
) -> None:
    """Computes bias += Σ_q g[q, k] for every row, and adds all these sums to the shared bias.
    Residuals are at `scores`, `stride` bytes per tile."""
    total = float32(0)
    for k in range(count):
        lane = scores + k // width * stride + k % width * 4
        gradient = float32(0)
        for q in range(contexts):
            gradient += read_float(lane + q // group * 64 + q % group * (4 * width))
        if bias & 1:
            address = read_long(rows + 8 * k)
            write_float(address, read_float(address) + gradient)
        total += gradient
    if bias & 2:
        write_float(shared, read_float(shared) + total)
