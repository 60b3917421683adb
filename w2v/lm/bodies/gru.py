"""One layer of a GRU on the CPU as an autograd function: matrix products over all places at once
where nothing has to wait, the compiled recurrence (w2v.kernels.recurrent) where it has.

    forward    x W_ih' + biases for all places; the recurrence; the gates are kept
    backward   the recurrence gives the gates' gradients D; then dx = D W_ih, dW_ih = D' x, …

With `half`, these products take bfloat16 operands (summed in float32, results rounded to bfloat16
and widened); the recurrence, the states and what the weights accumulate stay float32.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from threading import Thread
from typing import Any

import torch
from torch import Tensor

from w2v.kernels.recurrent.gru import kernels
from w2v.losses.math.products import linear, outer

LANES = 16


class _GRULayer(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, h: Tensor, half: bool, *weights: Tensor
    ) -> tuple[Tensor, Tensor]:
        w_ih, w_hh, b_ih, b_hh = weights
        x = x.contiguous()
        places, columns, _ = x.shape
        units = w_hh.shape[1]
        bias = b_ih + torch.cat([b_hh[: 2 * units], b_hh.new_zeros(units)])
        gates = _linear(x.flatten(0, 1), w_ih, bias, half)
        states = x.new_empty(places + 1, columns, units)
        states[0] = h
        inner = x.new_empty(places, columns, units)
        panels = _packed(w_hh.view(3, units, units).permute(2, 0, 1))
        _run(kernels()[0], columns, gates, states, inner, panels, b_hh[2 * units :].contiguous())
        ctx.save_for_backward(x, w_ih, w_hh, gates, states, inner)
        ctx.half = half
        return states[1:], states[-1].clone()

    @staticmethod
    def backward(ctx: Any, dy: Tensor, dh: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():  # for create_graph=True, where these would count as constants
            raise RuntimeError("the GRU has no second derivatives in float32; take .double()")
        x, w_ih, w_hh, gates, states, inner = ctx.saved_tensors
        dy, dh = dy.contiguous(), dh.clone(memory_format=torch.contiguous_format)
        dgates, dinput = torch.empty_like(gates), torch.empty_like(gates)
        columns, panels = len(dh), _packed(w_hh[:, None])
        _run(kernels()[1], columns, gates, states, inner, panels, dy, dh, dgates, dinput)
        needs, half = ctx.needs_input_grad, ctx.half
        return (
            _linear(dinput, w_ih.t(), None, half).view_as(x) if needs[0] else None,
            dh.add_(linear(dgates[:columns], w_hh.t())) if needs[1] else None,
            None,
            _outer(dinput, x.flatten(0, 1), half) if needs[3] else None,
            _outer(dgates, states[:-1].flatten(0, 1), half) if needs[4] else None,
            dinput.sum(0) if needs[5] else None,
            dgates.sum(0) if needs[6] else None,
        )


@torch.compiler.disable
def gru_layer(x: Tensor, h: Tensor, *weights: Tensor, half: bool) -> tuple[Tensor, Tensor]:
    """Returns (y [T, B, H], the last state [B, H]) of x [T, B, I], the start state h [B, H] and one
    layer's weights in torch.nn's order, all float32 on a CPU. There are no second derivatives.
    torch.compile leaves it as it is."""
    y, after = _GRULayer.apply(x, h, half, *weights)
    return y, after


def _run(kernel: Callable[..., None], columns: int, *tensors: Tensor) -> None:
    """Runs one pass, each of PyTorch's number of threads on its share of the columns."""
    arrays = [tensor.numpy() for tensor in tensors]
    threads = min(torch.get_num_threads(), columns)
    shares = list(pairwise(number * columns // threads for number in range(threads + 1)))
    helpers = [Thread(target=kernel, args=(*arrays, *share)) for share in shares[1:]]
    for helper in helpers:
        helper.start()
    kernel(*arrays, *shares[0])
    for helper in helpers:
        helper.join()


def _packed(weight: Tensor) -> Tensor:
    """The weight [K, G, H], of any strides, as panels of 16 units [P, K, G, 16]: element [p, k, g,
    l] is weight[k, g, 16p + l], and 0 beyond H."""
    length, groups, units = weight.shape
    panels = weight.new_zeros(-(-units // LANES), length, groups, LANES)
    full = units // LANES
    whole = weight[:, :, : full * LANES].unflatten(2, (full, LANES))
    panels[:full].permute(1, 2, 0, 3).copy_(whole)
    if rest := units % LANES:
        panels[full, :, :, :rest] = weight[:, :, full * LANES :]
    return panels


def _linear(x: Tensor, weight: Tensor, bias: Tensor | None, half: bool) -> Tensor:
    """x [R, K] @ weight.T [K, N] + bias [N], in float32."""
    if not half:
        return linear(x, weight, bias)
    product = torch.mm(x.bfloat16(), weight.bfloat16().t()).float()
    return product if bias is None else product + bias


def _outer(x: Tensor, y: Tensor, half: bool) -> Tensor:
    """x.T [M, R] @ y [R, N], in float32."""
    return torch.mm(x.bfloat16().t(), y.bfloat16()).float() if half else outer(x, y)
