"""Derivatives of every layer and function beyond the first backward pass: second ones, passes that
repeat, many at once, torch.func, forward mode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck
from torch.autograd.functional import hessian, jacobian
from torch.nn.utils import parametrize

from tests.losses.references import D, V, make
from w2v.compat import losses as functions
from w2v.compat import tensorflow as tf
from w2v.compat.paddle import hsigmoid_loss
from w2v.compat.torch import adaptive_log_softmax_with_loss
from w2v.losses import LOSSES

N = 4
TARGET = torch.tensor([0, 3, 22, 3])
Loss = Callable[[Tensor, Tensor], Tensor]


def normal(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def layer_loss(name: str, more: str = "") -> Loss:
    """[N] of hidden and the layer's first parameter."""
    layer = make(name)
    first = next(name for name, _ in layer.named_parameters())

    def loss(hidden: Tensor, rows: Tensor) -> Tensor:
        if more == "nll and log_prob":
            return torch.func.functional_call(
                Both(layer), {f"layer.{first}": rows}, (hidden, TARGET)
            )
        shared = (torch.tensor([1, 0, 1, 1]),) if more == "rows shared" else ()
        return torch.func.functional_call(layer, {first: rows}, (hidden, TARGET, *shared))

    return loss


class Both(torch.nn.Module):
    """nll and log_prob together."""

    def __init__(self, layer: torch.nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, hidden: Tensor, target: Tensor) -> Tensor:
        of_all = self.layer.log_prob(hidden).square().mean(1)
        return self.layer.nll(hidden, target) + of_all


def function_losses() -> dict[str, Loss]:
    row, none = {"reduction": "none"}, {"reduction": "none", "ignore_index": 22}
    classes = torch.linspace(0.5, 2, V, dtype=torch.float64)
    soft = normal(N, V, seed=5).softmax(1)
    small, down = normal(V - 5, 3, seed=6), normal(3, D, seed=7)
    drawn = torch.tensor([2, 7, 3]), torch.full((N, 1), 0.2), torch.tensor([0.3, 0.1, 0.2])
    codes = torch.tensor([[0, 1, -1], [2, -1, -1], [3, 4, 5], [1, 2, 3]])
    return {
        "linear": lambda h, w: functions.linear_cross_entropy(h, w, TARGET, w[:, 0], **none),
        "linear, smoothed": lambda h, w: functions.linear_cross_entropy(
            h, w, TARGET, label_smoothing=0.2, **row
        ),
        "am": lambda h, w: functions.am_softmax_loss(h, w, TARGET, 5.0, 0.2, **none),
        "l": lambda h, w: functions.l_softmax_loss(h, w, TARGET, 3, 0.5, **none),
        "smoothing": lambda h, w: functions.label_smoothing_cross_entropy(
            h @ w.T, TARGET, 0.2, classes, **none
        ),
        "soft": lambda h, w: functions.label_smoothing_cross_entropy(h @ w.T, soft, 0.2, **row),
        "sparse": lambda h, w: functions.sparse_softmax_cross_entropy(
            h @ w.T, TARGET, 4, True, classes, **none
        ),
        "margin": lambda h, w: functions.soft_margin_cross_entropy(
            h @ w.T, TARGET, 0.3, classes, **none
        ),
        "adaptive": lambda h, w: (
            adaptive_log_softmax_with_loss(h, TARGET, w[:6], [(down, small)], [5]).output
        ),
        "hsigmoid of Paddle": lambda h, w: hsigmoid_loss(h, TARGET, V, w, w[:, 1])[:, 0],
        "hsigmoid of Paddle, paths": lambda h, w: hsigmoid_loss(
            h, TARGET, V, w, None, codes, codes > 2
        )[:, 0],
        "nce of TensorFlow": lambda h, w: tf.nce_loss(
            w, w[:, 0], TARGET, h, 3, V, sampled_values=drawn
        ),
        "sampled softmax": lambda h, w: tf.sampled_softmax_loss(
            w, None, TARGET, h, 3, V, sampled_values=drawn
        ),
    }


