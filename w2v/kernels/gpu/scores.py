"""Turns scores into their log-sum-exp and exponentials. One Triton program processes one row of the
block of scores: it reads the scores from GPU memory once, as far as the L2 cache holds the row
until it is read again, and writes them once. PyTorch's own operators take five passes.

    total[u] = log sum_j exp z[u, j]      z[u, j] = exp(z[u, j] - total[u])

Arithmetic is in float32, whatever the type of z.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

TILE = 8192  # scores that a program processes at a time
WARPS = 16


@triton.jit
def rows_to_exponentials(
    z, total, stride, classes, floor, sums: tl.constexpr, writes: tl.constexpr, tile: tl.constexpr
):  # fmt: skip
    """sums: compute total, which is at least `floor`; otherwise it is an input. writes: replace z
    by the exponentials."""
    row = tl.program_id(0).to(tl.int64)
    scores, offsets = z + row * stride, tl.arange(0, tile)
    if sums:
        # the peak starts at a finite value, so that exp(-inf - peak) is 0 in a row of -inf
        peak = tl.full([], floor, tl.float32)
        powers = tl.zeros([tile], tl.float32)
        for start in range(0, classes, tile):
            mask = start + offsets < classes
            x = tl.load(
                scores + start + offsets, mask, other=-float("inf"), eviction_policy="evict_last"
            ).to(tl.float32)
            higher = tl.maximum(peak, tl.max(x, 0))
            powers = powers * tl.exp(peak - higher) + tl.exp(x - higher)
            peak = higher
        log_sum = tl.log(tl.sum(powers, 0)) + peak
        log_sum = tl.where(log_sum < floor, floor, log_sum)  # NaN stays NaN
        tl.store(total + row, log_sum)
    else:
        log_sum = tl.load(total + row)
    if writes:
        for start in range(0, classes, tile):
            mask = start + offsets < classes
            x = tl.load(scores + start + offsets, mask, eviction_policy="evict_first")
            share = tl.exp(x.to(tl.float32) - log_sum)
            tl.store(scores + start + offsets, share.to(x.dtype), mask)


def normalise(z: Tensor, total: Tensor, floor: float, *, keep: bool) -> None:
    """Writes the log-sum-exp of each row of z [R, C] (float32 or bfloat16), at least `floor`, to
    total [R] float32. keep: also replaces z by exp(z - total)."""
    _launch(z, total, floor, True, keep)


def subtract(z: Tensor, total: Tensor) -> None:
    """Replaces z [R, C] by exp(z - total [R]), in place."""
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
