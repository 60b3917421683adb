"""Every output layer on a GPU: value and gradients equal those on the CPU with the same noise
words."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.gpu.conftest import INTERPRETED
from tests.losses.test_every_loss import make_batch, make_layer
from w2v.losses.base import OutputLayer
from w2v.losses.table import LOSSES
from w2v.sampling.candidates import Candidates

pytestmark = pytest.mark.gpu
TYPES = [torch.float64] if INTERPRETED else [torch.float32, torch.float64]


def fix_noise(layer: OutputLayer, hidden: Tensor, device: str) -> None:
    """Draws the layer's noise words now, on the CPU, for all later calls."""
    torch.manual_seed(5)
    for part in layer.modules():
        if hasattr(part, "draw"):
            drawn = part.draw(hidden)
            there = (each.to(device) if isinstance(each, Tensor) else each for each in drawn)
            found = Candidates(*there)
            part.draw = lambda hidden, found=found: found  # type: ignore[assignment, misc]


def found(name: str, device: str, dtype: torch.dtype) -> list[Tensor]:
    """Returns the loss, its gradients, nll and log_prob."""
    hidden, target = make_batch("cpu", dtype=dtype)
    layer = make_layer(name, "cpu", dtype)
    fix_noise(layer, hidden, device)
    layer = layer.to(device)
    hidden = hidden.detach().to(device).requires_grad_()
    target = target.to(device)
    loss = layer(hidden, target)
    inputs = hidden, *layer.parameters()
    gradients = torch.autograd.grad(loss.sum(), inputs, allow_unused=True)
    parts = [loss, *gradients, layer.nll(hidden, target), layer.log_prob(hidden)]
    return [part.detach().to_dense().cpu() for part in parts if part is not None]


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("name", LOSSES)
def test_values_and_gradients(name: str, dtype: torch.dtype, device: str) -> None:
    own, expected = found(name, device, dtype), found(name, "cpu", dtype)
    assert len(own) == len(expected) >= 4
    for one, other in zip(own, expected, strict=True):
        near = 1e-5 if dtype == torch.float32 else 1e-10
        torch.testing.assert_close(one, other, rtol=near, atol=near)
