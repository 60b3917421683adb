"""Small language models of every kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from w2v.lm.model import Network
from w2v.losses.table import LOSSES
from w2v.settings.build import build_config

V, DIM = 30, 8
Make = Callable[..., Network]


@pytest.fixture
def make() -> Make:
    """make(arch, loss, **settings): a model over 30 tokens in eval mode, its weights far from 0."""

    def call(
        arch: str = "lstm", loss: str = "softmax", *, spread: float = 0.4, **given: Any
    ) -> Network:
        options = LOSSES[loss].options()
        if hasattr(options, "negatives"):
            options = LOSSES[loss].options(negatives=7)
        if hasattr(options, "cutoffs"):
            options = LOSSES[loss].options(cutoffs=("10",))
        small = {"arch": arch, "hidden": 12, "layers": 2, "heads": 2, "context": 4}
        asked = {"corpus": ("x",), "model": "lm", "dim": DIM, "loss": loss, "optimizer": "sgd"}
        settings = build_config(asked | small | given).lm
        torch.manual_seed(3)
        model = Network(torch.arange(V, 0, -1), DIM, loss, options, settings)
        if spread:
            for parameter in model.parameters():
                torch.nn.init.normal_(parameter, std=spread)
        return model.eval()

    return call
