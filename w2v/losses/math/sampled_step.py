"""A sampled loss [N] in nats as one autograd function of the gathered output rows.

    true[n, t] = h_n . r_nt + offset,    noise[n, s] = h_n . r_s + offset

The derivatives of the loss by these scores, the residuals, are computed in the forward pass; the
backward pass scales them by the incoming gradient [N] and multiplies. Second derivatives
(create_graph=True) use a version composed of PyTorch's own operators.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from w2v.losses.math.numbers import accumulate_dtype, gradients_again, nested, rows_for, transformed
from w2v.losses.math.products import linear, outer, product_dtype

# the score of an excluded noise word: finite, so that nothing becomes NaN
REMOVED = torch.finfo(torch.float32).min
LINEAR_FROM = 40.0  # from here on softplus(z) = z, exactly even in float64
LOG2_E = 1 / math.log(2)

# (loss [N], residuals of true, residuals of noise, the factor [N] by which each row's residuals
# must still be multiplied, None for 1); all but the loss are None if they are not needed
Residuals: TypeAlias = tuple[Tensor, Tensor | None, Tensor | None, Tensor | None]


class Link(NamedTuple):
    """Computes a loss [N] from true [N, T] and noise [N, S].

    residuals: called with (true, noise, wanted); it may overwrite noise.
    plain: called with (true, noise); autograd can differentiate it any number of times.
    separable: whether the loss is a sum over the scores; otherwise it is log-sum-exp - true.
    """

    residuals: Callable[[Tensor, Tensor, bool], Residuals]
    plain: Callable[[Tensor, Tensor], Tensor]
    separable: bool


class RowLayout(NamedTuple):
    """Describes the gathered rows, and holds the other inputs that are not differentiated.

    num_true: T; the first N T rows are those of the labels. sets: 1 if all hidden rows share S
    noise words, or U if each has its own S. row_of [N]: the hidden row of every target; None:
    target n has row n. removed: the noise words to exclude, as positions in the flattened [N, S]
    or, under torch.func and on a GPU, as a mask [N, S]; or None.
    """

    link: Link
    num_true: int = 1
    sets: int = 1
    row_of: Tensor | None = None
    removed: Tensor | None = None


def sampled_loss(hidden: Tensor, rows: Tensor, offset: Tensor | None, layout: RowLayout) -> Tensor:
    """Returns the loss [N] in nats for hidden [U, D] and rows [N T + S, D] or [N T + U S, D]: the
    rows of the labels, then of the noise words. offset, one per row, is added to the scores."""
    offset = None if offset is None else offset.to(accumulate_dtype(hidden))
    if transformed():
        return _plain_loss(layout, hidden, rows, offset)[0]
    return _SampledLoss.apply(hidden, rows, offset, layout, torch.is_grad_enabled())  # type: ignore[no-any-return, no-untyped-call]


def logistic(true: Tensor, noise: Tensor) -> Tensor:
    """Returns the logistic loss summed over the columns [N], with labels 1 / T for `true` [N, T]
    and 0 for `noise` [N, S]."""
    # softplus(z) - z / T = softplus(-z) + (1 - 1 / T) z, without the loss of digits for a large z
    loss = F.softplus(-true, threshold=LINEAR_FROM).sum(1)
    if true.shape[1] > 1:
        loss = loss + (1 - 1 / true.shape[1]) * true.sum(1)
    return loss + F.softplus(noise, threshold=LINEAR_FROM).sum(1)


def cross_entropy(true: Tensor, noise: Tensor) -> Tensor:
    """Returns minus the mean over `true` [N, T] of the log-softmax over `true` and `noise`; [N]."""
    return -F.log_softmax(torch.cat([true, noise], 1), 1)[:, : true.shape[1]].mean(1)


def _logistic_residuals(true: Tensor, noise: Tensor, needed: bool) -> Residuals:
    """`logistic` with the residuals sigmoid(z) - 1 / T of labels, sigmoid(z) of noise words."""
    loss = logistic(true, noise)
    if not needed:
        return loss, None, None, None
    # sigmoid(z) - 1 / T, without losing digits for a large z
    return loss, (1 - 1 / true.shape[1]) - torch.sigmoid(-true), noise.sigmoid_(), None


def _softmax_residuals(true: Tensor, noise: Tensor, needed: bool) -> Residuals:
    """`cross_entropy` with the residuals softmax - 1 / T of labels, softmax of noise words."""
    top = torch.maximum(true.amax(1, keepdim=True), noise.amax(1, keepdim=True))
    below = true - top
    noise = noise.sub_(top).mul_(LOG2_E).exp2_()  # exp would take three times as long on a CPU
    powers = below.exp()
    total = noise.sum(1, keepdim=True).add_(powers.sum(1, keepdim=True))
    loss = (total.log() - below).mean(1)
    if not needed:
        return loss, None, None, None
    return loss, powers.sub_(total, alpha=1 / true.shape[1]), noise, total.reciprocal_()[:, 0]


LOGISTIC = Link(_logistic_residuals, logistic, separable=True)
SOFTMAX = Link(_softmax_residuals, cross_entropy, separable=False)


def _plain_loss(
    layout: RowLayout, hidden: Tensor, rows: Tensor, offset: Tensor | None
) -> tuple[Tensor]:
    """`sampled_loss` in PyTorch's own operators."""
    dtype, removed = accumulate_dtype(hidden), layout.removed
    hidden, rows = hidden.to(dtype), rows.to(dtype)
    of_targets = rows_for(hidden, layout.row_of)
    labels, D = len(of_targets) * layout.num_true, rows.shape[1]
    true = (of_targets[:, None] * rows[:labels].reshape(len(of_targets), layout.num_true, D)).sum(2)
    with torch.autocast(hidden.device.type, enabled=False):
        if layout.sets == 1:
            noise = hidden @ rows[labels:].t()
        else:
            noise = (rows[labels:].reshape(layout.sets, -1, D) * hidden[:, None]).sum(2)
    if offset is not None:
        true = true + offset[:labels].reshape(true.shape)
        noise = noise + offset[labels:].reshape(layout.sets, -1)
    noise = rows_for(noise, layout.row_of)
    if removed is not None and removed.dtype == torch.bool:
        noise = noise.masked_fill(removed, REMOVED)
    elif removed is not None:
        noise = noise.reshape(-1).index_fill(0, removed, REMOVED).view(noise.shape)
    return (layout.link.plain(true, noise),)


