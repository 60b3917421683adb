"""One layer of LSTM or GRU on the CPU as an autograd function: matrix products over all places at
once where nothing has to wait, the compiled recurrence (w2v.kernels.recurrent) where it has.

    forward    x W_ih' + biases for all places; the recurrence; the gates are kept
    backward   the recurrence gives the gates' gradients D; then dx = D W_ih, dW_ih = D' x, …

With `half`, these products take bfloat16 operands (summed in float32, results rounded to bfloat16
and widened); the recurrence, the states and what the weights accumulate stay float32.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from w2v.kernels.recurrent import gru, lstm
from w2v.kernels.recurrent.job import SCRATCH, Job, run
from w2v.losses.math.products import linear, outer

LANES = 16


def pack(weight: Tensor) -> Tensor:
    """A recurrent weight [K, G, H], of any strides, as panels of 16 units [P, K, G, 16]: element
    [p, k, g, l] is weight[k, g, 16p + l], and 0 beyond H."""
    length, groups, units = weight.shape
    full, rest = divmod(units, LANES)
    panels = weight.new_empty(full + (rest > 0), length, groups, LANES)
    panels[:full].permute(1, 2, 0, 3).copy_(
        weight[:, :, : full * LANES].unflatten(2, (full, LANES))
    )
    if rest:
        panels[full].zero_()
        panels[full, :, :, :rest] = weight[:, :, full * LANES :]
    return panels


class LSTMLayer(torch.autograd.Function):
    """(y [T, B, H], h [B, H], c [B, H]) of x [T, B, I], the start state h, c [B, H] and one layer's
    weights by PyTorch's names; float32, second derivatives are refused."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        h: Tensor,
        c: Tensor,
        w_ih: Tensor,
        w_hh: Tensor,
        b_ih: Tensor,
        b_hh: Tensor,
        half: bool,
    ) -> tuple[Tensor, Tensor, Tensor]:
        x = x.contiguous()
        places, columns, _ = x.shape
        units = w_hh.shape[1]
        gates = _project(x, w_ih, b_ih + b_hh, half)
        states, cells = (
            x.new_empty(places + 1, columns, units),
            x.new_empty(places + 1, columns, units),
        )
        states[0], cells[0] = h, c
        panels = pack(w_hh.view(4, units, units).permute(2, 0, 1))
        _run(lstm.kernels()[0], states, gates=gates, h=states, inner=cells, panels=panels)
        ctx.save_for_backward(x, w_ih, w_hh, gates, states, cells)
        ctx.half = half
        return states[1:], states[-1].clone(), cells[-1].clone()

    @staticmethod
    def backward(ctx: Any, dy: Tensor, dh: Tensor, dc: Tensor) -> tuple[Tensor | None, ...]:
        _refuse_second_derivatives()
        x, w_ih, w_hh, gates, states, cells = ctx.saved_tensors
        dy, dh, dc = (
            dy.contiguous(),
            dh.contiguous(),
            dc.clone(memory_format=torch.contiguous_format),
        )
        dgates = torch.empty_like(gates)
        panels = pack(w_hh[:, None])
        grads = {"dy": dy, "dh": dh, "dc": dc, "dgates": dgates}
        _run(lstm.kernels()[1], states, gates=gates, h=states, inner=cells, panels=panels, **grads)
        needs = ctx.needs_input_grad
        operand = _operand(dgates, ctx.half)
        bias = dgates.sum(0) if needs[5] or needs[6] else None
        return (
            _times(operand, w_ih).view_as(x) if needs[0] else None,
            linear(dgates[: dh.shape[0]], w_hh.t()) if needs[1] else None,
            dc if needs[2] else None,
            _outer(operand, x.flatten(0, 1)) if needs[3] else None,
            _outer(operand, states[:-1].flatten(0, 1)) if needs[4] else None,
            bias,
            bias,
            None,
        )


