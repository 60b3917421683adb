"""A sampled loss as one step of autograd, from the rows taken to [N] nats.

    true[n, t] = h_n . r_nt + offset,  noise[n, s] = h_n . r_s + offset,  offset = bias - log count

The derivatives by these scores, the residuals, are made in the forward pass together with the loss;
the backward pass scales them by the gradient [N] that comes in, and multiplies. Gradients that are
to be differentiated in turn (create_graph=True) are those of a composition without a Function.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor

from w2v.losses.base import accumulate_dtype
from w2v.losses.math.products import linear, outer, product_dtype
from w2v.losses.sampled import REMOVED, cross_entropy, logistic

# loss [N] and, if wanted, the residuals of true and noise and what each row of both has yet to be
# multiplied by [N] (None: nothing)
Residuals: TypeAlias = tuple[Tensor, Tensor | None, Tensor | None, Tensor | None]
LOG2_E = 1 / math.log(2)


class Link(NamedTuple):
    """What makes a loss [N] of true [N, T] and noise [N, S].

    residuals: called with (true, noise, wanted); it may overwrite noise.
    plain: called with (true, noise); autograd differentiates it as often as is asked for.
    """

    residuals: Callable[[Tensor, Tensor, bool], Residuals]
    plain: Callable[[Tensor, Tensor], Tensor]


def _logistic_residuals(true: Tensor, noise: Tensor, wanted: bool) -> Residuals:
    """`w2v.losses.sampled.logistic`: sigmoid(z) - 1 / T of a label, sigmoid(z) of a candidate."""
    loss = logistic(true, noise)
    if not wanted:
        return loss, None, None, None
    # sigmoid(z) - 1 / T, without the loss of digits for a large z
    return loss, (1 - 1 / true.shape[1]) - torch.sigmoid(-true), noise.sigmoid_(), None


def _softmax_residuals(true: Tensor, noise: Tensor, wanted: bool) -> Residuals:
    """`w2v.losses.sampled.cross_entropy`: softmax - 1 / T of a label, softmax of a candidate."""
    top = noise.amax(1, keepdim=True)
    top = torch.maximum(true if true.shape[1] == 1 else true.amax(1, keepdim=True), top)
    below = true - top
    noise = noise.sub_(top).mul_(LOG2_E).exp2_()  # exp takes three times as long on a CPU
    powers = below.exp()
    total = noise.sum(1, keepdim=True).add_(
        powers if true.shape[1] == 1 else powers.sum(1, keepdim=True)
    )
    loss = (total.log() - below).mean(1)
    if not wanted:
        return loss, None, None, None
    return loss, powers.sub_(total, alpha=1 / true.shape[1]), noise, total.reciprocal_()[:, 0]


class _Constants(NamedTuple):
    """What is constant while a loss is differentiated.

    log_counts: [N T + S], to subtract from the scores.
    num_true: T.
    cells: the candidates to leave out, as positions in the flattened [N, S].
    """

    link: Link
    log_counts: Tensor
    num_true: int
    cells: Tensor | None


LOGISTIC = Link(_logistic_residuals, logistic)
SOFTMAX = Link(_softmax_residuals, cross_entropy)


def sampled_loss(
    link: Link,
    hidden: Tensor,
    rows: Tensor,
    bias: Tensor | None,
    log_counts: Tensor,
    num_true: int,
    hits: tuple[Tensor, Tensor] | None,
) -> Tensor:
    """Loss [N] in nats.

    Args:
        link: `LOGISTIC` or `SOFTMAX`.
        hidden: [N, D].
        rows: [N T + S, D], the labels' rows, then the candidates'.
        bias: [N T + S] or None.
        log_counts: [N T + S], constants to subtract from the scores.
        num_true: T.
        hits: (n, s) of candidates to leave out.
    """
    cells = None if hits is None else hits[1].add(hits[0], alpha=len(rows) - len(hidden) * num_true)
    constants = _Constants(link, log_counts, num_true, cells)
    return _SampledLoss.apply(hidden, rows, bias, constants, torch.is_grad_enabled())


def _plain_loss(hidden: Tensor, rows: Tensor, bias: Tensor | None, constants: _Constants) -> Tensor:
    """`sampled_loss` of PyTorch's own operators."""
    link, log_counts, num_true, cells = constants
    dtype, labels = accumulate_dtype(hidden), len(hidden) * num_true
    offset = -log_counts if bias is None else bias - log_counts
    hidden, rows = hidden.to(dtype), rows.to(dtype)
    true = (hidden[:, None] * rows[:labels].view(len(hidden), num_true, rows.shape[1])).sum(2)
    true = true + offset[:labels].view(true.shape)
    noise = hidden @ rows[labels:].t() + offset[labels:]
    if cells is not None:
        noise = noise.view(-1).index_fill(0, cells, REMOVED).view(noise.shape)
    return link.plain(true, noise)


