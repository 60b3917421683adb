"""Dropout: how often, how much, which shape, which generator."""

from __future__ import annotations

import pytest
import torch

from w2v.lm.bodies.base import dropout


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_rate_and_scale(p: float) -> None:
    torch.manual_seed(0)
    rows = dropout(torch.ones(50, 40, 101), p)
    n = rows.numel()
    assert abs((rows == 0).sum().item() - n * p) < 5 * (n * p * (1 - p)) ** 0.5
    torch.testing.assert_close(
        rows[rows != 0], torch.full_like(rows[rows != 0], 1 / (1 - p)), rtol=1e-3, atol=0
    )


def test_neighbouring_units_are_independent() -> None:
    torch.manual_seed(1)
    dropped = (dropout(torch.ones(100_000), 0.3) == 0).double()
    for lag in (1, 2, 3, 4):
        both = (dropped[lag:] * dropped[:-lag]).mean().item()
        assert abs(both - 0.09) < 5 * (0.09 * 0.91 / 100_000) ** 0.5


def test_variational_shares_the_mask_over_places() -> None:
    torch.manual_seed(2)
    first, second = (dropout(torch.ones(7, 5, 33), 0.5, variational=True) for _ in range(2))
    assert torch.equal(first, first[:1].expand_as(first)) and not torch.equal(first, second)


def test_seeded_by_torch_and_differentiable() -> None:
    x = torch.randn(3, 4, 5, requires_grad=True)
    torch.manual_seed(3)
    first = dropout(x, 0.5)
    torch.manual_seed(3)
    assert torch.equal(first, dropout(x, 0.5))
    (grad,) = torch.autograd.grad(first.sum(), x)
    torch.testing.assert_close(grad * x.detach(), first.detach())


def test_nothing_and_everything() -> None:
    rows = torch.randn(3, 4, 5)
    assert dropout(rows, 0.0) is rows and dropout(rows, 0.5, training=False) is rows
    assert (dropout(rows, 1.0) == 0).all()
