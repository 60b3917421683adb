"""This library's losses, forward and backward, for `serve`; row gradients are sparse where the
reference's are."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch_losses import Step, stepping, tensors

from w2v.compat.paddle import hsigmoid_loss
from w2v.compat.tensorflow import nce_loss, sampled_softmax_loss
from w2v.losses.layers import make_layer
from w2v.losses.options import AdaptiveOptions
from w2v.losses.table import LOSSES

Builder = Callable[[dict[str, Any], dict[str, Any]], Step]


def sampled(function: Callable[..., Tensor]) -> Builder:
    def build(case: dict[str, Any], given: dict[str, Any]) -> Step:
        hidden, weight, bias, labels = tensors(given)
        return stepping(
            lambda: function(
                weight,
                bias,
                labels[:, None],
                hidden,
                case["samples"],
                case["vocabulary"],
                sparse=True,
            ),
            [hidden, weight, bias],
        )

    return build


def hsigmoid(case: dict[str, Any], given: dict[str, Any]) -> Step:
    hidden, _, _, labels = tensors(given)
    weight, bias = (
        torch.from_numpy(given[name][:-1].copy()).requires_grad_() for name in ("weight", "bias")
    )
    return stepping(
        lambda: hsigmoid_loss(hidden, labels, case["vocabulary"], weight, bias, is_sparse=True),
        [hidden, weight, bias],
    )


def adaptive(case: dict[str, Any], given: dict[str, Any]) -> Step:
    torch.manual_seed(1)
    hidden, _, _, labels = tensors(given)
    options = AdaptiveOptions(cutoffs=tuple(map(str, case["cutoffs"])))
    layer = make_layer("adaptive-softmax", case["dim"], counts(case), options)
    return stepping(lambda: layer(hidden, labels), [hidden, *layer.parameters()])


def layer_of(name: str, **more: Any) -> Builder:
    """A builder for the layer of a loss with its default options."""

    def build(case: dict[str, Any], given: dict[str, Any]) -> Step:
        hidden, weight, bias, labels = tensors(given)
        own: dict[str, Any] = dict(more)
        if LOSSES[name].tied:  # rows for words, as the given ones
            own["weight"] = torch.nn.Parameter(weight)
        if LOSSES[name].bias:
            own["bias"] = torch.nn.Parameter(bias) if LOSSES[name].tied else True
        layer = make_layer(name, case["dim"], counts(case), **own)
        return stepping(lambda: layer(hidden, labels), [hidden, *layer.parameters()])

    return build


def counts(case: dict[str, Any]) -> Tensor:
    """Counts of words sorted by frequency [V]."""
    return torch.arange(case["vocabulary"], 0, -1)


BUILDERS: dict[str, Builder] = {
    "functional.nce_loss(sparse=True)": sampled(nce_loss),
    "functional.sampled_softmax_loss(sparse=True)": sampled(sampled_softmax_loss),
    "functional.hsigmoid_loss(is_sparse=True)": hsigmoid,
    "AdaptiveSoftmax": adaptive,
    "Neg(sparse=True)": layer_of("neg", sparse=True),
    "HsigmoidNeg(sparse=True)": layer_of("hsigmoid+neg", sparse=True),
    **{
        LOSSES[name].layer.partition(":")[2]: layer_of(name)
        for name in (
            "softmax",
            "label-smoothing",
            "sparse-softmax",
            "am-softmax",
            "l-softmax",
            "sm-softmax",
        )
    },
}
