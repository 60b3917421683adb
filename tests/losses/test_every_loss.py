"""One suite over every output layer of the registry: what must hold whatever the rows and the link
are."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from w2v.losses.base import OutputLayer
from w2v.losses.layers import layer_class
from w2v.losses.table import LOSSES

V, D, N = 23, 6, 9
COUNTS = torch.arange(V, 0, -1) * 3
DEVICES = ["cpu"] + (["cuda"] if torch.cuda.is_available() else [])
SAMPLED = ("neg", "nce", "sampled-softmax")

pytestmark = pytest.mark.parametrize("device", DEVICES)


def make_layer(
    name: str, device: str, dtype: torch.dtype = torch.float64, **options: object
) -> OutputLayer:
    """A layer with random rows (new ones are 0, which would hide most mistakes)."""
    chosen = dataclasses.replace(LOSSES[name].options(), **options)
    layer = layer_class(name)(D, COUNTS, chosen)
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.7)
    return layer.to(device, dtype)


def make_batch(
    device: str, n: int = N, dtype: torch.dtype = torch.float64
) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(n)
    hidden = torch.randn(n, D, generator=random, dtype=dtype).to(device).requires_grad_()
    return hidden, torch.randint(0, V, (n,), generator=random).to(device)


def loss_of(
    layer: OutputLayer,
    hidden: torch.Tensor,
    target: torch.Tensor,
    row_of: torch.Tensor | None = None,
):
    """The loss with the same noise words every time."""
    torch.manual_seed(11)
    return layer(hidden, target, row_of)


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_those_of_the_loss(name: str, device: str) -> None:
    layer = make_layer(name, device)
    hidden, target = make_batch(device)
    parameters = tuple(layer.parameters())

    def losses(hidden: torch.Tensor, *values: torch.Tensor) -> torch.Tensor:
        return loss_of(layer, hidden, target)

    assert torch.autograd.gradcheck(losses, (hidden, *parameters), fast_mode=True)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("n", [0, 1])
def test_no_rows_and_one_row(name: str, n: int, device: str) -> None:
    layer = make_layer(name, device)
    hidden, target = make_batch(device, n)
    loss = loss_of(layer, hidden, target)
    assert loss.shape == (n,)
    loss.sum().backward()
    assert hidden.grad is not None and hidden.grad.shape == (n, D)
    assert layer.nll(hidden, target).shape == (n,)
    assert layer.log_prob(hidden).shape == (n, V)
    ids, values = layer.predict(hidden, 3)
    assert ids.shape == values.shape == (n, 3)


@pytest.mark.parametrize("name", LOSSES)
def test_rows_do_not_depend_on_each_other(name: str, device: str) -> None:
    layer = make_layer(name, device)
    hidden, target = make_batch(device)
    order = torch.randperm(N, generator=torch.Generator().manual_seed(5)).to(device)
    whole = loss_of(layer, hidden, target)
    torch.testing.assert_close(loss_of(layer, hidden[order], target[order]), whole[order])
    torch.testing.assert_close(loss_of(layer, hidden[:4], target[:4]), whole[:4])


@pytest.mark.parametrize("name", LOSSES)
def test_row_of_is_repetition(name: str, device: str) -> None:
    layer = make_layer(name, device)
    hidden, _ = make_batch(device, 4)
    row_of = torch.tensor([2, 0, 0, 3, 2, 2], device=device)
    target = torch.tensor([1, 5, 22, 0, 7, 1], device=device)
    shared = loss_of(layer, hidden, target, row_of)
    repeated = loss_of(layer, hidden[row_of], target)
    torch.testing.assert_close(shared, repeated)
    for one, other in zip(
        torch.autograd.grad(shared.sum(), (hidden, *layer.parameters()), allow_unused=True),
        torch.autograd.grad(repeated.sum(), (hidden, *layer.parameters()), allow_unused=True),
        strict=True,
    ):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            torch.testing.assert_close(one, other)


@pytest.mark.parametrize("name", LOSSES)
def test_probabilities(name: str, device: str) -> None:
    layer = make_layer(name, device)
    hidden, target = make_batch(device)
    log_prob = layer.log_prob(hidden)
    torch.testing.assert_close(
        log_prob.exp().sum(1), torch.ones(N, dtype=torch.float64, device=device)
    )
    torch.testing.assert_close(
        layer.nll(hidden, target), -log_prob.gather(1, target[:, None])[:, 0]
    )
    ids, values = layer.predict(hidden, 5)
    torch.testing.assert_close(values, log_prob.topk(5, dim=1).values)
    torch.testing.assert_close(log_prob.gather(1, ids), values)
    if LOSSES[name].exact:
        torch.testing.assert_close(loss_of(layer, hidden, target), layer.nll(hidden, target))


@pytest.mark.parametrize("name", LOSSES)
def test_evaluation_keeps_nothing_for_a_backward_pass(name: str, device: str) -> None:
    layer = make_layer(name, device)
    hidden, target = make_batch(device, 300)
    kept: list[int] = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        with_graph = layer.nll(hidden, target)
        assert with_graph.requires_grad and kept
        # an nll that will be differentiated does not hold the scores [N, V], nor a part of them per
        # NLL_ROWS
        assert max(kept) < len(hidden) * V / 2
        kept.clear()
        assert not any(result.requires_grad for result in layer.predict(hidden, 3))
        with torch.no_grad():
            nll, log_prob = layer.nll(hidden, target), layer.log_prob(hidden)
        assert not (nll.requires_grad or log_prob.requires_grad or kept)
    torch.testing.assert_close(nll, with_graph)
    torch.testing.assert_close(nll, -log_prob.gather(1, target[:, None])[:, 0])


@pytest.mark.parametrize("name", LOSSES)
def test_rows_of_its_own_start_where_they_can_learn(name: str, device: str) -> None:
    layer = layer_class(name)(D, COUNTS, LOSSES[name].options()).to(device)
    hidden, target = make_batch(device, dtype=torch.float32)
    assert any(parameter.dim() == 2 for parameter in layer.parameters())
    loss = loss_of(layer, hidden, target)
    gradients = torch.autograd.grad(loss.sum(), tuple(layer.parameters()), allow_unused=True)
    assert loss.isfinite().all()
    assert any(bool(gradient.to_dense().any()) for gradient in gradients if gradient is not None)
    assert all(
        bool(gradient.to_dense().isfinite().all()) for gradient in gradients if gradient is not None
    )


@pytest.mark.parametrize("name", LOSSES)
def test_float32_and_autocast_agree_with_float64(name: str, device: str) -> None:
    hidden, target = make_batch(device)
    exact = loss_of(make_layer(name, device), hidden, target)
    layer = make_layer(name, device, torch.float32)
    single = loss_of(layer, hidden.detach().float(), target)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), exact, rtol=1e-5, atol=1e-5)
    with torch.autocast(device, torch.bfloat16):
        mixed = loss_of(layer, hidden.detach().float(), target)
    assert mixed.dtype == torch.float32
    torch.testing.assert_close(mixed.double(), exact, rtol=0.05, atol=0.3)


@pytest.mark.parametrize("name", LOSSES)
def test_classes_out_of_range_are_refused_with_both_numbers(name: str, device: str) -> None:
    layer = make_layer(name, device)
    hidden, target = make_batch(device)
    for wrong in (V, -1):
        target[3] = wrong
        with pytest.raises(ValueError, match=rf"{wrong}.*{V - 1}"):
            layer(hidden, target)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("shape", [(), (3, 3), (N, 1), (1, N)])
def test_any_shape_of_targets_is_taken(name: str, shape: tuple[int, ...], device: str) -> None:
    layer = make_layer(name, device)
    hidden, target = make_batch(device, max(1, math.prod(shape)))
    want, hidden, target = (
        loss_of(layer, hidden, target),
        hidden.view(*shape, D),
        target.view(shape),
    )
    torch.testing.assert_close(loss_of(layer, hidden, target), want.view(shape))
    torch.testing.assert_close(
        layer.nll(hidden, target), -layer.log_prob(hidden).gather(-1, target[..., None])[..., 0]
    )
    assert layer.predict(hidden, 3)[0].shape == (*shape, 3)
    assert layer.sample(hidden).shape == shape


@pytest.mark.parametrize("name", LOSSES)
def test_a_column_of_targets_is_taken_too(name: str, device: str) -> None:
    layer = make_layer(name, device)
    hidden, target = make_batch(device)
    torch.testing.assert_close(
        loss_of(layer, hidden, target[:, None]), loss_of(layer, hidden, target)
    )


@pytest.mark.parametrize("name", LOSSES)
def test_shapes_that_do_not_fit_are_refused_in_a_sentence(name: str, device: str) -> None:
    layer = make_layer(name, device)
    hidden, target = make_batch(device)
    for wrong in (
        (hidden, target[None]),
        (hidden[:, :4], target),
        (hidden.long(), target),
        (hidden, target[:4]),
        (hidden, target, target[:4]),
        (hidden, target, torch.full_like(target, N)),
    ):
        with pytest.raises(ValueError, match=r"shape|must be|range from 9 to 9"):
            layer(*wrong)


@pytest.mark.parametrize("name", LOSSES)
def test_the_loss_falls_when_it_is_followed(name: str, device: str) -> None:
    layer = make_layer(name, device)
    hidden, target = make_batch(device)
    hidden = hidden.detach().requires_grad_()
    before = layer.nll(hidden, target).mean().item()
    optimizer = torch.optim.Adam([hidden, *layer.parameters()], lr=0.05)
    for step in range(60):
        torch.manual_seed(step)
        optimizer.zero_grad()
        layer(hidden, target).mean().backward()
        optimizer.step()
    assert layer.nll(hidden, target).mean().item() < 0.7 * before
