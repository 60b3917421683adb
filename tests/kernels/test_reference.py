"""reference.py, which the kernel is checked against, is SGD by autograd on the layers of
w2v/losses: one window at a time, in float64."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from tests.kernels import reference
from w2v.losses.layers import make_layer
from w2v.sampling.candidates import Candidates
from w2v.settings.build import build_config
from w2v.tree import huffman

V, D, LR = 9, 5, 0.3
COUNTS = np.array([40, 30, 20, 12, 9, 9, 5, 2, 1])
NOISE = np.array([3, 0, 3, 7, 1, 4])  # word 3 twice; the target among them
CONTEXTS, TARGET = [2, 5, 2, 1], 4

CASES = [
    {"loss": "neg"},
    {"loss": "nce"},
    {"loss": "nce", "nce_bias": "true", "nce_log_z": "learned"},
    {"loss": "sampled-softmax"},
    {"loss": "sampled-softmax", "remove_hits": "false"},
    {"loss": "sampled-softmax", "softmax_bias": "true"},
    {"loss": "hsigmoid"},
    {"loss": "hsigmoid+neg"},
]
MODELS = [
    {"model": "skip-gram"},
    {"model": "cbow"},
    {"model": "cbow", "cbow_grad": "mean"},
    {"model": "cbow", "cbow_hidden": "sum"},
]


@pytest.mark.parametrize("model", MODELS, ids=lambda options: "-".join(options.values()))
@pytest.mark.parametrize("case", CASES, ids=lambda options: "-".join(options.values()))
def test_a_window_is_a_step_of_sgd(
    case: dict[str, str], model: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = build_config({"corpus": ("x",), "negatives": str(len(NOISE)), **case, **model})
    loss, options = config.training.loss, config.loss
    layer = make_layer(loss, D, torch.from_numpy(COUNTS), options).double()
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.randn(parameter.shape, dtype=torch.float64))
    inputs = torch.randn(V, D, dtype=torch.float64, requires_grad=True)
    before = {name: value.detach().clone().numpy() for name, value in layer.named_parameters()}
    definition = definition_of(config, before, inputs.detach().numpy().copy())
    q = COUNTS**0.75 / (COUNTS**0.75).sum()
    chosen = None
    if loss != "hsigmoid":
        labels = np.array([1.0] + [0.0] * len(NOISE))
        hit = (
            np.append(False, NOISE == TARGET)
            & (loss != "nce")
            & getattr(options, "remove_hits", True)
        )
        chosen = np.append(TARGET, NOISE), labels, 1.0 - hit
        if loss in ("nce", "sampled-softmax"):
            z = {"auto": np.log(V), "learned": 0.0}[options.nce_log_z] if loss == "nce" else 0.0
            definition.offsets = -z - np.log(len(NOISE) * q)
    found = reference.train_window(definition, CONTEXTS, TARGET, chosen, LR)

    rows = inputs[CONTEXTS]
    if config.model.model == "cbow":
        mean, total = rows.mean(0, keepdim=True), rows.sum(0, keepdim=True)
        whole = total - (total - mean).detach()  # the value of the mean, the gradient of the sum
        rows = (
            total
            if config.model.cbow_hidden == "sum"
            else mean
            if config.model.cbow_grad == "mean"
            else whole
        )
    targets = torch.full((len(rows),), TARGET)
    if loss == "hsigmoid":
        losses = layer(rows, targets)
    else:
        expected = torch.from_numpy(len(NOISE) * q)
        true = expected[TARGET].expand(len(rows), 1)
        samples = Candidates(torch.from_numpy(NOISE), true, expected[NOISE], len(NOISE))
        monkeypatch.setattr(getattr(layer, "noise", layer), "draw", lambda _: samples)
        losses = layer(rows, targets)
    losses.sum().backward()
    assert found == pytest.approx(losses.sum().item(), rel=1e-9)
    assert inputs.grad is not None
    np.testing.assert_allclose(
        definition.w_in, (inputs - LR * inputs.grad).detach(), rtol=1e-9, atol=1e-12
    )
    for name, parameter in layer.named_parameters():
        assert parameter.grad is not None
        after = parameter.detach() - LR * parameter.grad.to_dense()
        place = {
            "weight": definition.w_path if loss == "hsigmoid" else definition.w_noise,
            "path.weight": definition.w_path,
            "noise.weight": definition.w_noise,
            "bias": definition.bias,
            "log_z": np.array(-definition.shared_bias),
        }[name]
        np.testing.assert_allclose(place, after, rtol=1e-9, atol=1e-12, err_msg=name)
        assert not np.allclose(after, before[name])


def definition_of(config, start: dict[str, np.ndarray], w_in: np.ndarray) -> reference.Model:
    """The float64 model with the layer's parameters."""
    loss, none = config.training.loss, np.zeros((0, D))
    start = copy.deepcopy(start)
    path = start["weight"] if loss == "hsigmoid" else start.get("path.weight", none)
    noise = start.get("noise.weight", none) if loss.startswith("hsigmoid") else start["weight"]
    model = reference.Model(w_in, path, noise, start.get("bias", np.zeros(V)))
    if loss.startswith("hsigmoid"):
        tree = huffman(COUNTS)
        model.paths = [(tree.path(word)[0], 1 - tree.path(word)[1]) for word in range(V)]
    model.cross_entropy = loss == "sampled-softmax"
    model.train_bias, model.train_shared_bias = "bias" in start, "log_z" in start
    model.shared_bias = -float(start.get("log_z", 0.0))
    model.cbow = config.model.model == "cbow"
    model.mean, model.share = config.model.cbow_hidden == "mean", config.model.cbow_grad == "mean"
    return model
