"""A training step for one window by autograd on the layers of `w2v.losses`, in float64."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from tests.gpu.definition import Case, Step
from tests.kernels import reference
from w2v.losses.base import OutputLayer
from w2v.losses.combined import HsigmoidNeg
from w2v.losses.layers import make_layer
from w2v.losses.sampled import SampledLayer
from w2v.sampling.candidates import Candidates
from w2v.sampling.unigram import unigram_probabilities


def autograd_step(case: Case) -> Step:
    """Returns a function that trains one window with the case's loss: every row changes by -lr
    times the gradient of the window's loss."""
    config = case.config
    loss, dim = config.training.loss, config.model.dim
    layer = make_layer(
        loss, dim, torch.from_numpy(case.counts.copy()), config.loss, dtype=torch.float64
    )
    parameters = dict(layer.named_parameters())
    plan = config.loss.plan()
    assert plan is not None
    expected = torch.from_numpy(plan.negatives * unigram_probabilities(case.counts, plan.power))

    def step(
        model: reference.Model,
        contexts: list[int],
        target: int,
        noise: reference.Noise | None,
        lr: float,
    ) -> float:
        arrays = {"bias": model.bias, "log_z": np.array(-model.shared_bias)}
        if model.paths is not None:
            arrays[plan.path] = model.w_path
        if noise is not None:
            arrays[plan.noise] = model.w_noise
        with torch.no_grad():
            for name, parameter in parameters.items():
                parameter.copy_(torch.from_numpy(arrays[name]))
                parameter.grad = None
        rows = torch.from_numpy(model.w_in[contexts]).requires_grad_()
        hidden = rows
        if model.cbow:
            hidden = rows.mean(0, keepdim=True) if model.mean else rows.sum(0, keepdim=True)
        targets = torch.full((len(hidden),), target)
        loss = loss_of(layer, hidden, targets, noise, expected).sum()
        loss.backward()
        assert rows.grad is not None
        change = rows.grad.numpy()
        if model.cbow and model.mean and not model.share:
            change = change * len(contexts)
        np.add.at(model.w_in, contexts, -lr * change)
        for name, parameter in parameters.items():
            assert parameter.grad is not None
            arrays[name] -= lr * parameter.grad.numpy()
        if "log_z" in parameters:
            model.shared_bias = -float(arrays["log_z"])
        return loss.item()

    return step


def loss_of(
    layer: OutputLayer,
    hidden: Tensor,
    targets: Tensor,
    noise: reference.Noise | None,
    expected: Tensor,
) -> Tensor:
    """Returns the losses for given noise words, which are drawn with replacement; word w is
    expected expected[w] times among them."""
    if isinstance(layer, HsigmoidNeg):
        found = layer.path(hidden, targets)
        return found + loss_of(layer.noise, hidden, targets, noise, expected)
    if noise is None:
        return layer(hidden, targets)  # type: ignore[no-any-return]
    assert isinstance(layer, SampledLayer)
    sampled = torch.from_numpy(noise[0][1:])
    candidates = Candidates(sampled, expected[targets], expected[sampled])
    return layer.loss_with(candidates, hidden, targets)
