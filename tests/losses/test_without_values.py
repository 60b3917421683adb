"""What a GPU is told does not hang on values: losses, gradients and updates on PyTorch's meta
device, where tensors have none, and which mixes with no other device."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch

from w2v.losses.layers import make_layer
from w2v.losses.math import score_sums
from w2v.losses.math.numbers import trusted_targets
from w2v.losses.math.products import bfloat16_products
from w2v.losses.table import LOSSES
from w2v.training import optimizers
from w2v.training.optimizers import OPTIMIZERS, Gradient

V, D, N = 300, 16, 40
META = {"device": "meta"}


# adaptive softmax asks how many targets each cluster has
@pytest.mark.parametrize("loss", [name for name in LOSSES if name != "adaptive-softmax"])
@pytest.mark.parametrize("products", ["float32", "bfloat16"])
def test_losses_and_gradients(loss, products, monkeypatch):
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # knows no such device
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda *_: False)
    monkeypatch.setattr(score_sums, "DEVICE_BYTES", 4 * V * 7)  # several blocks
    more = {"sparse": True} if LOSSES[loss].sparse else {}
    more |= {"generator": torch.Generator()} if LOSSES[loss].draws_noise else {}
    layer = make_layer(loss, D, torch.arange(V, 0, -1), **more).to("meta")
    hidden = torch.zeros(N, D, requires_grad=True, **META)
    target = torch.zeros(N, dtype=torch.int64, **META)
    with trusted_targets(), bfloat16_products() if products == "bfloat16" else nullcontext():
        losses = layer._loss(hidden, target, None)
    losses.sum().backward()
    assert losses.shape == (N,) and losses.dtype == torch.float32
    for tensor in (hidden, *layer.parameters()):
        assert tensor.grad is not None and tensor.grad.shape == tensor.shape
        assert tensor.grad.is_sparse == (tensor is not hidden and LOSSES[loss].sparse)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_clipped_updates(optimizer):
    tables = {"matrix": torch.zeros(5, 3, **META), "bias": torch.zeros(4, **META)}
    tables["number"] = torch.zeros((), **META)
    made = {name: OPTIMIZERS[optimizer](table) for name, table in tables.items()}
    found = [Gradient(name, torch.ones_like(table), None) for name, table in tables.items()]
    factor = optimizers.clip_factor(optimizers.norm(found).double(), 0.5)
    torch._foreach_mul_([each.values for each in found], factor)
    optimizers.update_all(made, found, 0.1)
    made["matrix"].update(torch.ones(2, 3, **META), 0.1, torch.zeros(2, dtype=torch.int64, **META))
