"""The output layers and their losses.

    from w2v.losses import LOSSES, Softmax, make_layer

`LOSSES` is the table of all losses. A layer is a torch module, constructed from its class or with
`make_layer` from its name in the table. PyTorch is imported on first access to a layer.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from w2v.losses.table import LOSSES as LOSSES

if TYPE_CHECKING:
    from w2v.losses.adaptive import AdaptiveSoftmax as AdaptiveSoftmax
    from w2v.losses.base import OutputLayer as OutputLayer
    from w2v.losses.combined import HsigmoidNeg as HsigmoidNeg
    from w2v.losses.hsigmoid import Hsigmoid as Hsigmoid
    from w2v.losses.layers import make_layer as make_layer
    from w2v.losses.margin import AmSoftmax as AmSoftmax
    from w2v.losses.margin import LSoftmax as LSoftmax
    from w2v.losses.margin import SmSoftmax as SmSoftmax
    from w2v.losses.options import *  # noqa: F403
    from w2v.losses.sampled import Nce as Nce
    from w2v.losses.sampled import Neg as Neg
    from w2v.losses.sampled import SampledSoftmax as SampledSoftmax
    from w2v.losses.softmax import LabelSmoothing as LabelSmoothing
    from w2v.losses.softmax import Softmax as Softmax
    from w2v.losses.softmax import SparseSoftmax as SparseSoftmax

# name -> module
_HOMES = {"OutputLayer": "base", "make_layer": "layers", "LOSSES": "table"}
for _loss in LOSSES.values():
    _module, _name = _loss.layer.split(":")
    _HOMES |= {_name: _module, _loss.options.__name__: "options"}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
