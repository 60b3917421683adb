"""Language models with a large vocabulary: output layers alone, forward and backward, beside
PyTorch's own, and whole steps."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from harness.gpu.parts import Asked, Figures, seconds_per_call, zipf, zipf_ids
from w2v.lm.columns import Source
from w2v.lm.engine import LanguageModelEngine
from w2v.lm.precision import working_precision
from w2v.losses.layers import make_layer
from w2v.settings.build import build_config
from w2v.training.schedule import Block

LOSSES = "softmax", "adaptive-softmax", "sampled-softmax"
NEGATIVES = 1024


class Shape:
    def __init__(self, asked: Asked) -> None:
        self.V, self.D = asked.size(250_000, 60), asked.size(512, 16)
        self.N = asked.size(4096, 32)
        self.counts = np.maximum(1, (zipf(self.V) * 1e8).astype(np.int64))
        self.more = {"negatives": asked.size(NEGATIVES, 5)}


def layers(asked: Asked) -> Figures:
    for loss in LOSSES:
        yield f"layer: {loss}", lambda name=loss: _layer(asked, name)
    yield "layer: linear_cross_entropy of PyTorch", lambda: _theirs(asked)


def _layer(asked: Asked, loss: str) -> dict[str, Any]:
    shape, device = Shape(asked), torch.device(asked.device)
    more = shape.more if loss == "sampled-softmax" else {}
    layer = make_layer(loss, shape.D, shape.counts, **more).to(device)
    hidden, target = _batch(shape, device)
    hidden = hidden.float().requires_grad_()
    parameters = list(layer.parameters())

    def call() -> None:
        hidden.grad = None
        for parameter in parameters:
            parameter.grad = None
        with working_precision("bf16", device):
            losses = layer(hidden, target)
        losses.sum().backward()

    return _measured(asked, shape.N, parameters, call)


def _theirs(asked: Asked) -> dict[str, Any]:
    if not hasattr(F, "linear_cross_entropy"):
        raise RuntimeError(f"PyTorch {torch.__version__} has none")
    shape, device = Shape(asked), torch.device(asked.device)
    weight = torch.randn(shape.V, shape.D, device=device, dtype=torch.bfloat16) * 0.02
    weight.requires_grad_()
    hidden, target = _batch(shape, device)
    hidden.requires_grad_()
    options = torch.nn.LinearCrossEntropyOptions()

    def call() -> None:
        hidden.grad = weight.grad = None
        F.linear_cross_entropy(hidden, weight, target, options=options).backward()

    return _measured(asked, shape.N, [weight], call)


def _batch(shape: Shape, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    hidden = torch.randn(shape.N, shape.D, device=device, dtype=torch.bfloat16)
    return hidden, torch.from_numpy(zipf_ids(shape.N, shape.V)).long().to(device)


def _measured(
    asked: Asked, tokens: int, parameters: list[torch.Tensor], call: Callable[[], None]
) -> dict[str, Any]:
    """Tokens per second; bytes of parameters, and of the device's memory at most."""
    held = sum(each.numel() * each.element_size() for each in parameters)
    if asked.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    seconds = seconds_per_call(asked, call)
    peak = torch.cuda.max_memory_allocated() if asked.device == "cuda" else None
    return {
        "value": tokens / seconds,
        "unit": "tokens/s",
        "parameter_bytes": held,
        "peak_bytes": peak,
    }


def steps(asked: Asked) -> Figures:
    """Steps of an LSTM of one layer: body, output layer, clipping and optimizer."""
    for loss in LOSSES:
        yield f"language model: {loss}", lambda name=loss: _steps(asked, name)


def _steps(asked: Asked, loss: str) -> dict[str, Any]:
    shape, columns = Shape(asked), asked.size(64, 4)
    given = {
        "model": "lm",
        "loss": loss,
        "dim": shape.D,
        "layers": 1,
        "batch_size": columns,
        "bptt": shape.N // columns,
        "precision": "float32" if asked.tiny else "bf16",
        "device": asked.device,
    }
    if loss == "sampled-softmax":
        given |= shape.more
    config = build_config({"corpus": ("x",), **{name: str(each) for name, each in given.items()}})
    ids = zipf_ids(asked.size(80, 3) * shape.N, shape.V)
    engine = LanguageModelEngine(config, Source(ids, None, 0), shape.counts)
    engine.warm_up()
    bounds = engine.bounds()
    parameters = list(engine.model.parameters())
    blocks = [int(bound) for bound in bounds[:9]]

    def call() -> None:
        for index, (start, stop) in enumerate(pairwise(blocks)):
            engine.train(Block(0, index, start, stop, 0.0), 0.1)

    return _measured(asked, blocks[-1] - blocks[0], parameters, call)
