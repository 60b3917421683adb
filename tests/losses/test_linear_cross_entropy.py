"""The full softmax against `torch.nn.functional.linear_cross_entropy`, which PyTorch has since
2.13: value and gradients, in one piece and in chunks."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from w2v.compat.losses import linear_cross_entropy as reduced_cross_entropy
from w2v.losses.math import score_sums
from w2v.losses.math.cross_entropy import linear_cross_entropy

ORACLE = getattr(F, "linear_cross_entropy", None)
pytestmark = pytest.mark.skipif(ORACLE is None, reason="PyTorch has none before 2.13")
N, D, V = 60, 8, 301
ON = [None, "chunks"]


def options(chunks: str | None) -> Any:
    return None if chunks is None else torch.nn.LinearCrossEntropyOptions(batch_chunk_size=16)


@pytest.fixture(params=["whole", "small blocks", "a GPU's rows"])
def blocks(request, monkeypatch):
    if request.param == "small blocks":
        monkeypatch.setattr(score_sums, "BLOCK_ROWS", 16)
        monkeypatch.setattr(score_sums, "BLOCK_CLASSES", 128)
        monkeypatch.setattr(score_sums, "EAGER_MOST_ROWS", 16)
        monkeypatch.setattr(score_sums, "EAGER_ROWS", 1)
    if request.param == "a GPU's rows":
        monkeypatch.setattr(score_sums, "distant", lambda _: True)
        monkeypatch.setattr(score_sums, "DEVICE_BYTES", 16 * V * 8)
        monkeypatch.setattr(score_sums, "EAGER_ROWS", 1)


def problem(dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    shapes = (N, D), (V, D), (V,)
    tensors = (torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes)
    hidden, weight, bias = (each.to(dtype).requires_grad_() for each in tensors)
    return hidden, weight, bias, torch.randint(V, (N,), generator=generator)


def alike(ours: Tensor, theirs: Tensor, *inputs: Tensor) -> None:
    """Value and gradients: 1e-5 in float32, 1e-10 in float64."""
    tolerance = 1e-10 if ours.dtype == torch.float64 else 1e-5
    torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance)
    pairs = zip(torch.autograd.grad(ours, inputs), torch.autograd.grad(theirs, inputs), strict=True)
    for one, other in pairs:
        torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance * other.abs().max())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("chunks", ON)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_value_and_gradients(blocks, dtype, chunks, reduction):
    hidden, weight, bias, target = problem(dtype)
    ours = getattr(linear_cross_entropy(hidden, weight, target), reduction)()
    theirs = ORACLE(hidden, weight, target, reduction=reduction, options=options(chunks))
    alike(ours, theirs, hidden, weight)
    ours = getattr(linear_cross_entropy(hidden, weight, target, bias), reduction)()
    theirs = ORACLE(hidden, weight, target, linear_bias=bias, reduction=reduction)
    alike(ours, theirs, hidden, weight, bias)


@pytest.mark.parametrize("chunks", ON)
def test_ignored_targets(blocks, chunks):
    hidden, weight, _, target = problem(torch.float64)
    target[::7] = 12
    ours = reduced_cross_entropy(hidden, weight, target, ignore_index=12)
    theirs = ORACLE(hidden, weight, target, ignore_index=12, options=options(chunks))
    alike(ours, theirs, hidden, weight)


@pytest.mark.parametrize("smoothing", [0.1, 1.0])
def test_label_smoothing(blocks, smoothing):
    hidden, weight, bias, target = problem(torch.float64)
    ours = linear_cross_entropy(hidden, weight, target, bias, smoothing=smoothing).mean()
    theirs = ORACLE(hidden, weight, target, linear_bias=bias, label_smoothing=smoothing)
    alike(ours, theirs, hidden, weight, bias)


@pytest.mark.parametrize("chunks", ON)
def test_weights_of_classes_are_factors_of_the_losses(blocks, chunks):
    """A mean is over the targets' weights."""
    hidden, weight, _, target = problem(torch.float64)
    factors = torch.rand(V, dtype=torch.float64, generator=torch.Generator().manual_seed(6))
    losses = linear_cross_entropy(hidden, weight, target) * factors[target]
    theirs = ORACLE(hidden, weight, target, weight=factors, options=options(chunks))
    alike(losses.sum() / factors[target].sum(), theirs, hidden, weight)
