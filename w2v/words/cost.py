"""What a run of the autograd engine will cost: memory, and time where all V output rows are
scored."""

from __future__ import annotations

import time

import numpy as np
import torch

from w2v.losses.table import LOSSES, cheaper_losses
from w2v.sampling.unigram import keep_probabilities
from w2v.settings.config import Config
from w2v.system.memory import Demand
from w2v.training.device import (
    CUDA_LIBRARY_BYTES,
    LIBRARY_BYTES,
    SCORE_BYTES,
    find_device,
    free_memory,
)
from w2v.training.optimizers import STATE_ROWS
from w2v.words.batches import batch_words

LONG_SECONDS = 3600
PRODUCTS = 3  # matrix products per step: scores, and the gradients of both factors
OVERHEAD = 1.6  # exponentials, sums and updates beside the products
PROBE = (1024, 4096)  # rows and classes of the product that is timed


def host_bytes(config: Config, vocabulary: int) -> int:
    """What the engine needs of the machine's memory for V = vocabulary.

    Raises:
        InputError: `device` names a GPU that is not there.
    """
    if find_device(config.training.device).type == "cpu":
        return LIBRARY_BYTES + working_bytes(config, vocabulary)
    return CUDA_LIBRARY_BYTES + 4 * vocabulary * config.model.dim  # the vectors, to write them


def device_demand(config: Config, vocabulary: int) -> Demand | None:
    """What the engine needs of the GPU's memory; None if it works on the CPU.

    Raises:
        InputError: `device` names a GPU that is not there.
    """
    device = find_device(config.training.device)
    if device.type == "cpu":
        return None
    return Demand(f"memory on {device}", working_bytes(config, vocabulary), free_memory(device))


def working_bytes(config: Config, vocabulary: int) -> int:
    """What the engine will allocate for V = vocabulary on the device: matrices, gradients, one
    batch."""
    dim, loss = config.model.dim, LOSSES[config.training.loss]
    sampled = loss.draws_noise
    # the last: the gradient of all rows
    copies = 2 * (1 + STATE_ROWS[config.training.optimizer]) + loss.scores_all
    batch = batch_words(config, 1 << 40)
    predictions = batch * (config.model.window + 1 if config.model.model == "skip-gram" else 1)
    hidden = min(predictions, vocabulary) if not sampled else predictions
    gathered = loss.negatives(config.loss) // 4 + 1
    return (
        copies * vocabulary * dim * 4
        + (hidden + predictions) * gathered * dim * 4
        + predictions * 100
        + (0 if loss.fused else SCORE_BYTES)
    )


def warning(config: Config, counts: np.ndarray, length: int, device: torch.device) -> str | None:
    """A sentence for the user when a loss that scores all rows would take more than an hour; None
    otherwise.

    counts [V] of the vocabulary, length of the stream of ids.
    """
    if not LOSSES[config.training.loss].scores_all:
        return None
    seconds = products_of(config, counts, length) * OVERHEAD / speed_of(device, config.model.dim)
    if seconds < LONG_SECONDS:
        return None
    hours = seconds / 3600
    cheaper = cheaper_losses()
    took = f"{hours:.0f} hours" if hours < 72 else f"{hours / 24:.0f} days"
    return (
        f"`loss` {config.training.loss} scores all {len(counts):,} words for every hidden vector:"
        f" this will take about {took}. Cheaper: `loss` {', '.join(cheaper[:-1])} or"
        f" {cheaper[-1]}, a larger `min_count`, fewer `epochs`"
    )


def products_of(config: Config, counts: np.ndarray, length: int) -> float:
    """Floating-point operations of a run's matrix products with all V rows."""
    kept = counts * keep_probabilities(counts, config.training.sample)
    words = float(kept.sum())
    steps = max(1.0, length / batch_words(config, length))
    predictions = words / steps
    if config.model.model == "skip-gram":
        predictions *= config.model.window + 1
        # distinct hidden vectors of a batch: each word is there unless none of the predictions is
        # from it
        hidden = float(
            -np.expm1(predictions * np.log1p(-np.minimum(kept / words, 1 - 1e-12))).sum()
        )
    else:
        hidden = predictions
    return 2.0 * PRODUCTS * hidden * len(counts) * config.model.dim * steps * config.training.epochs


def speed_of(device: torch.device, dim: int) -> float:
    """Floating-point operations per second of a matrix product like those of a step, measured."""
    rows, classes = (torch.ones(size, dim, device=device) for size in PROBE)
    best = float("inf")
    for _ in range(3):
        began = time.perf_counter()
        (rows @ classes.T)[0, 0].item()
        best = min(best, time.perf_counter() - began)
    return 2.0 * PROBE[0] * PROBE[1] * dim / best
