"""Layers, batches and a tolerance for the tests of adaptive softmax."""

from __future__ import annotations

import numpy as np
import torch

from w2v.losses.adaptive import AdaptiveSoftmax
from w2v.losses.options import AdaptiveOptions

D, V, CUTOFFS = 16, 60, (20, 40)
DTYPES = [torch.float64, torch.float32]


def counts_of(V: int) -> torch.Tensor:
    return (10**6 / torch.arange(1, V + 1)).long()


def layer_for(
    V: int = V, dim: int = D, cutoffs=CUTOFFS, div: float = 2.0, dtype=torch.float64, **more
):
    """A layer with random weights, a head bias unless told otherwise."""
    options = AdaptiveOptions(cutoffs=tuple(map(str, cutoffs)), div_value=div)
    layer = AdaptiveSoftmax(dim, counts_of(V), options, **{"bias": True, **more}).to(dtype)
    torch.manual_seed(2)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    return layer


def torchs(layer: AdaptiveSoftmax) -> torch.nn.AdaptiveLogSoftmaxWithLoss:
    """torch's module of the same shape, other weights."""
    dtype = layer.head.weight.dtype
    return torch.nn.AdaptiveLogSoftmaxWithLoss(
        layer.dim,
        layer.num_classes,
        layer.cutoffs,
        layer.options.div_value,
        layer.head.bias is not None,
        dtype=dtype,
    )


def batch_for(N: int, V: int = V, dim: int = D, dtype=torch.float64):
    generator = torch.Generator().manual_seed(N)
    hidden = (
        torch.randn(N, dim, generator=generator, dtype=torch.float64).to(dtype).requires_grad_()
    )
    return hidden, torch.randint(0, V, (N,), generator=generator)


def close(got: torch.Tensor, right: np.ndarray | torch.Tensor, dtype: torch.dtype) -> None:
    """Within 1e-10, or in float32 1e-5 of the largest value."""
    right = torch.as_tensor(right).double()
    tolerance = 1e-10 if dtype == torch.float64 else 1e-5
    scale = max(float(right.abs().max()), 1.0) if right.numel() else 1.0
    torch.testing.assert_close(got.double(), right, rtol=tolerance, atol=tolerance * scale)
