"""Matrix products of scores, computed by the fastest library that PyTorch includes.

On a CPU, PyTorch multiplies float32 matrices with MKL, which uses only half of the vector width on
processors not made by Intel. oneDNN, which PyTorch also includes, uses all of it.

    with bfloat16_products():          # twice as fast again if the hardware supports it
        loss = layer(hidden, target)
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor
from torch.nn import functional as F

from w2v.losses.math.numbers import accumulate_dtype

_reduced: ContextVar[bool] = ContextVar("products in bfloat16", default=False)


@contextmanager
def bfloat16_products() -> Iterator[None]:
    """Within the block, losses that score all V rows multiply in bfloat16. Meant for training, on
    hardware with bfloat16 support."""
    token = _reduced.set(True)
    try:
        yield
    finally:
        _reduced.reset(token)


def product_dtype(usual: torch.dtype) -> torch.dtype:
    """Returns the dtype to multiply in: bfloat16 within `bfloat16_products`, otherwise `usual`."""
    return torch.bfloat16 if _reduced.get() else usual


def all_scores(hidden: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Returns hidden @ weight.T + bias [U, V] in float32 (float64 stays), also under autocast."""
    dtype = accumulate_dtype(hidden)
    with torch.autocast(hidden.device.type, enabled=False):
        bias = None if bias is None else bias.to(dtype)
        return F.linear(hidden.to(dtype), weight.to(dtype), bias)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Returns x [M, K] @ weight.T [K, N] + bias [N]; no autograd; weight may be transposed."""
    if _takes_onednn(x):
        return _onednn(x, weight, bias)
    return F.linear(x, weight, bias)


def outer(x: Tensor, y: Tensor) -> Tensor:
    """Returns x.T @ y for x [R, M], y [R, N]: [M, N], possibly a transposed view; no autograd."""
    if _takes_onednn(x):
        # oneDNN needs one operand transposed (here the narrower), which a single core does; for
        # small products MKL is faster
        if x.shape[1] <= 64 and y.numel() <= 1 << 17 and torch.get_num_threads() > 1:
            return torch.mm(y.t(), x).t()
        if x.shape[1] < y.shape[1]:
            return _onednn(x.t().contiguous(), y.t(), None)
        return _onednn(y.t().contiguous(), x.t(), None).t()
    return torch.mm(x.t(), y)


def add_outer(sums: Tensor, x: Tensor, y: Tensor) -> None:
    """Adds x.T @ y to sums [M, N] in place, in one pass if the library supports that."""
    if x.device.type == "cpu" or x.dtype != sums.dtype:
        sums += outer(x, y)
    else:
        sums.addmm_(x.t(), y)


def _onednn(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")  # type: ignore[no-any-return]


def _takes_onednn(x: Tensor) -> bool:
    return x.device.type == "cpu" and x.dtype == torch.float32 and x.numel() > 0 and _onednn_works()


@functools.cache
def _onednn_works() -> bool:
    """Returns whether this PyTorch has the undocumented operator, and it is correct."""
    mkldnn = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if not mkldnn or not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        return False
    x, weight, bias = torch.eye(2), torch.arange(6.0).view(3, 2), torch.ones(3)
    try:
        direct, transposed = _onednn(x, weight, bias), _onednn(x, weight.t().contiguous().t(), None)
    except RuntimeError:
        return False
    return torch.equal(direct, weight.t() + bias) and torch.equal(transposed, weight.t())