class _SampledLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, rows: Tensor, offset: Tensor | None, layout: RowLayout, grad: bool
    ) -> Tensor:
        T, D, dtype = layout.num_true, rows.shape[1], accumulate_dtype(hidden)
        kind = product_dtype(torch.promote_types(hidden.dtype, rows.dtype))
        of_targets = rows_for(hidden, layout.row_of).to(dtype)
        labels = len(of_targets) * T
        of_labels, of_noise = rows[:labels].to(dtype), rows[labels:].to(kind)
        true = (of_targets[:, None] * of_labels.view(len(of_targets), T, D)).sum(2)
        added = None if offset is None else offset[labels:]
        if layout.sets > 1:
            noise = torch.bmm(of_noise.view(layout.sets, -1, D), hidden.to(kind)[:, :, None])
            noise = noise[:, :, 0].to(dtype)
        elif added is not None and kind == dtype == added.dtype and not _autocast(hidden):
            noise = linear(hidden.to(kind), of_noise, added)  # adds while writing the product
            added = None
        else:
            noise = linear(hidden.to(kind), of_noise).to(dtype)
        if offset is not None:
            true = true + offset[:labels].view(-1, T)
        if added is not None:
            noise = noise + added.view(layout.sets, -1)
        noise = rows_for(noise, layout.row_of)
        if layout.removed is not None and layout.removed.dtype == torch.bool:
            noise.masked_fill_(layout.removed, REMOVED)
        elif layout.removed is not None:
            noise.view(-1).index_fill_(0, layout.removed, REMOVED)
        needed = grad and any(ctx.needs_input_grad)
        loss, d_true, d_noise, scale = layout.link.residuals(true, noise, needed)
        if needed:
            ctx.save_for_backward(hidden, rows, offset, d_true, d_noise, scale)
            ctx.layout, ctx.kind = layout, kind
        return loss

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        hidden, rows, offset, d_true, d_noise, scale = ctx.saved_tensors
        layout, kind, dtype, needed = ctx.layout, ctx.kind, d_true.dtype, ctx.needs_input_grad[:3]
        if nested((gradient,)):
            plain, inputs = partial(_plain_loss, layout), (hidden, rows, offset)
            return *gradients_again(plain, inputs, needed, (gradient,)), None, None
        (N, T), D, per_row = d_true.shape, rows.shape[1], layout.sets > 1
        gradient = (gradient if scale is None else gradient * scale)[:, None]
        d_true, d_noise = d_true * gradient, d_noise * gradient
        if layout.row_of is not None:
            d_noise = _sums(d_noise, layout.row_of, len(hidden))
        factors, of_labels = d_noise.to(kind), rows[: N * T].to(dtype)
        d_hidden = d_rows = d_offset = None
        if needed[0]:
            of_noise = rows[N * T :].to(kind)
            if per_row:
                d_hidden = torch.bmm(factors[:, None], of_noise.view(layout.sets, -1, D))[:, 0]
            else:
                d_hidden = linear(factors, of_noise.t())
            d_hidden = d_hidden.to(dtype)
            if layout.row_of is not None:
                products = (of_labels.view(N, T, D) * d_true[:, :, None]).sum(1)
                d_hidden.index_add_(0, layout.row_of, products)
            elif T == 1:
                d_hidden.addcmul_(of_labels, d_true)
            else:
                d_hidden += (of_labels.view(N, T, D) * d_true[:, :, None]).sum(1)
            d_hidden = d_hidden.to(hidden.dtype)
        if needed[1]:
            h, d_rows = rows_for(hidden, layout.row_of).to(dtype), d_true.new_empty(rows.shape)
            torch.mul(h[:, None], d_true[:, :, None], out=d_rows[: N * T].view(N, T, D))
            if per_row:
                products = hidden.to(dtype)[:, None] * d_noise[:, :, None]
                d_rows[N * T :] = products.view(-1, D)
            else:
                d_rows[N * T :] = outer(factors, hidden.to(kind))
            d_rows = d_rows.to(rows.dtype)
        if needed[2]:
            d_offset = d_noise.view(-1) if per_row else d_noise.sum(0)
            d_offset = torch.cat([d_true.view(-1), d_offset]).to(offset.dtype)
        return d_hidden, d_rows, d_offset, None, None