class GRULayer(torch.autograd.Function):
    """(y [T, B, H], h [B, H]) of x [T, B, I], the start state h [B, H] and one layer's weights by
    PyTorch's names; float32, second derivatives are refused."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        h: Tensor,
        w_ih: Tensor,
        w_hh: Tensor,
        b_ih: Tensor,
        b_hh: Tensor,
        half: bool,
    ) -> tuple[Tensor, Tensor]:
        x = x.contiguous()
        places, columns, _ = x.shape
        units = w_hh.shape[1]
        bias = b_ih + torch.cat([b_hh[: 2 * units], b_hh.new_zeros(units)])
        gates = _project(x, w_ih, bias, half)
        states, recurrent = (
            x.new_empty(places + 1, columns, units),
            x.new_empty(places, columns, units),
        )
        states[0] = h
        panels = pack(w_hh.view(3, units, units).permute(2, 0, 1))
        bias = b_hh[2 * units :].contiguous()
        _run(
            gru.kernels()[0],
            states,
            gates=gates,
            h=states,
            inner=recurrent,
            panels=panels,
            bias=bias,
        )
        ctx.save_for_backward(x, w_ih, w_hh, gates, states, recurrent)
        ctx.half = half
        return states[1:], states[-1].clone()

    @staticmethod
    def backward(ctx: Any, dy: Tensor, dh: Tensor) -> tuple[Tensor | None, ...]:
        _refuse_second_derivatives()
        x, w_ih, w_hh, gates, states, recurrent = ctx.saved_tensors
        dy, dh = dy.contiguous(), dh.clone(memory_format=torch.contiguous_format)
        dgates, dinput = torch.empty_like(gates), torch.empty_like(gates)
        panels = pack(w_hh[:, None])
        grads = {"dy": dy, "dh": dh, "dgates": dgates, "dinput": dinput}
        _run(
            gru.kernels()[1], states, gates=gates, h=states, inner=recurrent, panels=panels, **grads
        )
        needs = ctx.needs_input_grad
        operand = _operand(dinput, ctx.half)
        return (
            _times(operand, w_ih).view_as(x) if needs[0] else None,
            dh.add_(linear(dgates[: dh.shape[0]], w_hh.t())) if needs[1] else None,
            _outer(operand, x.flatten(0, 1)) if needs[2] else None,
            _outer(_operand(dgates, ctx.half), states[:-1].flatten(0, 1)) if needs[3] else None,
            dinput.sum(0) if needs[4] else None,
            dgates.sum(0) if needs[5] else None,
            None,
        )


@torch.compiler.disable
def lstm_layer(*args: Any) -> tuple[Tensor, Tensor, Tensor]:
    """LSTMLayer.apply, which torch.compile leaves as it is."""
    return LSTMLayer.apply(*args)


@torch.compiler.disable
def gru_layer(*args: Any) -> tuple[Tensor, Tensor]:
    """GRULayer.apply, which torch.compile leaves as it is."""
    return GRULayer.apply(*args)


def _refuse_second_derivatives() -> None:
    """Gradients are recorded while gradients are computed only for create_graph=True; left alone,
    what comes out of here would count as a constant."""
    if torch.is_grad_enabled():
        raise RuntimeError(
            "LSTM and GRU have no second derivatives in float32; take .double() or torch.nn's"
        )


def _run(kernel: int, states: Tensor, **arrays: Tensor) -> None:
    """One pass over states' T places; arrays by their names in Job."""
    places, columns, units = states.shape
    threads = torch.get_num_threads()
    shares = min(threads, columns)
    arrays["scratch"] = states.new_empty(shares, SCRATCH)
    sizes = {
        "ticket": 0,
        "shares": shares,
        "places": places - 1,
        "columns": columns,
        "units": units,
    }
    addresses = {
        name: arrays[name].data_ptr() if name in arrays else 0
        for name in Job._fields
        if name not in sizes
    }
    run(kernel, Job(**sizes, **addresses), threads)


def _operand(x: Tensor, half: bool) -> Tensor:
    return x.bfloat16() if half else x


def _project(x: Tensor, weight: Tensor, bias: Tensor, half: bool) -> Tensor:
    """x [T, B, I] @ weight.T + bias: [T · B, G]."""
    x = x.flatten(0, 1)
    return torch.mm(x.bfloat16(), weight.bfloat16().t()) + bias if half else linear(x, weight, bias)


def _times(x: Tensor, weight: Tensor) -> Tensor:
    """x [R, G] @ weight [G, I], in float32."""
    if x.dtype == torch.bfloat16:
        return torch.mm(x, weight.bfloat16()).float()
    return linear(x, weight.t())


def _outer(x: Tensor, y: Tensor) -> Tensor:
    """x.T [G, R] @ y [R, I], in float32."""
    if x.dtype == torch.bfloat16:
        return torch.mm(x.t(), y.bfloat16()).float()
    return outer(x, y)
