"""Dropout whose masks are cheap to draw on a CPU, where torch's own takes longer than a layer of an LSTM.

Sixteen random bits decide over one number: the probability is rounded to a multiple of 2^-16, and what is kept is
scaled by the rounded one. Random numbers come from torch's default generator of the device.
"""

from __future__ import annotations

import torch
from torch import Tensor

BITS = 16
PER_DRAW = 4  # numbers decided by the 64 bits of one draw


def dropout(rows: Tensor, probability: float, training: bool = True, *, constant: bool = False) -> Tensor:
    """rows [T, …] with each number set to 0 with the probability, the others scaled up; as they are unless training.

    constant: the same numbers for all T (variational dropout, Gal and Ghahramani 2016, arXiv:1512.05287).
    """
    if not training or probability == 0:
        return rows
    return rows * dropout_mask(rows[:1] if constant else rows, probability)


def dropout_mask(like: Tensor, probability: float) -> Tensor:
    """A tensor shaped as `like`: 0 with the probability, else 1 / (1 - probability)."""
    dropped = round(probability * 2**BITS)
    draws = torch.empty(-(-like.numel() // PER_DRAW), dtype=torch.int64, device=like.device)
    draws.random_(-(2**63), None)
    numbers = draws.view(torch.int16)[: like.numel()].view(like.shape)  # uniform in -2^15 … 2^15 - 1
    return (numbers >= dropped - 2 ** (BITS - 1)).to(like.dtype).mul_(2**BITS / (2**BITS - dropped))