def _autocast(hidden: Tensor) -> bool:
    return torch.is_autocast_enabled(hidden.device.type)


def _sums(values: Tensor, row_of: Tensor, rows: int) -> Tensor:
    """Returns the sums [rows, S] of those values [N, S] that belong to the same row."""
    return values.new_zeros(rows, values.shape[1]).index_add_(0, row_of, values)


def log_count(expected_count: Tensor, dtype: torch.dtype) -> Tensor:
    """Returns the log of expected counts, which are constants; 0 is replaced by the smallest
    positive number."""
    counts = expected_count.detach().double()
    return counts.clamp_min(torch.finfo(torch.float64).tiny).log_().to(dtype)


def take_rows(ids: Tensor, sparse: bool, *tables: Tensor) -> tuple[Tensor, ...]:
    """Returns table[ids] [len(ids), ...] for each table [V, D] or [V], at least as float32;
    sparse: whether their gradients are sparse tensors of those rows."""
    if transformed():
        return tuple(table.to(accumulate_dtype(table)).index_select(0, ids) for table in tables)
    return tuple(
        _Rows.apply(table, ids, sparse)  # type: ignore[no-untyped-call]
        if sparse or table.dtype != accumulate_dtype(table)
        else table.index_select(0, ids)
        for table in tables
    )


class _Rows(torch.autograd.Function):
    """table[ids] with a sparse gradient (F.embedding supports this for [V, D] only), or a dense
    one. Gradients of narrower tables are summed in float32 too: sums in bfloat16 stop growing after
    a few hundred terms."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, ids: Tensor, sparse: bool) -> Tensor:
        ctx.save_for_backward(ids)
        ctx.shape, ctx.dtype, ctx.sparse = table.shape, table.dtype, sparse
        return table.index_select(0, ids).to(accumulate_dtype(table))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (ids,) = ctx.saved_tensors
        # sparse gradients cannot be differentiated again
        if not ctx.sparse or nested((gradient,)):
            sums = gradient.new_zeros(ctx.shape).index_add(0, ids, gradient)
            return sums.to(ctx.dtype), None, None
        rows = torch.sparse_coo_tensor(ids[None], gradient, ctx.shape, check_invariants=False)
        if gradient.dtype != ctx.dtype:
            rows = rows.coalesce().to(ctx.dtype)
        return rows, None, None
