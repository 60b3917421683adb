"""PyTorch's own losses, forward and backward, for `serve`. Every function returns the mean loss."""

import os
from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Step = Callable[[], float]

torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))


def tensors(given: dict[str, Any]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """hidden, weight and bias, which get gradients, and the labels."""
    hidden, weight, bias = (
        torch.from_numpy(given[name]).requires_grad_() for name in ("hidden", "weight", "bias")
    )
    return hidden, weight, bias, torch.from_numpy(given["labels"])


def stepping(losses: Callable[[], Tensor], parameters: Iterable[Tensor]) -> Step:
    """A step: the mean of losses() and its gradients, which replace those of the step before."""
    kept = list(parameters)

    def step() -> float:
        for parameter in kept:
            parameter.grad = None
        value = losses().mean()
        value.backward()
        return value.item()

    return step


def log_softmax(case: dict[str, Any], given: dict[str, Any]) -> Step:
    hidden, weight, bias, labels = tensors(given)
    return stepping(
        lambda: F.nll_loss(F.log_softmax(F.linear(hidden, weight, bias), dim=1), labels),
        [hidden, weight, bias],
    )


def smoothed_cross_entropy(case: dict[str, Any], given: dict[str, Any]) -> Step:
    hidden, weight, bias, labels = tensors(given)
    return stepping(
        lambda: F.cross_entropy(F.linear(hidden, weight, bias), labels, label_smoothing=0.1),
        [hidden, weight, bias],
    )


def adaptive(case: dict[str, Any], given: dict[str, Any]) -> Step:
    torch.manual_seed(1)
    hidden, _, _, labels = tensors(given)
    layer = torch.nn.AdaptiveLogSoftmaxWithLoss(case["dim"], case["vocabulary"], case["cutoffs"])
    return stepping(lambda: layer(hidden, labels).loss, [hidden, *layer.parameters()])


BUILDERS = {
    "log_softmax + nll_loss": log_softmax,
    "cross_entropy(label_smoothing=0.1)": smoothed_cross_entropy,
    "AdaptiveLogSoftmaxWithLoss": adaptive,
}
