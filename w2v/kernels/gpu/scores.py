"""From scores to their log-sum-exp and exponentials, a row of the block for each program: scores
are read from the GPU's memory once, where its cache holds a row until it is read again, and written
once. PyTorch's own operators take five passes for it.

    total[u] = log sum_j exp z[u, j]      z[u, j] = exp(z[u, j] - total[u])

Arithmetic is in float32, whatever z is.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

TILE = 8192  # scores that a program has in hand
WARPS = 16


@triton.jit
def rows_to_exponentials(
    z, total, stride, classes, floor, sums: tl.constexpr, writes: tl.constexpr, tile: tl.constexpr
):  # fmt: skip
    """sums: finds total, at least `floor`, else takes it as given; writes: overwrites z."""
    row = tl.program_id(0).to(tl.int64)
    scores, places = z + row * stride, tl.arange(0, tile)
    if sums:
        # a peak that is finite: exp(-inf - peak) is 0 in a row of -inf
        peak = tl.full([], floor, tl.float32)
        powers = tl.zeros([tile], tl.float32)
        for start in range(0, classes, tile):
            there = start + places < classes
            x = tl.load(
                scores + start + places, there, other=-float("inf"), eviction_policy="evict_last"
            ).to(tl.float32)
            higher = tl.maximum(peak, tl.max(x, 0))
            powers = powers * tl.exp(peak - higher) + tl.exp(x - higher)
            peak = higher
        log_sum = tl.log(tl.sum(powers, 0)) + peak
        log_sum = tl.where(log_sum < floor, floor, log_sum)  # what is no number stays so
        tl.store(total + row, log_sum)
    else:
        log_sum = tl.load(total + row)
    if writes:
        for start in range(0, classes, tile):
            there = start + places < classes
            x = tl.load(scores + start + places, there, eviction_policy="evict_first")
            share = tl.exp(x.to(tl.float32) - log_sum)
            tl.store(scores + start + places, share.to(x.dtype), there)


def normalise(z: Tensor, total: Tensor, floor: float, *, keep: bool) -> None:
    """Fills total [R] float32 with the log-sum-exp of z [R, C] float32 or bfloat16, at least
    `floor`; keep: turns z into exp(z - total)."""
    _launch(z, total, floor, True, keep)


def subtract(z: Tensor, total: Tensor) -> None:
    """Turns z [R, C] into exp(z - total [R])."""
    _launch(z, total, 0.0, False, True)


def _launch(z: Tensor, total: Tensor, floor: float, sums: bool, writes: bool) -> None:
    rows, classes = z.shape
    if not z.numel():
        return
    assert z.stride(1) == 1 and total.is_contiguous() and total.dtype == torch.float32
    tile = min(TILE, triton.next_power_of_2(classes))
    with torch.cuda.device_of(z):  # type: ignore[no-untyped-call]
        rows_to_exponentials[(rows,)](
            z, total, z.stride(0), classes, floor, sums, writes, tile, num_warps=WARPS
        )
