"""The output layers and their losses.

    from w2v.losses import LOSSES, Softmax, make_layer

`LOSSES` is the table of all of them; a layer is a torch module made by its class, or by
`make_layer` and its name in the table. PyTorch is loaded when the first layer is named.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from w2v.losses.adaptive import AdaptiveSoftmax
    from w2v.losses.base import OutputLayer
    from w2v.losses.combined import HsigmoidNeg
    from w2v.losses.hsigmoid import Hsigmoid
    from w2v.losses.layers import make_layer
    from w2v.losses.margin import AmSoftmax, LSoftmax, SmSoftmax
    from w2v.losses.options import (
        AdaptiveOptions,
        AmSoftmaxOptions,
        HsigmoidNegOptions,
        HsigmoidOptions,
        LabelSmoothingOptions,
        LSoftmaxOptions,
        NceOptions,
        NegOptions,
        SampledSoftmaxOptions,
        SmSoftmaxOptions,
        SoftmaxOptions,
        SparseSoftmaxOptions,
    )
    from w2v.losses.sampled import Nce, Neg, SampledSoftmax
    from w2v.losses.softmax import LabelSmoothing, Softmax, SparseSoftmax
    from w2v.losses.table import LOSSES

_MODULES = {
    "adaptive": ("AdaptiveSoftmax",),
    "base": ("OutputLayer",),
    "combined": ("HsigmoidNeg",),
    "hsigmoid": ("Hsigmoid",),
    "layers": ("make_layer",),
    "margin": ("AmSoftmax", "LSoftmax", "SmSoftmax"),
    "sampled": ("Nce", "Neg", "SampledSoftmax"),
    "softmax": ("LabelSmoothing", "Softmax", "SparseSoftmax"),
    "table": ("LOSSES",),
}

__all__ = [
    "LOSSES",
    "AdaptiveOptions",
    "AdaptiveSoftmax",
    "AmSoftmax",
    "AmSoftmaxOptions",
    "Hsigmoid",
    "HsigmoidNeg",
    "HsigmoidNegOptions",
    "HsigmoidOptions",
    "LSoftmax",
    "LSoftmaxOptions",
    "LabelSmoothing",
    "LabelSmoothingOptions",
    "Nce",
    "NceOptions",
    "Neg",
    "NegOptions",
    "OutputLayer",
    "SampledSoftmax",
    "SampledSoftmaxOptions",
    "SmSoftmax",
    "SmSoftmaxOptions",
    "Softmax",
    "SoftmaxOptions",
    "SparseSoftmax",
    "SparseSoftmaxOptions",
    "make_layer",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = next((module for module, names in _MODULES.items() if name in names), "options")
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
