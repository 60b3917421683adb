"""Creates the output layer of a loss by name. Torch is imported only when a layer is made."""

from __future__ import annotations

import importlib
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from w2v.losses.table import LOSSES
from w2v.settings.elsewhere import nearest

if TYPE_CHECKING:
    from w2v.losses.base import Counts, OutputLayer
    from w2v.losses.options import LossOptions


def layer_class(loss: str) -> type[OutputLayer]:
    """Returns the layer class of a loss named as in `w2v losses`."""
    module, name = LOSSES[loss].layer.split(":")
    layer: type[OutputLayer] = getattr(importlib.import_module(f"w2v.losses.{module}"), name)
    return layer


def make_layer(
    loss: str, dim: int, counts: Counts, options: LossOptions | None = None, **more: Any
) -> OutputLayer:
    """Returns a new output layer of the named loss. options: None for the defaults; more: settings
    of the loss that override `options`, and further arguments of the layer's class (weight, bias,
    sparse, …)."""
    if not isinstance(loss, str) or loss not in LOSSES:
        guess = nearest(loss, LOSSES) if isinstance(loss, str) else None
        remedy = f"did you mean {guess}?" if guess else f"there are {', '.join(LOSSES)}"
        raise ValueError(f"no loss {loss!r}: {remedy}")
    kind = LOSSES[loss].options
    if options is None or isinstance(options, kind):
        named = {f.name: more.pop(f.name) for f in fields(kind) if f.name in more}
        options = replace(options or kind(), **named)
    return layer_class(loss)(dim, counts, options, **more)
