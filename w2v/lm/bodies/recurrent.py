"""LSTM and GRU as bodies of a language model, with dropout before, between and after the layers.

Variational dropout draws one mask per segment and column and applies it at every position of the
segment (Gal and Ghahramani 2016, arXiv:1512.05287, on the inputs of the layers); ordinary dropout
draws a new mask for every position.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from w2v.lm.bodies.base import Body, State, dropout, zeros
from w2v.settings.language_model import LanguageModelSettings


class RecurrentBody(Body):
    """`layers` LSTM or GRU layers; a state is (h, c) or (h,), each [layers, B, hidden]."""

    def __init__(self, settings: LanguageModelSettings, dim: int) -> None:
        super().__init__()
        self.width, self.layers = settings.hidden, settings.layers
        self.is_lstm = settings.arch == "lstm"
        self.dropout, self.variational = settings.dropout, settings.variational
        # PyTorch warns if dropout is set for a single layer.
        between = settings.dropout if settings.layers > 1 else 0.0
        make = nn.LSTM if self.is_lstm else nn.GRU
        self.recurrent = make(dim, self.width, self.layers, dropout=between)

    def start(self, batch: int) -> State:
        state = zeros(self, self.layers, batch, self.width)
        return (state, state.clone()) if self.is_lstm else (state,)

    def forward(self, embedded: Tensor, state: State) -> tuple[Tensor, State]:
        x = self.drop(embedded)
        if self.variational and self.training and self.recurrent.dropout:
            x, state = self._layer_by_layer(x, state)
        elif self.is_lstm:
            x, state = self.recurrent(x, state)
        else:
            x, h = self.recurrent(x, state[0])
            state = (h,)
        return self.drop(x), state

    def drop(self, rows: Tensor) -> Tensor:
        """Returns rows [T, B, N], with dropout in training."""
        return dropout(rows, self.dropout, self.training, variational=self.variational)

    def _layer_by_layer(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Runs layer by layer, with the dropout of this class between the layers."""
        step: Any = torch._VF.lstm if self.is_lstm else torch._VF.gru
        finals = []
        for layer, weights in enumerate(self.recurrent.all_weights):
            if layer:
                x = self.drop(x)
            of_layer = [part[layer : layer + 1] for part in state]
            initial = of_layer if self.is_lstm else of_layer[0]
            # one unidirectional layer with biases and without dropout
            x, *final = step(x, initial, weights, True, 1, 0.0, self.training, False, False)
            finals.append(final)
        return x, tuple(torch.cat(parts) for parts in zip(*finals, strict=True))
