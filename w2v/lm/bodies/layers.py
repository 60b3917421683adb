"""LSTM and GRU: torch.nn's in parameters, starting values, state and results, faster in training on
a CPU.

    lstm = LSTM(200, 200, num_layers=2, dropout=0.2)
    y, (h, c) = lstm(x, (h, c))   # x [T, B, I] -> y [T, B, H]; h, c [layers, B, H]; no state: zeros

The fast way (w2v.lm.bodies.recurrence) serves float32 weights on CPUs with AVX-512, also under
`torch.autocast("cpu", torch.bfloat16)`, where only its large products are bfloat16 and its output
is float32. Everything else (CUDA, float64, other processors, packed sequences, shapes it is no
faster for) goes PyTorch's way.

What was measured (Zen 5, one thread, T = 35, B = 20, 2 x 200 units, dropout 0.2, forward and
backward, times of torch.nn's module in the same process; CPU time beside other load):
- torch.nn.LSTM takes oneDNN's layer for training too (150-160 GFLOP/s of the core's 280); timestep
  by timestep through autograd it would take 2.1 x as long. The fast LSTM: 1.1 x (its parts, alone:
  1.4 x); under autocast 1.4 x of float32, as oneDNN's bfloat16 layer. More than 1.7 x is not to be
  had in float32: that is the core's peak.
- torch.nn.GRU has no such layer: the fast GRU is 2.3 x, under autocast 3.0 x, without gradients (T
  = 1024, B = 1) 3.5 x.
- LSTM without gradients, with 1 or 4 columns or 650 units: oneDNN is 10-20 % faster, so it is
  taken.
- Recurrence alone: 200 GFLOP/s with gates on one thread, 340 on two (each has its own columns: no
  barriers). A step by torch.mm would run at 95 (MKL), by oneDNN's linear at 130-170, and leave the
  gates to a dozen operators.
- Rows per tile, forward 5 and 6: alike; backward 8: 10 % slower than 10 and 12.
- Dropout by bernoulli_ costs 0.8 ms, a third of a forward layer; by 16-bit integers 0.3 ms with the
  product.
- oneDNN's linear on rows cut from a wider matrix: its reference code, a thousand times slower.
  Contiguous rows only.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from w2v.lm.bodies.dropout import dropout

Weights = Any  # one layer's parameters, in torch.nn's order
State = Any  # LSTM: (h, c), GRU: h; each [layers, B, H]
# shorter sequences (generation goes word by word) do not earn back the packing of the weights
FEWEST_PLACES = 4
FEWEST_COLUMNS, MOST_UNITS = 8, 512  # of an LSTM; outside oneDNN's layer is faster


class _Layers(nn.RNNBase, ABC):
    """Which way a sequence goes, and the fast way's loop over the layers.

    Args:
        dropout: probability that a unit between two layers is dropped while training.
        variational: one dropout mask per call for all places (see w2v.lm.bodies.dropout), instead
            of one per place.

    Raises:
        ValueError: dropout is outside 0 … 1, or a size below 1.
        RuntimeError: x or the state has another shape than the weights ask for.
    """

    always_fast: (
        bool  # PyTorch has no good way of its own: also without gradients, and for every width
    )

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        dropout: float = 0.0,
        variational: bool = False,
    ) -> None:
        if not 0 <= dropout <= 1:
            raise ValueError(f"dropout is {dropout}, it must be 0 … 1")
        # PyTorch warns of dropout where there is nothing between layers
        between = dropout if num_layers > 1 else 0.0
        # the next class is torch.nn.LSTM or torch.nn.GRU, which do not take RNNBase's name of the
        # kind
        super().__init__(input_size, hidden_size, num_layers, dropout=between)  # type: ignore[arg-type]
        self.variational = variational

    def forward(self, x: Tensor, state: State = None) -> tuple[Tensor, State]:
        """(y [T, B, H], the state after the last place)."""
        own_dropout = self.variational and self.training and self.dropout > 0
        fast = _fast(self, x)
        if not (fast or own_dropout):
            return super().forward(x, state)  # torch.nn.LSTM's or torch.nn.GRU's
        if not isinstance(x, Tensor) or x.dim() != 3:
            raise ValueError("variational dropout needs sequences [T, B, I]")
        if fast:
            x = x.float()
        zeros = x.new_zeros(self.num_layers, x.shape[1], self.hidden_size)
        state = self._filled(state, zeros)
        self.check_forward_args(x, state, None)
        after = []
        for layer, weights in enumerate(self.all_weights):
            if layer and self.training:
                x = dropout(x, self.dropout, variational=self.variational)
            x, *last = (self._fast_layer if fast else self._layer)(x, layer, state, weights)
            after.append(last)
        return x, self._stacked(after)

    @abstractmethod
    def _filled(self, state: State, zeros: Tensor) -> State:
        """The state, or zeros for None."""

    @abstractmethod
    def _stacked(self, after: list[list[Tensor]]) -> State:
        """The state of all layers from theirs, each [B, H]."""

    @abstractmethod
    def _fast_layer(
        self, x: Tensor, layer: int, state: State, weights: Weights
    ) -> tuple[Tensor, ...]:
        """y and the layer's last state by w2v.lm.bodies.recurrence."""

    @abstractmethod
    def _layer(self, x: Tensor, layer: int, state: State, weights: Weights) -> tuple[Tensor, ...]:
        """y and the layer's last state by PyTorch."""


