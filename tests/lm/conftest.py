"""Small language models of every kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from w2v.lm.model import Network
from w2v.losses.table import LOSSES
from w2v.settings.build import build_config
from w2v.settings.declare import settings_of

V, DIM = 30, 8
Make = Callable[..., Network]


@pytest.fixture
def make() -> Make:
    """make(arch, loss, **settings): a model over 30 tokens in eval mode, its weights far from 0."""

    def call(
        arch: str = "lstm", loss: str = "softmax", *, spread: float = 0.4, **given: Any
    ) -> Network:
        options = {"negatives": 7, "cutoffs": ("10",)}
        own = {key: options[key] for key in settings_of(LOSSES[loss].options) if key in options}
        small = {"arch": arch, "hidden": 12, "layers": 2, "heads": 2, "context": 4}
        asked = {"corpus": ("x",), "model": "lm", "dim": DIM, "loss": loss, "optimizer": "sgd"}
        config = build_config(asked | own | small | given)
        torch.manual_seed(3)
        model = Network(config, torch.arange(V, 0, -1))
        if spread:
            for parameter in model.parameters():
                torch.nn.init.normal_(parameter, std=spread)
        return model.eval()

    return call
