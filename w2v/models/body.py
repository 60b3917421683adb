"""What turns embeddings into hidden rows, token by token and only from what came before: the bodies by name.

A body maps embedded [T, B, dim] and a state to hidden [T, B, width] and the state behind the last token. What a state
holds is the body's own affair; all of its tensors have the B columns in their second dimension.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from w2v.models.options import LanguageModelSettings

State = tuple[Tensor, ...]


class Body(nn.Module, ABC):
    """Base class; `width` is the length of a hidden row."""

    width: int

    @abstractmethod
    def start(self, batch: int) -> State:
        """The state before the first token of `batch` columns."""

    @abstractmethod
    def forward(self, embedded: Tensor, state: State) -> tuple[Tensor, State]:
        """hidden [T, B, width] of embedded [T, B, dim], and the state after them."""


def make_body(settings: LanguageModelSettings, dim: int) -> Body:
    """The body that `settings.arch` names, over embeddings of length `dim`.

    Raises:
        ValueError: the settings do not fit each other.
    """
    if settings.arch in ("lstm", "gru"):
        from w2v.models.recurrent_body import RecurrentBody

        return RecurrentBody(settings, dim)
    if settings.arch == "transformer":
        from w2v.models.transformer import Transformer

        return Transformer(settings, dim)
    from w2v.models.windowed import FeedForward, LogBilinear

    return FeedForward(settings, dim) if settings.arch == "ffnn" else LogBilinear(settings, dim)


def device_of(module: nn.Module) -> torch.device:
    """Where the module's parameters are."""
    return next(module.parameters()).device
