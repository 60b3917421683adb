"""Turns scores into exponentials: in several passes on a CPU, whose caches hold a block; on a GPU
in one Triton kernel if Triton is installed."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from w2v.system.packages import has_triton

_has_triton = functools.cache(has_triton)


def exponentials(
    z: Tensor, floor: float, dtype: torch.dtype, *, keep: bool
) -> tuple[Tensor, Tensor]:
    """Turns scores z [R, C] into exp(z - peak) in place and returns (peak [R], sums of the
    exponentials [R]) in `dtype`. With keep=False, z may hold anything afterwards.

    Any peak that prevents overflow will do: the Triton kernel uses the log-sum-exp, so that sums
    are 1. A row of -infinity has the peak `floor`.
    """
    if fuses(z):
        # imports Triton
        from w2v.kernels.gpu.scores import normalise

        total = torch.empty(len(z), dtype=dtype, device=z.device)
        normalise(z, total, floor, keep=keep)
        return total, torch.ones_like(total)
    peak = z.amax(1).clamp_min_(max(floor, torch.finfo(z.dtype).min / 2))
    z.sub_(peak[:, None]).exp_()
    return peak.to(dtype), z.sum(1, dtype=dtype)


def shares(z: Tensor, total: Tensor) -> None:
    """Turns scores z [R, C] into exp(z - total [R]), in place."""
    if fuses(z):
        # imports Triton
        from w2v.kernels.gpu.scores import subtract

        subtract(z, total)
    else:
        z.sub_(total[:, None]).exp_()


def fuses(z: Tensor) -> bool:
    """Returns whether the Triton kernel can process these scores."""
    return z.is_cuda and z.dtype in (torch.float32, torch.bfloat16) and _has_triton()
