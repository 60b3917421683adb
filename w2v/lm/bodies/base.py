"""Base class of the bodies, which turn embeddings into hidden rows; each row depends only on its
token and those before it.

Each body defines the content of its state; all tensors of a state have the B columns as their
second dimension.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

STEPS = 1 << 16  # whether a unit is dropped is decided by 16 random bits
State = tuple[Tensor, ...]


class Body(nn.Module, ABC):
    """Base class of bodies; `width` is the length of a hidden row."""

    width: int

    @abstractmethod
    def start(self, batch: int) -> State:
        """Returns the state before the first token of `batch` columns."""

    @abstractmethod
    def forward(self, embedded: Tensor, state: State) -> tuple[Tensor, State]:
        """Returns hidden [T, B, width] of embedded [T, B, dim], and the state after them."""


def zeros(module: nn.Module, *shape: int) -> Tensor:
    """Returns zeros of the type, and on the device, of the module's parameters."""
    return next(module.parameters()).new_zeros(shape)


def dropout(rows: Tensor, p: float, training: bool = True, *, variational: bool = False) -> Tensor:
    """Returns `rows` [T, B, N]; in training, each unit is set to 0 with probability p and the
    others are scaled by 1 / (1 - p). `variational`: one mask [B, N] for all T positions.

    On a CPU a unit uses 16 bits of PyTorch's generator (p is rounded to 1/65536, and the scale is
    computed from that), because PyTorch's own dropout would cost a third of an LSTM layer.
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
