"""The functions of the margin losses: how they reduce, what they ignore and refuse."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from tests.losses.test_margin import COUNTS, D, V, by_definition, parts
from w2v.compat.losses import am_softmax_loss, l_softmax_loss, soft_margin_cross_entropy
from w2v.losses.margin import AmSoftmax, LSoftmax, SmSoftmax
from w2v.losses.options import AmSoftmaxOptions, LSoftmaxOptions, SmSoftmaxOptions


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_functions_reduce_and_ignore(reduction):
    hidden, weight, target, _ = parts(targets=6)
    target[2] = -100
    kept = target != -100
    logits = torch.randn(2, V, 3, dtype=torch.float64)
    grid = target.reshape(2, 3)
    moved = logits - 0.7 * F.one_hot(grid.clamp_min(0), V).double().movedim(-1, 1)
    class_weight = torch.rand(V, dtype=torch.float64)
    torch.testing.assert_close(
        soft_margin_cross_entropy(logits, grid, 0.7, class_weight, reduction=reduction),
        F.cross_entropy(moved, grid, class_weight, reduction=reduction),
    )
    for got, name in (
        (am_softmax_loss(hidden, weight, target, 5.0, 0.2, reduction=reduction), "am"),
        (l_softmax_loss(hidden, weight, target, 3, 0.5, reduction=reduction), "l"),
    ):
        each = by_definition(name, hidden, weight, target.clamp_min(0)) * kept
        want = {"none": each, "sum": each.sum(), "mean": each.sum() / 5}[reduction]
        torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("call", "numbers"),
    [
        (lambda: LSoftmax(D, COUNTS, LSoftmaxOptions(5)), ("5", "1 to 4")),
        (lambda: LSoftmax(D, COUNTS, LSoftmaxOptions(0)), ("0", "1 to 4")),
        (lambda: LSoftmax(D, COUNTS, LSoftmaxOptions(2, -1.0)), ("-1", "0")),
        (lambda: LSoftmax(D, COUNTS, bias=True), ("no bias",)),
        (lambda: AmSoftmax(D, COUNTS, bias=torch.zeros(V)), ("no bias",)),
        (lambda: AmSoftmax(D, COUNTS, AmSoftmaxOptions(0.0)), ("0", "above 0")),
        (lambda: AmSoftmax(D, COUNTS, AmSoftmaxOptions(1.0, -0.1)), ("-0.1", "0 or more")),
        (lambda: SmSoftmax(D, COUNTS, SmSoftmaxOptions(-2.0)), ("-2", "0 or more")),
        (lambda: SmSoftmax(D, COUNTS)(torch.zeros(2, D), torch.tensor([0, 13])), ("13", "12")),
        (lambda: SmSoftmax(D, COUNTS)(torch.zeros(2, D), torch.tensor([0])), ("1", "2")),
        (
            lambda: SmSoftmax(D, COUNTS)(torch.zeros(2, D), torch.tensor([0]), torch.tensor([2])),
            ("2", "1"),
        ),
        (
            lambda: SmSoftmax(D, COUNTS)(torch.zeros(2, D), torch.tensor([0]), torch.tensor([-1])),
            ("-1", "1"),
        ),
        (
            lambda: SmSoftmax(D, COUNTS)(
                torch.zeros(2, D), torch.tensor([0, 1]), torch.tensor([0])
            ),
            ("1", "2"),
        ),
        (
            lambda: l_softmax_loss(torch.zeros(2, 3), torch.zeros(5, 3), torch.tensor([0, 5])),
            ("5", "4"),
        ),
        (
            lambda: l_softmax_loss(torch.zeros(2, 3), torch.zeros(5, 4), torch.tensor([0, 1])),
            ("3", "4"),
        ),
        (
            lambda: soft_margin_cross_entropy(torch.zeros(2, 5), torch.tensor([0, 5]), 1.0),
            ("5", "4"),
        ),
    ],
)
def test_errors_name_both_numbers(call, numbers):
    with pytest.raises(ValueError) as error:
        call()
    assert all(number in str(error.value) for number in numbers)
