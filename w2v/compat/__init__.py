"""Losses and classes with the arguments, shapes and values of other systems, so that code can be
ported by changing its imports.

    from w2v.compat.tensorflow import nce_loss         tf.nn and tf.random
    from w2v.compat.paddle import HSigmoidLoss         without Paddle's errors
    from w2v.compat.torch import AdaptiveLogSoftmaxWithLoss
    from w2v.compat.losses import am_softmax_loss      like torch.nn.functional.cross_entropy
    from w2v.compat.gensim import Word2Vec

Each module is imported on first use and does not need the system that it replaces. Invalid
arguments, such as a wrong shape or a class out of range, raise a ValueError.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from w2v.compat import losses as losses
    from w2v.compat import paddle as paddle
    from w2v.compat import tensorflow as tensorflow
    from w2v.compat import torch as torch

__all__ = ["gensim", "losses", "paddle", "tensorflow", "torch"]


def __getattr__(name: str) -> ModuleType:
    if name in __all__:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
