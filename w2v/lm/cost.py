"""The memory that training a language model needs, and its time with different losses."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np
import torch

from w2v.errors import InputError
from w2v.lm.bodies import make_body
from w2v.lm.columns import Source
from w2v.lm.dealing import shards_output_rows
from w2v.lm.engine import LanguageModelEngine
from w2v.losses.math.score_sums import DEVICE_BYTES
from w2v.losses.table import LOSSES
from w2v.settings.config import Config
from w2v.settings.declare import settings_of
from w2v.system.ranks import rank_or_single
from w2v.training.device import CUDA_LIBRARY_BYTES, LIBRARY_BYTES, SCORE_BYTES, find_device
from w2v.training.optimizers import STATE_ROWS
from w2v.training.schedule import Block

STEPS = 3  # number of steps whose time is measured
ACTIVATIONS = 12  # numbers per token, layer and unit of width that are kept for the backward pass


def parameter_count(config: Config, vocabulary: int) -> int:
    """Returns the number of parameters for V = vocabulary: embeddings, body, output rows."""
    return vocabulary * config.model.dim + _body_count(config) + _output_count(config, vocabulary)


def memory_bytes(config: Config, vocabulary: int) -> int:
    """Returns the bytes that the engine allocates on CPU or GPU: parameters, gradients, moments,
    the best model, one step; of several ranks, those of rank 0."""
    dim, lm, loss = config.model.dim, config.lm, LOSSES[config.training.loss]
    tokens = config.training.batch_size * lm.bptt
    states = STATE_ROWS[config.training.optimizer]
    everything, output = parameter_count(config, vocabulary), _output_count(config, vocabulary)
    ranks = rank_or_single().size
    own_output = -(-output // ranks) if shards_output_rows(config, vocabulary, ranks) else output
    # a sparse gradient holds only the rows used in a step
    dense = _body_count(config) + (0 if loss.sparse else own_output)
    width = max(lm.hidden, dim) * (lm.context if lm.arch in ("ffnn", "lbl") else 1)
    on_cpu = find_device(config.training.device).type == "cpu"
    return (
        LIBRARY_BYTES
        + 4 * (1 + states) * (everything - output + own_output)
        + 4 * (everything if config.validation.valid is not None else 0)
        # on resuming, sharded rows are put together before there are gradients
        + 4 * max(2 * dense, output if own_output < output else 0)
        + 4 * tokens * width * ACTIVATIONS * (lm.layers + 1)
        + (0 if loss.sparse else SCORE_BYTES if on_cpu else DEVICE_BYTES)
        + 4 * 4 * tokens * loss.negatives(config.loss)
    )


def host_bytes(config: Config, vocabulary: int) -> int:
    """Returns the bytes of machine memory needed to train on a GPU: libraries, and parameters with
    the optimizer's state, which are copied for writing."""
    states = STATE_ROWS[config.training.optimizer]
    return CUDA_LIBRARY_BYTES + 4 * (2 + states) * parameter_count(config, vocabulary)


def with_loss(config: Config, loss: str) -> Config:
    """Returns the configuration of the same model with another output layer at its defaults."""
    entry, lm = LOSSES[loss], config.lm
    options = entry.options(
        **{
            name: setting.default if setting.lm is None else setting.lm
            for name, setting in settings_of(entry.options).items()
        }
    )
    lm = replace(lm, tied=lm.tied and entry.tied, output_bias=lm.output_bias and entry.bias)
    return replace(config, lm=lm, loss=options, training=replace(config.training, loss=loss))


def seconds_per_token(config: Config, counts: np.ndarray) -> float:
    """Returns the training time per token in seconds, measured on a random text."""
    size = config.training.batch_size * config.lm.bptt * config.lm.accumulate * STEPS
    random = np.random.default_rng(0)
    ids = np.searchsorted(counts.cumsum(), random.integers(0, counts.sum(), size), "right")
    engine = LanguageModelEngine(config, Source(ids.astype(np.int32), None, 0), counts)
    step, best = size // STEPS, math.inf
    for number in range(STEPS):
        began = time.perf_counter()
        engine.train(Block(0, number, number * step, (number + 1) * step, 0.0), 0.0)
        best = min(best, time.perf_counter() - began)
    return best / step


def _body_count(config: Config) -> int:
    try:
        with torch.device("meta"):
            body = make_body(config.lm, config.model.dim)
    except (RuntimeError, TypeError, OverflowError):  # more numbers than 64 bits can count
        problem = "no model can be that large: lower `hidden`, `context` or `dim`"
        raise InputError(problem) from None
    return sum(parameter.numel() for parameter in body.parameters())


def _output_count(config: Config, vocabulary: int) -> int:
    width = config.lm.hidden
    if config.lm.tied:
        return vocabulary + (width * config.model.dim if width != config.model.dim else 0)
    return vocabulary * (width + 1)
