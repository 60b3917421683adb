"""Adaptive softmax against torch's module: values, gradients, state dicts, starting values."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.losses.adaptive_cases import DTYPES, D, V, batch_for, close, counts_of, layer_for, torchs
from w2v.compat.torch import adaptive_log_softmax_with_loss
from w2v.losses.adaptive import AdaptiveSoftmax
from w2v.losses.options import AdaptiveOptions

GOLDEN = {
    f.stem: f
    for f in sorted(
        (Path(__file__).parent.parent / "golden" / "torch_adaptive_softmax").glob("*.npz")
    )
}


def test_there_are_golden_cases():
    assert len(GOLDEN) == 7


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", GOLDEN)
def test_the_layer_gives_torchs_values(case, dtype):
    with np.load(GOLDEN[case]) as file:
        z = dict(file)
    options = json.loads(str(z["__options__"]))
    layer = AdaptiveSoftmax(
        options["in_features"],
        counts_of(options["n_classes"]),
        AdaptiveOptions(
            tuple(map(str, options["cutoffs"])), options["div_value"], options["head_bias"]
        ),
    ).to(dtype)
    layer.load_state_dict(
        {k.removeprefix("sd."): torch.from_numpy(v) for k, v in z.items() if k.startswith("sd.")}
    )
    hidden = torch.from_numpy(z["input"]).to(dtype).reshape(-1, layer.dim).requires_grad_()
    target = torch.from_numpy(z["target"]).reshape(-1)
    loss = layer(hidden, target)
    assert loss.dtype == dtype
    close(-loss, z["output_f64"].reshape(-1), dtype)
    loss.mean().backward()
    close(hidden.grad, z["d_input_f64"].reshape(-1, layer.dim), dtype)
    for name, parameter in layer.named_parameters():
        if z.get(f"nograd_{name}_f64", False):
            assert parameter.grad is None
        else:
            close(parameter.grad, z[f"d_{name}_f64"], dtype)
    close(layer.log_prob(hidden), z["log_prob_f64"], dtype)
    assert layer.predict(hidden)[0][:, 0].tolist() == z["predict_f64"].tolist()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("with_end", [True, False])
@pytest.mark.parametrize("case", GOLDEN)
def test_the_function_gives_torchs_values(case, dtype, with_end):
    with np.load(GOLDEN[case]) as file:
        z = dict(file)
    options = json.loads(str(z["__options__"]))
    weights = {
        k.removeprefix("sd."): torch.from_numpy(v).to(dtype).requires_grad_()
        for k, v in z.items()
        if k[:3] == "sd."
    }
    tails = [
        [weights[f"tail.{i}.0.weight"], weights[f"tail.{i}.1.weight"]]
        for i in range(len(options["cutoffs"]))
    ]
    cutoffs = [*options["cutoffs"], options["n_classes"]] if with_end else options["cutoffs"]
    input = torch.from_numpy(z["input"]).to(dtype).requires_grad_()
    output, loss = adaptive_log_softmax_with_loss(
        input,
        torch.from_numpy(z["target"]),
        weights["head.weight"],
        tails,
        cutoffs,
        weights.get("head.bias"),
    )
    assert output.shape == z["output_f64"].shape and loss.shape == () and output.dtype == dtype
    close(output, z["output_f64"], dtype)
    close(loss, z["loss_f64"], dtype)
    loss.backward()
    close(input.grad, z["d_input_f64"], dtype)
    for name, weight in weights.items():
        if z.get(f"nograd_{name}_f64", False):
            assert weight.grad is None
        else:
            close(weight.grad, z[f"d_{name}_f64"], dtype)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("V", "cutoffs", "div"), [(60, (20, 40), 2.0), (60, (7,), 4.0), (300, (9, 10, 100), 1.5)]
)
def test_state_dicts_load_both_ways(bias, V, cutoffs, div):
    layer = layer_for(V, cutoffs=cutoffs, div=div, bias=bias)
    theirs = torchs(layer)
    assert list(layer.state_dict()) == list(theirs.state_dict())
    theirs.load_state_dict(layer.state_dict())
    hidden, target = batch_for(50, V)
    output, loss = theirs(hidden, target)
    close(-layer(hidden, target), output.detach(), torch.float64)
    close(layer.log_prob(hidden).detach(), theirs.log_prob(hidden).detach(), torch.float64)
    assert layer.predict(hidden)[0][:, 0].tolist() == theirs.predict(hidden).tolist()
    loss.backward()
    layer(hidden, target).mean().backward()
    for (name, ours), other in zip(layer.named_parameters(), theirs.parameters(), strict=True):
        assert (ours.grad is None) == (other.grad is None), name
        if ours.grad is not None:
            close(ours.grad, other.grad, torch.float64)
    back = layer_for(V, cutoffs=cutoffs, div=div, bias=bias)
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.mul_(0.5)
    back.load_state_dict(theirs.state_dict())
    close(-back(hidden, target).detach(), theirs(hidden, target).output.detach(), torch.float64)


@pytest.mark.parametrize("bias", [True, False])
def test_starts_as_torchs_module_does(bias):
    torch.manual_seed(5)
    ours = AdaptiveSoftmax(D, counts_of(V), AdaptiveOptions(("20", "40"), head_bias=bias))
    torch.manual_seed(5)
    for name, value in torchs(ours).state_dict().items():
        torch.manual_seed(5)
        assert torch.equal(ours.state_dict()[name].to(value.dtype), value), name
