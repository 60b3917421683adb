"""Dropout by cheap random bits."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

STEPS = 1 << 16  # a unit's fate hangs on 16 random bits


def dropout(rows: Tensor, p: float, training: bool = True, *, variational: bool = False) -> Tensor:
    """Returns `rows` [T, B, N], while training with units set to 0 with probability p and the
    others scaled by 1 / (1 - p); `variational`: by one mask [B, N] for all places of the sequence.

    On a CPU a unit takes 16 bits of PyTorch's generator (p is rounded to 1/65536, and the scale
    fits that), because PyTorch's own draws cost as much as a third of an LSTM layer.
    """
    if not training or p == 0:
        return rows
    shape = rows[:1].shape if variational else rows.shape
    dropped = round(p * STEPS)
    if rows.device.type != "cpu" or dropped in (0, STEPS):
        return rows * F.dropout(torch.ones(shape, dtype=rows.dtype, device=rows.device), p)
    drawn = torch.empty((shape.numel() + 3) // 4, dtype=torch.int64).random_(-(1 << 63), None)
    kept = drawn.view(torch.int16)[: shape.numel()].view(shape) >= dropped - STEPS // 2
    return rows * kept.to(rows.dtype).mul_(STEPS / (STEPS - dropped))
