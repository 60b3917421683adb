"""What training a language model will cost in memory."""

from __future__ import annotations

import torch

from w2v.lm.bodies.choose import make_body
from w2v.losses.table import LOSSES
from w2v.settings.config import Config
from w2v.training.device import LIBRARY_BYTES, SCORE_BYTES
from w2v.training.optimizers import STATE_ROWS

ACTIVATIONS = 12  # numbers kept per token, layer and unit of width until the gradients are made


def parameter_count(config: Config, vocabulary: int) -> int:
    """Parameters of the model for V = vocabulary: embeddings, body, output rows."""
    return vocabulary * config.model.dim + _body_count(config) + _output_count(config, vocabulary)


def memory_bytes(config: Config, vocabulary: int) -> int:
    """What the engine will allocate, on CPU or GPU: parameters, gradients, moments, the best model,
    one step."""
    dim, lm, loss = config.model.dim, config.lm, LOSSES[config.training.loss]
    tokens = config.training.batch_size * lm.bptt
    states = STATE_ROWS[config.training.optimizer] + (config.validation.valid is not None)
    # a sparse gradient holds the rows of a step only
    dense = _body_count(config) + (0 if loss.sparse else _output_count(config, vocabulary))
    width = max(lm.hidden, dim) * (lm.context if lm.arch in ("ffnn", "lbl") else 1)
    return (
        LIBRARY_BYTES
        + 4 * (1 + states) * parameter_count(config, vocabulary)
        + 4 * 2 * dense
        + 4 * tokens * width * ACTIVATIONS * (lm.layers + 1)
        + (0 if loss.sparse else SCORE_BYTES)
        + 4 * 4 * tokens * loss.negatives(config.loss)
    )


def _body_count(config: Config) -> int:
    with torch.device("meta"):
        body = make_body(config.lm, config.model.dim)
    return sum(parameter.numel() for parameter in body.parameters())


def _output_count(config: Config, vocabulary: int) -> int:
    width = config.lm.hidden
    if config.lm.tied:
        return vocabulary + (width * config.model.dim if width != config.model.dim else 0)
    return vocabulary * (width + 1)
