"""A sampled loss as one step of autograd, from the rows taken to [N] nats.

    true[n, t] = h_n . r_nt + offset,  noise[n, s] = h_n . r_s + offset,  offset = bias - log count

The derivatives by these scores, the residuals, are made in the forward pass together with the loss; the backward pass
scales them by the gradient [N] that comes in, and multiplies.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from w2v.losses.base import accumulate_dtype
from w2v.losses.products import linear, outer, product_dtype
from w2v.losses.sampled import REMOVED, logistic

# What `link(true [N, T], noise [N, S], wanted)` gives: the loss [N] and, if wanted, the residuals of true and noise and
# what each row of both has yet to be multiplied by [N] (None: nothing). It may overwrite noise.
Residuals: TypeAlias = tuple[Tensor, Tensor | None, Tensor | None, Tensor | None]
Link: TypeAlias = Callable[[Tensor, Tensor, bool], Residuals]


def logistic_residuals(true: Tensor, noise: Tensor, wanted: bool) -> Residuals:
    """`w2v.losses.sampled.logistic`: sigmoid(z) - 1 / T of a label, sigmoid(z) of a candidate."""
    loss = logistic(true, noise)
    if not wanted:
        return loss, None, None, None
    # sigmoid(z) - 1 / T, without the loss of digits for a large z
    return loss, (1 - 1 / true.shape[1]) - torch.sigmoid(-true), noise.sigmoid_(), None


def softmax_residuals(true: Tensor, noise: Tensor, wanted: bool) -> Residuals:
    """`w2v.losses.sampled.cross_entropy`: softmax - 1 / T of a label, softmax of a candidate."""
    top = torch.maximum(true.amax(1, keepdim=True), noise.amax(1, keepdim=True))
    below = true - top
    noise = noise.sub_(top).exp_()
    powers = below.exp()
    total = powers.sum(1) + noise.sum(1)
    loss = total.log() - below.mean(1)
    if not wanted:
        return loss, None, None, None
    return loss, powers - (total / true.shape[1])[:, None], noise, total.reciprocal_()


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
        link: `logistic_residuals` or `softmax_residuals`.
        hidden: [N, D].
        rows: [N T + S, D], the labels' rows, then the candidates'.
        bias: [N T + S] or None.
        log_counts: [N T + S], constants to subtract from the scores.
        num_true: T.
        hits: (n, s) of candidates to leave out.
    """
    return _SampledLoss.apply(hidden, rows, bias, log_counts, link, num_true, hits, torch.is_grad_enabled())


class _SampledLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        rows: Tensor,
        bias: Tensor | None,
        log_counts: Tensor,
        link: Link,
        num_true: int,
        hits: tuple[Tensor, Tensor] | None,
        differentiable: bool,
    ) -> Tensor:
        N, labels = len(hidden), len(hidden) * num_true
        dtype, kind = accumulate_dtype(hidden), product_dtype(torch.promote_types(hidden.dtype, rows.dtype))
        offset = -log_counts if bias is None else bias - log_counts
        h, r = hidden.to(dtype), rows[:labels].to(dtype)
        true = (h * r).sum(1)[:, None] if num_true == 1 else (h[:, None] * r.view(N, num_true, -1)).sum(2)
        true = true + offset[:labels].view(N, num_true)
        if kind == dtype == offset.dtype:  # added while the product is written
            noise = linear(hidden.to(kind), rows[labels:].to(kind), offset[labels:])
        else:
            noise = linear(hidden.to(kind), rows[labels:].to(kind)).to(accumulate_dtype(hidden)) + offset[labels:]
        if hits is not None:
            noise.index_put_(hits, noise.new_tensor(REMOVED))
        wanted = differentiable and any(ctx.needs_input_grad)
        loss, of_true, of_noise, scale = link(true, noise, wanted)
        if wanted:
            ctx.save_for_backward(hidden, rows, of_true, of_noise, scale)
            ctx.kind, ctx.bias_dtype = kind, None if bias is None else bias.dtype
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        hidden, rows, of_true, of_noise, scale = ctx.saved_tensors
        N, T = of_true.shape
        gradient = (gradient if scale is None else gradient * scale)[:, None]
        of_true, of_noise = of_true * gradient, of_noise * gradient
        noise = of_noise.to(ctx.kind)
        d_hidden = d_rows = d_bias = None
        if ctx.needs_input_grad[0]:
            r = rows[: N * T].to(of_true.dtype)
            d_hidden = linear(noise, rows[N * T :].to(ctx.kind).t()).to(of_true.dtype)
            if T == 1:
                d_hidden.addcmul_(r, of_true)
            else:
                d_hidden += (r.view(N, T, -1) * of_true[:, :, None]).sum(1)
            d_hidden = d_hidden.to(hidden.dtype)
        if ctx.needs_input_grad[1]:
            h = hidden.to(of_true.dtype)
            d_rows = of_true.new_empty(rows.shape)
            torch.mul(h[:, None], of_true[:, :, None], out=d_rows[: N * T].view(N, T, -1))
            d_rows[N * T :] = outer(noise, hidden.to(ctx.kind))
            d_rows = d_rows.to(rows.dtype)
        if ctx.needs_input_grad[2]:
            d_bias = torch.cat([of_true.reshape(-1), of_noise.sum(0)]).to(ctx.bias_dtype)
        return d_hidden, d_rows, d_bias, None, None, None, None, None
