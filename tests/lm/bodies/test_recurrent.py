"""LSTM and GRU as bodies: PyTorch's parameters and values, with a dropout of our own."""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import w2v.lm.bodies.recurrent as recurrent
from w2v.lm.bodies.recurrent import RecurrentBody
from w2v.settings.language_model import LanguageModelSettings

KINDS = ["lstm", "gru"]


def body(arch: str, dim: int, units: int, layers: int = 1, **given: Any) -> RecurrentBody:
    given = {"dropout": 0.0, **given}
    settings = LanguageModelSettings(arch=arch, hidden=units, layers=layers, **given)
    return RecurrentBody(settings, dim)


def assert_alike(ours: list[Tensor], exact: list[Tensor], rtol: float) -> None:
    for mine, right in zip(ours, exact, strict=True):
        assert mine.shape == right.shape and mine.dtype == torch.float32
        assert (mine - right).abs().max() <= rtol * right.abs().max()


@pytest.mark.parametrize(("arch", "twin"), [("lstm", nn.LSTM), ("gru", nn.GRU)])
def test_parameters_are_torchs(arch, twin) -> None:
    torch.manual_seed(6)
    module = body(arch, 7, 9, 2)
    torch.manual_seed(6)
    expected = twin(7, 9, 2).state_dict()
    assert list(module.state_dict()) == [f"recurrent.{name}" for name in expected]
    for name, value in expected.items():
        assert torch.equal(module.state_dict()[f"recurrent.{name}"], value)


@pytest.mark.parametrize("arch", KINDS)
@pytest.mark.parametrize("variational", [False, True])
def test_bfloat16_products(arch, variational) -> None:
    torch.manual_seed(8)
    # A dropout that drops next to nothing, for the way that a variational one goes.
    module = body(arch, 16, 24, 2, variational=variational, dropout=1e-5 * variational)
    x = torch.randn(7, 10, 16, requires_grad=True)
    state = module.start(10)
    with torch.autocast("cpu", torch.bfloat16):
        for piece in (x[:3], x[3:]):  # the first one's state, whatever its type, goes on
            y, state = module(piece, state)
    ours = [y.float(), *torch.autograd.grad(y.sum(), list(module.parameters()))]
    wide = copy.deepcopy(module).double()
    wide_state = tuple(part.double() for part in wide.start(10))
    exact_y = wide(x.double(), wide_state)[0][3:]
    exact = [exact_y, *torch.autograd.grad(exact_y.sum(), list(wide.parameters()))]
    assert_alike(ours, exact, 3e-2)
    assert (ours[0] - exact[0]).abs().max() > 1e-5  # and not float32 all the same


@pytest.mark.parametrize("arch", KINDS)
def test_variational_dropout_between_layers(monkeypatch, arch) -> None:
    """One mask for all places of a call, another one at the next; before, between and behind the
    layers."""
    module, seen = body(arch, 4, 64, 2, dropout=0.25, variational=True), []

    def spied(rows: Tensor, *arguments: Any, **more: Any) -> Tensor:
        seen.append((rows.detach(), original(rows, *arguments, **more)))
        return seen[-1][1]

    original = recurrent.dropout
    monkeypatch.setattr(recurrent, "dropout", spied)
    torch.manual_seed(9)
    x = torch.randn(6, 10, 4)
    for _ in range(2):
        module(x, module.start(10))
    assert len(seen) == 6
    masks = [after == 0 for _, after in seen]
    for (before, after), mask in zip(seen, masks, strict=True):
        assert 0.15 < mask.float().mean() < 0.35
        assert bool((mask == mask[:1]).all())
        torch.testing.assert_close(after[~mask], before[~mask] / 0.75, rtol=1e-4, atol=0)
    assert not any(torch.equal(one, other) for one, other in pairwise((*masks[1:3], *masks[4:])))
    module.eval()
    assert torch.equal(module(x, module.start(10))[0], module(x, module.start(10))[0])
