"""Gradients of bfloat16 and float16 tensors: those of the same numbers in float32, rounded once,
however many rows are added up; and tables of another dtype than the rows that they score."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from w2v.compat import losses, paddle, tensorflow
from w2v.compat.torch import AdaptiveLogSoftmaxWithLoss
from w2v.losses.layers import make_layer
from w2v.losses.table import LOSSES

N, V, D = 4096, 7, 8
HALVES = [torch.bfloat16, torch.float16]
SPARSE = ("neg", "nce", "sampled-softmax", "hsigmoid", "hsigmoid+neg")
FEW = {"negatives": 3}
VALUES = torch.tensor([1, 2, 3]), torch.ones(N, 1), torch.ones(3)

pytestmark = pytest.mark.parametrize("dtype", HALVES)


def repeated() -> Tensor:
    """N targets, nearly all of one class."""
    return torch.where(torch.arange(N) % 100 == 7, torch.arange(N) % V, 0)


def started(layer: nn.Module, dtype: torch.dtype) -> nn.Module:
    """The layer with random numbers that both dtypes have."""
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_((torch.randn_like(parameter) * 0.3).to(dtype))
    return layer


def check(loss_of: Callable[..., Tensor], *inputs: Tensor, dtype: torch.dtype) -> None:
    """Compares the gradients of `inputs`, which are rounded to a dtype, with those in float32."""
    gradients = []
    for kind in (dtype, torch.float32):
        leaves = [x.detach().to(dtype).to(kind).requires_grad_() for x in inputs]
        torch.manual_seed(5)
        loss_of(*leaves).sum().backward()
        gradients.append([leaf.grad for leaf in leaves])
        assert all(leaf.grad is None or leaf.grad.dtype == kind for leaf in leaves)
    for found, wanted in zip(*gradients, strict=True):
        assert (found is None) == (wanted is None)
        if found is not None:
            assert found.layout == wanted.layout
            found, wanted = found.float().to_dense(), wanted.to_dense()
            least = 1e-5 * float(wanted.abs().max())
            torch.testing.assert_close(found, wanted, rtol=torch.finfo(dtype).eps, atol=least)


def check_layer(layer: nn.Module, dtype: torch.dtype, *arguments: Any, hidden: Tensor) -> None:
    names = [name for name, _ in layer.named_parameters()]

    def loss_of(hidden: Tensor, *values: Tensor) -> Tensor:
        changed = copy.deepcopy(layer)
        for name, value in zip(names, values, strict=True):
            home, _, last = name.rpartition(".")
            del changed.get_submodule(home)._parameters[last]
            setattr(changed.get_submodule(home), last, value)
        result = changed(hidden, *arguments)
        return getattr(result, "output", result)

    check(loss_of, hidden, *layer.parameters(), dtype=dtype)


def rows_of(count: int = N) -> Tensor:
    torch.manual_seed(1)
    return torch.randn(count, D) + 1


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("name", LOSSES)
def test_layers(name: str, shared: bool, sparse: bool, dtype: torch.dtype) -> None:
    if sparse and name not in SPARSE:
        pytest.skip("has dense gradients only")
    more: dict[str, Any] = {"sparse": True} if sparse else {}
    more |= {"bias": True} if LOSSES[name].bias else {}
    more |= FEW if name in SPARSE and name != "hsigmoid" else {}
    more |= {"nce_log_z": "learned"} if name == "nce" else {}
    more |= {"cutoffs": ("2", "4"), "div_value": 2.0} if name == "adaptive-softmax" else {}
    layer = started(make_layer(name, D, range(V, 0, -1), **more), dtype)
    if shared:
        row_of = (torch.arange(N) % 64 == 1).long() * 2
        check_layer(layer, dtype, repeated(), row_of, hidden=rows_of(3))
    else:
        check_layer(layer, dtype, repeated(), hidden=rows_of())


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("shards", ["one", "div", "mod"])
@pytest.mark.parametrize("face", [tensorflow.nce_loss, tensorflow.sampled_softmax_loss])
def test_tensorflows(
    face: Callable[..., Tensor], shards: str, sparse: bool, dtype: torch.dtype
) -> None:
    weight, bias, labels = torch.zeros(V, D), torch.zeros(V), repeated()[:, None]
    options = {"sampled_values": VALUES, "sparse": sparse}
    if shards == "one":

        def loss_of(hidden: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
            return face(weight, bias, labels, hidden, 3, V, **options)

        check(loss_of, torch.ones(N, D), weight, bias, dtype=dtype)
    else:

        def loss_of(hidden: Tensor, *parts: Tensor) -> Tensor:
            tables = list(parts[:2]), list(parts[2:])
            return face(*tables, labels, hidden, 3, V, partition_strategy=shards, **options)

        check(loss_of, torch.ones(N, D), *weight.split(4), *bias.split(4), dtype=dtype)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("custom", [False, True])
def test_paddles(custom: bool, sparse: bool, dtype: torch.dtype) -> None:
    layer = started(paddle.HSigmoidLoss(D, V, is_custom=custom, is_sparse=sparse), dtype)
    paths = paddle.default_tables(repeated(), V) if custom else ()
    check_layer(layer, dtype, repeated(), *paths, hidden=rows_of())


@pytest.mark.parametrize("head_bias", [False, True])
def test_torchs(head_bias: bool, dtype: torch.dtype) -> None:
    layer = started(AdaptiveLogSoftmaxWithLoss(D, V, [2, 4], 2.0, head_bias), dtype)
    check_layer(layer, dtype, repeated(), hidden=rows_of())


FUNCTIONS: dict[str, Any] = {
    "linear": losses.linear_cross_entropy,
    "am": losses.am_softmax_loss,
    "l": losses.l_softmax_loss,
    "smoothing": lambda x, w, t, **o: losses.label_smoothing_cross_entropy(
        x, t, 0.1, w.detach(), **o
    ),
    "sparse": lambda x, w, t, **o: losses.sparse_softmax_cross_entropy(
        x, t, 3, True, w.detach(), **o
    ),
    "margin": lambda x, w, t, **o: losses.soft_margin_cross_entropy(x, t, 0.3, w.detach(), **o),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name: str, dtype: torch.dtype) -> None:
    torch.manual_seed(2)
    linear = name in ("linear", "am", "l")
    weight = torch.randn(V, D) if linear else torch.rand(D) + 0.5

    def loss_of(hidden: Tensor, weight: Tensor) -> Tensor:
        return FUNCTIONS[name](hidden, weight, repeated(), reduction="sum")

    check(loss_of, rows_of(), weight, dtype=dtype)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("name", SPARSE)
def test_tables_of_another_dtype(name: str, sparse: bool, dtype: torch.dtype) -> None:
    more = {} if name == "hsigmoid" else FEW
    target = torch.tensor([0, 1, 1, 1, 6])
    made = started(make_layer(name, D, range(V, 0, -1), bias=True, sparse=sparse, **more), dtype)
    for of_rows, of_tables in [
        (torch.float64, dtype),
        (dtype, torch.float64),
        (dtype, torch.float32),
    ]:
        layer = copy.deepcopy(made).to(of_tables)
        hidden = rows_of(5).to(of_rows).requires_grad_()
        torch.manual_seed(5)
        layer(hidden, target).sum().backward()
        wanted, rows = copy.deepcopy(made).double(), hidden.detach().double()
        torch.manual_seed(5)
        wanted(rows.requires_grad_(), target).sum().backward()
        for one, other in zip(layer.parameters(), wanted.parameters(), strict=True):
            found = one.grad.to_dense().double()
            assert one.grad.is_sparse == sparse and one.grad.dtype == one.dtype
            least = max(torch.finfo(one.dtype).eps, 1e-5)
            torch.testing.assert_close(found, other.grad.to_dense(), rtol=least, atol=least)
        torch.testing.assert_close(hidden.grad.double(), rows.grad, rtol=0.01, atol=0.01)


@pytest.mark.parametrize("sparse", [False, True])
def test_gradients_that_are_differentiated_again(sparse: bool, dtype: torch.dtype) -> None:
    """By create_graph and by torch.func."""
    hidden = torch.ones(N, D).to(dtype)

    def loss_of(weight: Tensor, bias: Tensor) -> Tensor:
        labels = torch.zeros(N, 1).long()
        options = {"sampled_values": VALUES, "sparse": sparse}
        return tensorflow.nce_loss(weight, bias, labels, hidden, 3, 4, **options).sum()

    tables = [torch.zeros(4, D).to(dtype), torch.zeros(4).to(dtype)]
    leaves = [table.requires_grad_() for table in tables]
    again = torch.autograd.grad(loss_of(*leaves), leaves, create_graph=True)
    mapped = torch.func.grad(loss_of, (0, 1))(*tables)
    for weight, bias in (again, mapped):
        assert bias.tolist() == weight[:, 0].tolist() == [-N / 2, N / 2, N / 2, N / 2]
