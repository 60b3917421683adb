"""Layers and random numbers for the tests of the sampled losses."""

import torch
from torch import Tensor

from w2v.losses.options import NceOptions, NegOptions, SampledSoftmaxOptions
from w2v.losses.sampled import Nce, Neg, SampledLayer, SampledSoftmax

LAYERS = {
    "neg": (Neg, NegOptions),
    "nce": (Nce, NceOptions),
    "sampled-softmax": (SampledSoftmax, SampledSoftmaxOptions),
}
V, D = 12, 5
COUNTS = [50, 30, 20, 10, 9, 8, 7, 6, 5, 4, 3, 2]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=seeded(seed), dtype=torch.float64)


def layer_of(
    name: str, *, negatives: int = 6, bias: bool = False, options: dict | None = None, **more
) -> SampledLayer:
    """A layer in float64 with random rows."""
    cls, settings_of = LAYERS[name]
    layer = cls(
        D, COUNTS, settings_of(negatives=negatives, **(options or {})), bias=bias, **more
    ).double()
    with torch.no_grad():
        layer.weight.copy_(normal(V, D, seed=1))
        if layer.bias is not None:
            layer.bias.copy_(normal(V, seed=2))
    return layer
