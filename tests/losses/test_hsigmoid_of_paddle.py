"""Paddle's hierarchical sigmoid: its own results, its limits, and what the layer makes of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.losses.test_hsigmoid import D, batch_for, layer_for, softplus
from tests.trees import balanced
from w2v.compat.paddle import hsigmoid_loss

GOLDEN = {
    f.stem: f
    for f in sorted((Path(__file__).parent.parent / "golden" / "paddle_hsigmoid").glob("*.npz"))
}
REFUSED = "label_equals_num_classes_5rows"  # Paddle takes a label that is out of range
UNCLIPPED = "default_clip40"


def close(got: torch.Tensor, right: np.ndarray, dtype: torch.dtype) -> None:
    """Within 1e-10, or in float32 1e-5 of the largest value."""
    right = torch.from_numpy(right)
    scale = max(float(right.abs().max()), 1.0)
    tolerance = 1e-10 if dtype == torch.float64 else 1e-5
    torch.testing.assert_close(got.double(), right, rtol=tolerance, atol=tolerance * scale)


def test_there_are_golden_cases():
    assert len(GOLDEN) == 25


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("case", [name for name in GOLDEN if name != REFUSED])
def test_paddle(case, dtype, sparse):
    with np.load(GOLDEN[case]) as file:
        z = dict(file)
    options = json.loads(str(z["__options__"]))
    input, weight = (
        torch.from_numpy(z[name]).to(dtype).requires_grad_() for name in ("input", "weight")
    )
    bias = torch.from_numpy(z["bias"]).to(dtype)[:, None].requires_grad_() if "bias" in z else None
    path_table, path_code = (
        torch.from_numpy(z[n]) if n in z else None for n in ("path_table", "path_code")
    )
    label = torch.from_numpy(z["label"])
    loss = hsigmoid_loss(
        input,
        label[:, None],
        options["num_classes"],
        weight,
        bias,
        path_table,
        path_code,
        is_sparse=sparse,
    )
    assert loss.dtype == dtype
    if case == UNCLIPPED:
        rows, codes = z["tree_path_table"], z["tree_path_code"]
        scores = np.einsum("nd,nld->nl", z["input"], z["weight"][rows]) + z["bias"][rows]
        assert (np.abs(scores) > 40).any()
        right = ((softplus(scores) - codes * scores) * (rows >= 0)).sum(1, keepdims=True)
        assert not np.allclose(right, z["loss_without_padding_f64"])
        close(loss, right, dtype)
    else:
        close(loss, z["loss_without_padding_f64"], dtype)
    loss.backward(torch.from_numpy(z["cotangent"]).to(dtype)[:, None])
    close(input.grad, z["d_input_f64"], dtype)
    assert weight.grad.is_sparse == sparse
    close(weight.grad.to_dense(), z["d_weight_f64"], dtype)
    if bias is not None:
        assert bias.grad.is_sparse == sparse
        close(bias.grad.to_dense(), z["d_bias_f64"], dtype)
    flat = hsigmoid_loss(
        input,
        label,
        options["num_classes"],
        weight,
        None if bias is None else bias[:, 0],
        path_table,
        path_code,
    )
    assert torch.equal(flat, loss)


def test_sparse_gradients_hold_the_visited_nodes_only():
    weight = torch.randn(99, D, requires_grad=True)
    label = torch.tensor([3, 3, 98])
    hsigmoid_loss(torch.randn(3, D), label, 100, weight, is_sparse=True).sum().backward()
    visited = {node for word in label.tolist() for node in balanced(100).path(word)[0].tolist()}
    assert weight.grad._indices()[0].tolist() == sorted(visited)  # each once


def test_the_example_of_paddles_documentation_is_out_of_range():
    input, weight = torch.randn(4, 3), torch.randn(4, 3)
    with pytest.raises(ValueError, match="targets range from 0 to 5, they must lie in 0 to 4"):
        hsigmoid_loss(input, torch.tensor([0, 1, 4, 5]), 5, weight)
    with (
        np.load(GOLDEN[REFUSED]) as z,
        pytest.raises(ValueError, match="to 5, they must lie in 0 to 4"),
    ):
        hsigmoid_loss(
            torch.from_numpy(z["input"]),
            torch.from_numpy(z["label"]),
            5,
            torch.from_numpy(z["weight"]),
        )


def test_the_function_and_the_layer_agree():
    layer = layer_for(balanced(37))
    hidden, target = batch_for(37, 9)
    loss = hsigmoid_loss(hidden, target, 37, layer.weight, layer.bias)
    torch.testing.assert_close(loss[:, 0], layer(hidden, target))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_classes": 1}, "num_classes is 1"),
        ({"weight": torch.zeros(35, D)}, "weight has 35 rows, 37 classes need 36"),
        (
            {"weight": torch.zeros(36, D + 1)},
            rf"weight has shape \[36, 7\], it must be \[rows, {D}\]",
        ),
        ({"bias": torch.zeros(37)}, r"bias has shape \[37\], it must be \[36\] or \[36, 1\]"),
        ({"label": torch.tensor([0, -1])}, "targets range from -1 to 0, they must lie in 0 to 36"),
        ({"label": torch.tensor([0])}, r"label has shape \[1\].*\[2\] or \[2, 1\]"),
        ({"path_table": torch.zeros(2, 3).long()}, "come together"),
        (
            {"path_table": torch.zeros(2, 3).long(), "path_code": torch.zeros(2, 4).long()},
            r"\[2, 3\].*\[2, 4\]",
        ),
        (
            {"path_table": torch.zeros(3, 3).long(), "path_code": torch.zeros(3, 3).long()},
            r"\[3, 3\].*\[2, L\]",
        ),
        (
            {"path_table": torch.full((2, 1), 36), "path_code": torch.zeros(2, 1)},
            "holds node 36.*36 rows",
        ),
    ],
)
def test_the_function_refuses(change, message):
    arguments = {
        "label": torch.tensor([0, 36]),
        "num_classes": 37,
        "weight": torch.zeros(36, D),
        **change,
    }
    with pytest.raises(ValueError, match=message):
        hsigmoid_loss(torch.zeros(2, D), **arguments)
