"""Other systems' losses and classes with their arguments, shapes and values: code is ported by its
import.

    from w2v.compat.tensorflow import nce_loss         tf.nn and tf.random
    from w2v.compat.paddle import HSigmoidLoss         but for Paddle's mistakes
    from w2v.compat.torch import AdaptiveLogSoftmaxWithLoss
    from w2v.compat.losses import am_softmax_loss      like torch.nn.functional.cross_entropy
    from w2v.compat.gensim import Word2Vec

Each is loaded when it is first named: none of them needs the system that it stands in for. What
cannot be used, a wrong shape or a class out of range, raises a ValueError.
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