class LSTM(_Layers, nn.LSTM):  # type: ignore[misc]
    """torch.nn.LSTM(input_size, hidden_size, num_layers, dropout=dropout) and `variational`."""

    always_fast = False

    def _filled(self, state: State, zeros: Tensor) -> State:
        return (
            (zeros, zeros)
            if state is None
            else (state[0].to(zeros.dtype), state[1].to(zeros.dtype))
        )

    def _stacked(self, after: list[list[Tensor]]) -> State:
        return torch.stack([h for h, _ in after]), torch.stack([c for _, c in after])

    def _fast_layer(
        self, x: Tensor, layer: int, state: State, weights: Weights
    ) -> tuple[Tensor, ...]:
        from w2v.lm.bodies.recurrence import lstm_layer  # brings Numba: half a second

        return lstm_layer(
            x, state[0][layer], state[1][layer], *weights, torch.is_autocast_enabled("cpu")
        )

    def _layer(self, x: Tensor, layer: int, state: State, weights: Weights) -> tuple[Tensor, ...]:
        hx = [part[layer : layer + 1].contiguous() for part in state]
        y, h, c = torch._VF.lstm(x, hx, weights, True, 1, 0.0, self.training, False, False)
        return y, h[0], c[0]


class GRU(_Layers, nn.GRU):  # type: ignore[misc]
    """torch.nn.GRU(input_size, hidden_size, num_layers, dropout=dropout) and `variational`."""

    always_fast = True

    def _filled(self, state: State, zeros: Tensor) -> State:
        return zeros if state is None else state.to(zeros.dtype)

    def _stacked(self, after: list[list[Tensor]]) -> State:
        return torch.stack([h for (h,) in after])

    def _fast_layer(
        self, x: Tensor, layer: int, state: State, weights: Weights
    ) -> tuple[Tensor, ...]:
        from w2v.lm.bodies.recurrence import gru_layer

        return gru_layer(x, state[layer], *weights, torch.is_autocast_enabled("cpu"))

    def _layer(self, x: Tensor, layer: int, state: State, weights: Weights) -> tuple[Tensor, ...]:
        h = state[layer : layer + 1].contiguous()
        y, h = torch._VF.gru(x, h, weights, True, 1, 0.0, self.training, False, False)
        return y, h[0]


def _fast(layers: _Layers, x: Any) -> bool:
    """Whether the fast way can be taken for x, and is worth it."""
    if not isinstance(x, Tensor) or x.dim() != 3 or x.device.type != "cpu" or x.numel() == 0:
        return False
    if any(w.device.type != "cpu" or w.dtype != torch.float32 for w in layers.parameters()):
        return False
    if torch.is_autocast_enabled("cpu"):
        if torch.get_autocast_dtype("cpu") != torch.bfloat16 or x.dtype not in (
            torch.float32,
            torch.bfloat16,
        ):
            return False
    elif x.dtype != torch.float32:
        return False
    if x.shape[0] < FEWEST_PLACES or torch.backends.cpu.get_cpu_capability() != "AVX512":
        return False
    if layers.always_fast:
        return True
    trains = torch.is_grad_enabled() and (
        x.requires_grad or any(w.requires_grad for w in layers.parameters())
    )
    return trains and x.shape[1] >= FEWEST_COLUMNS and layers.hidden_size <= MOST_UNITS