FUNCTIONS = function_losses()
ALL = [name + more for name in LOSSES for more in ("", ", rows shared", ", nll and log_prob")]
ALL += FUNCTIONS


def loss_of(name: str) -> Loss:
    return FUNCTIONS[name] if name in FUNCTIONS else layer_loss(*name.split(", "))


def inputs(name: str) -> tuple[Tensor, Tensor]:
    base = name.split(",")[0]
    wide = (V, D) if name in FUNCTIONS else next(make(base).parameters()).shape
    return normal(N, D).requires_grad_(), (normal(*wide, seed=1) * 0.7).requires_grad_()


@pytest.mark.parametrize("name", ALL)
def test_first_second_and_repeated(name: str) -> None:
    loss, given = loss_of(name), inputs(name)
    assert gradcheck(loss, given, fast_mode=True)
    assert gradgradcheck(loss, given, fast_mode=True, atol=1e-4)
    for kind in (torch.float64, torch.float32):
        some = [x.detach().to(kind).requires_grad_() for x in given]
        if kind == torch.float32 and name in FUNCTIONS:
            continue
        value = loss(*some)
        for reduced in (value.mean(), value.sum(), (value * torch.arange(N)).sum()):
            passes = [torch.autograd.grad(reduced, some, retain_graph=True) for _ in range(3)]
            assert all(map(torch.equal, passes[0], passes[1]))
            assert all(map(torch.equal, passes[0], passes[2]))
            again = torch.autograd.grad(reduced, some, create_graph=True)
            close = {"rtol": 1e-3, "atol": 1e-4} if kind == torch.float32 else {}
            for one, other in zip(passes[0], again, strict=True):
                torch.testing.assert_close(one, other, **close)


