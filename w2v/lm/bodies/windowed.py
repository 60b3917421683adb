"""The two language models for which NCE and hierarchical softmax were published; each sees a fixed
window of words.

    ffnn  h = tanh(W [x_1; …; x_C] + b), further tanh layers above it    Bengio et al. 2003
    lbl   h = sum_c W_c x_c + b                                  Mnih and Hinton 2007 (log-bilinear)

x_1 … x_C are the embeddings of the last C = context tokens, zeros before the start of the text. The
state holds the embeddings of the last C - 1 tokens.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from w2v.lm.bodies.base import Body, State, dropout, zeros
from w2v.settings.language_model import LanguageModelSettings


class _Windowed(Body):
    """Base class of both; builds the windows."""

    def __init__(self, settings: LanguageModelSettings, dim: int) -> None:
        super().__init__()
        self.dim, self.context, self.dropout = dim, settings.context, settings.dropout

    def start(self, batch: int) -> State:
        return (zeros(self, self.context - 1, batch, self.dim),)

    def windows(self, embedded: Tensor, state: State) -> tuple[Tensor, State]:
        """Returns the windows [T, B, context · dim], oldest token first, and the new state."""
        read = torch.cat([state[0].to(embedded.dtype), embedded])
        length = len(embedded)
        windows = torch.cat([read[offset : offset + length] for offset in range(self.context)], 2)
        return windows, (read[len(read) - self.context + 1 :],)


class FeedForward(_Windowed):
    """Bengio's feed-forward model: `layers` tanh layers over the window."""

    def __init__(self, settings: LanguageModelSettings, dim: int) -> None:
        super().__init__(settings, dim)
        self.width = settings.hidden
        widths = [self.context * dim, *[self.width] * settings.layers]
        self.layers = nn.ModuleList(nn.Linear(low, high) for low, high in pairwise(widths))

    def forward(self, embedded: Tensor, state: State) -> tuple[Tensor, State]:
        rows, state = self.windows(embedded, state)
        for layer in self.layers:
            rows = dropout(torch.tanh(layer(rows)), self.dropout, self.training)
        return rows, state


class LogBilinear(_Windowed):
    """Predicts the output row of the next word as a linear function of the window."""

    def __init__(self, settings: LanguageModelSettings, dim: int) -> None:
        super().__init__(settings, dim)
        self.width = dim
        self.combine = nn.Linear(self.context * dim, dim)

    def forward(self, embedded: Tensor, state: State) -> tuple[Tensor, State]:
        rows, state = self.windows(embedded, state)
        return dropout(self.combine(rows), self.dropout, self.training), state
