"""LSTM and GRU as bodies of a language model, with dropout before, between and behind the layers.

Variational dropout draws one mask per segment and column and uses it at every place of the segment
(Gal and Ghahramani 2016, arXiv:1512.05287, on the inputs of the layers); ordinary dropout draws one
for every place.
"""

from __future__ import annotations

import torch
from torch import Tensor

from w2v.lm.bodies.base import Body, State, device_of
from w2v.lm.bodies.dropout import dropout
from w2v.lm.bodies.layers import GRU, LSTM
from w2v.settings.language_model import LanguageModelSettings


class RecurrentBody(Body):
    """`layers` of LSTM or GRU; a state is (h, c) or (h,), each [layers, B, hidden]."""

    def __init__(self, settings: LanguageModelSettings, dim: int) -> None:
        super().__init__()
        assert settings.hidden is not None and settings.layers is not None
        self.width, self.layers = settings.hidden, settings.layers
        self.is_lstm = settings.arch == "lstm"
        self.dropout, self.variational = settings.dropout, settings.variational
        between = settings.dropout if settings.layers > 1 else 0.0
        make = LSTM if self.is_lstm else GRU
        self.recurrent = make(
            dim, self.width, self.layers, dropout=between, variational=settings.variational
        )

    def start(self, batch: int) -> State:
        """Zeros."""
        zeros = torch.zeros(self.layers, batch, self.width, device=device_of(self))
        return (zeros, zeros.clone()) if self.is_lstm else (zeros,)

    def forward(self, embedded: Tensor, state: State) -> tuple[Tensor, State]:
        output, after = self.recurrent(self.drop(embedded), state if self.is_lstm else state[0])
        return self.drop(output), after if self.is_lstm else (after,)

    def drop(self, rows: Tensor) -> Tensor:
        """Dropout of rows [T, B, N] while training."""
        return dropout(rows, self.dropout, self.training, variational=self.variational)