@pytest.mark.parametrize("name", ALL)
def test_hessians_and_penalties(name: str) -> None:
    loss, (hidden, rows) = loss_of(name), inputs(name)

    def total(h: Tensor) -> Tensor:
        return loss(h, rows.detach()).square().sum()

    def slope(h: Tensor) -> Tensor:
        return torch.autograd.grad(total(h), h, create_graph=True)[0]

    wanted = torch.zeros(N * D, N * D, dtype=torch.float64)
    for i in range(N * D):  # by differences of the first derivative
        step = torch.zeros(N * D, dtype=torch.float64).index_fill(0, torch.tensor([i]), 1e-6)
        ahead, behind = (hidden.detach() + sign * step.view(N, D) for sign in (1, -1))
        difference = slope(ahead.requires_grad_()) - slope(behind.requires_grad_())
        wanted[i] = difference.detach().flatten() / 2e-6
    close = {"rtol": 1e-4, "atol": 1e-4}
    for found in (
        hessian(total, hidden.detach()),
        hessian(total, hidden.detach(), vectorize=True),
        torch.func.hessian(total)(hidden.detach()),
    ):
        torch.testing.assert_close(found.view(N * D, N * D), wanted, **close)
    penalty = slope(hidden).square().sum()
    (gradient,) = torch.autograd.grad(penalty, hidden)
    by_hand = 2 * (wanted @ slope(hidden).detach().flatten()).view(N, D)
    torch.testing.assert_close(gradient, by_hand, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", ALL)
def test_functional_and_forward_derivatives(name: str) -> None:
    loss, (hidden, rows) = loss_of(name), inputs(name)
    hidden, rows = hidden.detach(), rows.detach()
    wanted = jacobian(lambda h: loss(h, rows), hidden)
    for found in (
        jacobian(lambda h: loss(h, rows), hidden, vectorize=True),
        torch.func.jacrev(loss)(hidden, rows),
        torch.func.jacfwd(loss)(hidden, rows),
    ):
        torch.testing.assert_close(found, wanted)
    gradient = torch.func.grad(lambda h, w: loss(h, w).sum(), argnums=1)(hidden, rows)
    tangents = normal(N, D, seed=3), normal(*rows.shape, seed=4)
    value, moved = torch.func.jvp(loss, (hidden, rows), tangents)
    torch.testing.assert_close(value, loss(hidden, rows))
    by_hand = (wanted * tangents[0]).sum((1, 2)).sum() + (gradient * tangents[1]).sum()
    torch.testing.assert_close(moved.sum(), by_hand)


@pytest.mark.parametrize("gap", [1e-3, 0.0, 50.0, 800.0])
@pytest.mark.parametrize("kind", [torch.float64, torch.float32])
def test_scores_far_apart(kind: torch.dtype, gap: float) -> None:
    """Where torch.logaddexp's second derivative is NaN, that of these is 0."""
    scores = torch.tensor([[gap, 0.0, -gap]], dtype=kind, requires_grad=True)
    target = torch.tensor([2])

    def plain(z: Tensor) -> Tensor:
        return torch.cat([z[:, :2], z[:, 2:]], 1).logsumexp(1).sum() - z[0, 2]

    found = hessian(lambda z: functions.sparse_softmax_cross_entropy(z, target, 2), scores)
    torch.testing.assert_close(found, hessian(plain, scores))


@pytest.mark.parametrize("name", LOSSES)
def test_losses_mapped_over_a_batch(name: str) -> None:
    layer, hidden = make(name), normal(N, D)
    wanted = torch.autograd.functional.jacobian(lambda h: layer(h, TARGET), hidden)
    wanted = wanted.diagonal(dim1=0, dim2=1).T
    mapped = torch.func.vmap(torch.func.grad(layer))(hidden, TARGET)
    torch.testing.assert_close(mapped, wanted)
    torch.testing.assert_close(torch.func.vmap(layer)(hidden, TARGET), layer(hidden, TARGET))
    torch.testing.assert_close(
        torch.func.vmap(layer.nll)(hidden, TARGET), layer.nll(hidden, TARGET)
    )
    torch.testing.assert_close(torch.func.vmap(layer.log_prob)(hidden), layer.log_prob(hidden))
    with pytest.raises(ValueError, match=f"targets range from 0 to {V}"):
        torch.func.vmap(layer)(hidden, torch.tensor([0, 3, V, 3]))
    if LOSSES[name].draws_noise:
        with pytest.raises(ValueError, match="per_row"):
            torch.func.vmap(make(name, per_row=True))(hidden, TARGET)
    try:
        found = torch.func.vmap(layer.predict)(hidden)
    except ValueError as error:
        assert "vmap" in str(error) and "\n" not in str(error)
    else:
        assert torch.equal(found[0], layer.predict(hidden)[0])


@pytest.mark.parametrize("mapped", [torch.func.vmap, torch.func.grad])
def test_errors_of_others_pass_as_they_are(mapped: Callable[..., Any]) -> None:
    class Fails(torch.nn.Module):
        fails = False

        def forward(self, weight: Tensor) -> Tensor:
            if self.fails:
                raise RuntimeError("a mistake of others")
            return weight

    layer, weight = make("softmax"), Fails()
    parametrize.register_parametrization(layer, "weight", weight)
    weight.fails = True
    one = (normal(D), TARGET[0]) if mapped is torch.func.grad else (normal(N, D), TARGET)
    with pytest.raises(RuntimeError) as caught:
        mapped(layer)(*one)
    assert str(caught.value) == "a mistake of others"


@pytest.mark.parametrize("name", ["linear", "am", "l", "smoothing", "sparse", "margin"])
def test_functions_mapped_over_a_batch(name: str) -> None:
    hidden, weight = normal(N, D), normal(V, D, seed=1)
    function = {
        "linear": functions.linear_cross_entropy,
        "am": functions.am_softmax_loss,
        "l": functions.l_softmax_loss,
        "smoothing": lambda h, w, t: functions.label_smoothing_cross_entropy(h @ w.T, t, 0.1),
        "sparse": lambda h, w, t: functions.sparse_softmax_cross_entropy(h @ w.T, t, 4),
        "margin": lambda h, w, t: functions.soft_margin_cross_entropy(h @ w.T, t, 0.2),
    }[name]
    found = torch.func.vmap(function, in_dims=(0, None, 0))(hidden, weight, TARGET)
    wanted = torch.stack([function(h, weight, t) for h, t in zip(hidden, TARGET, strict=True)])
    torch.testing.assert_close(found, wanted)
