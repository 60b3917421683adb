"""Paddle's hierarchical sigmoid by its formula: given paths, types, shapes, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from tests.losses.sampled_cases import normal
from w2v.compat.paddle import HSigmoidLoss, hsigmoid_loss

TABLE = torch.tensor([[1, 0, -1, -1], [2, -1, 0, 1], [-1, -1, -1, -1]])
CODE = torch.tensor([[1, 0, -1, -1], [1, -1, 1, 0], [-1, -1, -1, -1]])
LABEL = torch.tensor([[0], [1], [2]])


def test_given_paths_by_formula():
    """Scores of 0 but for the biases: softplus(b) - code · b for each node up to the first -1."""
    bias = torch.tensor([0.5, -1.0, 2.0])
    found = hsigmoid_loss(torch.zeros(3, 2), LABEL, 4, torch.zeros(3, 2), bias, TABLE, CODE)
    node = [math.log1p(math.exp(b)) for b in bias.tolist()]
    want = [[node[1] - (-1.0) + node[0]], [node[2] - 2.0], [0.0]]
    torch.testing.assert_close(found, torch.tensor(want))
    without = hsigmoid_loss(torch.zeros(3, 2), LABEL, 4, torch.zeros(3, 2), None, TABLE, CODE)
    torch.testing.assert_close(without[:, 0], math.log(2) * torch.tensor([2.0, 1.0, 0.0]))


@pytest.mark.parametrize("sparse", [False, True])
def test_gradients_of_given_paths(sparse):
    """By a score z: sigmoid(z) - code, 0.5 - code where z is 0; weights get it times the input."""
    input, weight = normal(3, 2).requires_grad_(), torch.zeros(3, 2).double().requires_grad_()
    bias = torch.zeros(3, 1).double().requires_grad_()
    hsigmoid_loss(input, LABEL, 4, weight, bias, TABLE, CODE, sparse).sum().backward()
    by_score = torch.tensor([[0.5, -0.5, 0.0], [0.0, 0.0, -0.5], [0.0, 0.0, 0.0]]).double()
    assert weight.grad.is_sparse == bias.grad.is_sparse == sparse
    torch.testing.assert_close(weight.grad.to_dense(), by_score.T @ input.detach())
    torch.testing.assert_close(bias.grad.to_dense(), by_score.sum(0)[:, None])
    assert not input.grad.any()


def test_two_classes():
    """One node: class 0 is its left side, code 0."""
    input, weight = normal(2, 3), normal(1, 3)
    z = (input @ weight.T)[:, 0]
    found = hsigmoid_loss(input, torch.tensor([0, 1]), 2, weight)
    want = torch.stack([torch.log1p(z[0].exp()), torch.log1p((-z[1]).exp())])
    torch.testing.assert_close(found[:, 0], want)


@pytest.mark.parametrize("kind", ["int32", "int16", "int8"])
def test_tables_of_any_integers(kind):
    given = normal(3, 2), LABEL, 4, normal(3, 2), normal(3)
    want = hsigmoid_loss(*given, TABLE, CODE)
    kind = getattr(torch, kind)
    assert torch.equal(hsigmoid_loss(*given, TABLE.to(kind), CODE.to(kind)), want)
    assert torch.equal(hsigmoid_loss(*given, TABLE, CODE > 0), want)
    assert torch.equal(hsigmoid_loss(*given, TABLE, 7 * CODE), want)  # what is not 0 is 1
    assert torch.equal(hsigmoid_loss(*given, TABLE, 0.5 * CODE), want)


@pytest.mark.parametrize(
    ("change", "message", "paddles"),
    [
        ({"input": torch.ones(3, 2).int()}, "input is torch.int32", TypeError),
        ({"weight": torch.ones(7, 2).int()}, "weight is torch.int32", TypeError),
        ({"bias": torch.ones(7).int()}, "bias is torch.int32", TypeError),
        ({"bias": torch.ones(7) * 1j}, "bias is torch.complex64", TypeError),
        ({"label": LABEL.float()}, "targets is torch.float32", TypeError),
        ({"label": LABEL.bool()}, "targets is torch.bool", TypeError),
        (
            {"label": LABEL.reshape(1, 3)},
            r"label has shape \[1, 3\].*\[3\] or \[3, 1\]",
            ValueError,
        ),
        ({"input": torch.ones(3, 1, 2)}, r"input has shape \[3, 1, 2\].*\[N, D\]", ValueError),
        ({"input": torch.ones(2)}, r"input has shape \[2\]", ValueError),
        ({"weight": torch.ones(7, 3)}, r"weight has shape \[7, 3\].*\[rows, 2\]", ValueError),
        ({"bias": torch.ones(1, 7)}, r"bias has shape \[1, 7\].*\[7\] or \[7, 1\]", ValueError),
        ({"num_classes": 2.5}, "num_classes is 2.5.*whole", ValueError),
        ({"num_classes": float("nan")}, "num_classes is nan", ValueError),
        ({"num_classes": 1}, "num_classes is 1.*2 or more", ValueError),
        ({"path_table": TABLE + 0.5, "path_code": CODE}, "path_table is torch.float32", TypeError),
        ({"path_table": TABLE > 0, "path_code": CODE}, "path_table is torch.bool", TypeError),
        ({"path_table": TABLE.int()}, "come together", ValueError),
    ],
)
def test_what_is_refused(change, message, paddles):
    given = {"input": torch.ones(3, 2), "label": LABEL, "num_classes": 8}
    for kind in {ValueError, paddles}:
        with pytest.raises(kind, match=message):
            hsigmoid_loss(**{**given, "weight": torch.ones(7, 2), **change})


def test_the_layer_s_arguments():
    assert HSigmoidLoss(3, 5, bias_attr=True).bias.shape == (4, 1)
    assert HSigmoidLoss(np.int64(3), np.int32(5)).weight.shape == (4, 3)
    for given, message in (
        ((torch.zeros(9, 0), torch.tensor(0)), "feature_size is .*whole"),
        ((0, 5), "feature_size is 0.*1 or more"),
        ((3, 1), "num_classes is 1.*2 or more"),
        ((3, 2.5), "num_classes is 2.5"),
        ((3, "5"), "num_classes is '5'"),
        ((3, 5, None, 0.5), "bias_attr None, True or False"),
        ((3, 5, normal(4, 3)), "weight_attr can only be None"),
        ((3, 5, None, normal(4, 1)), "bias_attr None, True or False"),
    ):
        with pytest.raises(ValueError, match=message):
            HSigmoidLoss(*given)
