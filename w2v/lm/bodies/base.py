"""What turns embeddings into hidden rows, token by token and only from what came before.

What a state holds is the body's own affair; all of its tensors have the B columns in their second
dimension.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

State = tuple[Tensor, ...]


class Body(nn.Module, ABC):
    """Base class; `width` is the length of a hidden row."""

    width: int

    @abstractmethod
    def start(self, batch: int) -> State:
        """Returns the state before the first token of `batch` columns."""

    @abstractmethod
    def forward(self, embedded: Tensor, state: State) -> tuple[Tensor, State]:
        """Returns hidden [T, B, width] of embedded [T, B, dim], and the state after them."""


def device_of(module: nn.Module) -> torch.device:
    """Returns the device of the module's parameters."""
    return next(module.parameters()).device