class _SampledLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        rows: Tensor,
        bias: Tensor | None,
        constants: _Constants,
        differentiable: bool,
    ) -> Tensor:
        link, log_counts, num_true, cells = constants
        N, labels = len(hidden), len(hidden) * num_true
        dtype, kind = (
            accumulate_dtype(hidden),
            product_dtype(torch.promote_types(hidden.dtype, rows.dtype)),
        )
        offset = -log_counts if bias is None else bias - log_counts
        of_labels, of_noise = rows[:labels], rows[labels:]
        if num_true == 1:
            true = (hidden.to(dtype) * of_labels.to(dtype)).sum(1, keepdim=True)
        else:
            true = (
                hidden.to(dtype)[:, None] * of_labels.to(dtype).view(N, num_true, rows.shape[1])
            ).sum(2)
        true = true + offset[:labels].view(N, num_true)
        if kind == dtype == offset.dtype and not torch.is_autocast_enabled(hidden.device.type):
            # added while the product is written
            noise = linear(hidden.to(kind), of_noise.to(kind), offset[labels:])
        else:
            noise = linear(hidden.to(kind), of_noise.to(kind)).to(dtype) + offset[labels:]
        if cells is not None:
            noise.view(-1).index_fill_(0, cells, REMOVED)
        wanted = differentiable and any(ctx.needs_input_grad)
        loss, d_true, d_noise, scale = link.residuals(true, noise, wanted)
        if wanted:
            ctx.save_for_backward(hidden, rows, bias, log_counts, cells, d_true, d_noise, scale)
            ctx.link, ctx.kind = link, kind
        return loss

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        hidden, rows, bias, log_counts, cells, d_true, d_noise, scale = ctx.saved_tensors
        N, T = d_true.shape
        # create_graph=True: the gradients are to be differentiated in turn
        if torch.is_grad_enabled():
            inputs = [
                x
                for x, wanted in zip((hidden, rows, bias), ctx.needs_input_grad, strict=False)
                if wanted
            ]
            loss = _plain_loss(hidden, rows, bias, _Constants(ctx.link, log_counts, T, cells))
            found = iter(torch.autograd.grad(loss, inputs, gradient, create_graph=True))
            return (
                *(next(found) if wanted else None for wanted in ctx.needs_input_grad[:3]),
                *[None] * 2,
            )
        gradient = (gradient if scale is None else gradient * scale)[:, None]
        d_true, d_noise = d_true * gradient, d_noise * gradient
        of_noise, of_labels = d_noise.to(ctx.kind), rows[: N * T]
        d_hidden = d_rows = d_bias = None
        if ctx.needs_input_grad[0]:
            d_hidden = linear(of_noise, rows[N * T :].to(ctx.kind).t()).to(d_true.dtype)
            if T == 1:
                d_hidden.addcmul_(of_labels.to(d_true.dtype), d_true)
            else:
                d_hidden += (
                    of_labels.to(d_true.dtype).view(N, T, rows.shape[1]) * d_true[:, :, None]
                ).sum(1)
            d_hidden = d_hidden.to(hidden.dtype)
        if ctx.needs_input_grad[1]:
            h = hidden.to(d_true.dtype)
            d_rows = d_true.new_empty(rows.shape)
            if T == 1:
                torch.mul(h, d_true, out=d_rows[:N])
            else:
                torch.mul(
                    h[:, None], d_true[:, :, None], out=d_rows[: N * T].view(N, T, rows.shape[1])
                )
            d_rows[N * T :] = outer(of_noise, hidden.to(ctx.kind))
            d_rows = d_rows.to(rows.dtype)
        if ctx.needs_input_grad[2]:
            d_bias = torch.cat([d_true.view(-1), d_noise.sum(0)]).to(bias.dtype)
        return d_hidden, d_rows, d_bias, None, None
