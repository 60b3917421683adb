"""What a run of the autograd engine costs: words per step, memory, and the time if all V output
rows are scored."""

from __future__ import annotations

import time

import numpy as np
import torch

from w2v.losses.table import LOSSES, cheaper_losses
from w2v.sampling.unigram import keep_probabilities
from w2v.settings.config import Config
from w2v.system.memory import Demand, available_memory
from w2v.training.device import (
    CUDA_LIBRARY_BYTES,
    LIBRARY_BYTES,
    SCORE_BYTES,
    find_device,
    free_memory,
)
from w2v.training.engine import copied_rows
from w2v.training.optimizers import STATE_ROWS
from w2v.words.inputs import list_bytes, most_ngrams

STEPS = 256  # fewest steps of a run, if the batch size is chosen automatically
SMALLEST_BATCH = 64
# With sgd a row moves by the sum of the updates of all predictions in a batch, so large batches
# diverge.
SGD_BATCH, LARGE_BATCH = 256, 16384
LONG_SECONDS = 3600
PRODUCTS = 3  # matrix products per step: scores, and the gradients of both factors
OVERHEAD = 1.6  # factor for exponentials, sums and updates in addition to the products
PROBE = (1024, 4096)  # rows and classes of the product whose time is measured


def batch_words(config: Config, length: int) -> int:
    """Returns the words per step: `batch_size`, or a number that suits the optimizer, the window
    and the length of the text."""
    if config.training.batch_size:
        return config.training.batch_size
    words = SGD_BATCH if config.training.optimizer == "sgd" else LARGE_BATCH
    if config.model.model != "cbow":
        # fewer words for wide windows, which make as many predictions
        words = max(1, min(words, words * 6 // (config.model.window + 1)))
    return max(SMALLEST_BATCH, min(words, length * config.training.epochs // STEPS))


def demands(config: Config, vocabulary: int) -> list[Demand]:
    """Returns the memory needed for a vocabulary of this size, in the machine and, if used, on the
    GPU."""
    device, row = find_device(config.training.device), 4 * config.model.dim
    working = working_bytes(config, vocabulary)
    # copied for a checkpoint, including the optimizers' rows
    ngrams, states = most_ngrams(config, vocabulary), STATE_ROWS[config.training.optimizer]
    needed = row * copied_rows(config, vocabulary, ngrams, 1 + states)
    needed += list_bytes(config, vocabulary)
    if device.type == "cpu":
        return [Demand("memory", needed + LIBRARY_BYTES + working, available_memory())]
    needed += CUDA_LIBRARY_BYTES + row * (vocabulary + ngrams)  # vectors copied for writing
    on_device = Demand(f"memory on {device}", working, free_memory(device))
    return [Demand("memory", needed, available_memory()), on_device]


def working_bytes(config: Config, vocabulary: int) -> int:
    """Returns the bytes allocated on the device: matrices, gradients and one batch."""
    dim, loss = config.model.dim, LOSSES[config.training.loss]
    ngrams = most_ngrams(config, vocabulary)
    # the last term is the gradient of all rows
    copies = 2 * (1 + STATE_ROWS[config.training.optimizer]) + loss.scores_all
    batch = batch_words(config, 1 << 40)
    predictions = batch * (config.model.window + 1 if config.model.model == "skip-gram" else 1)
    hidden = predictions if loss.draws_noise else min(predictions, vocabulary)
    gathered = loss.negatives(config.loss) // 4 + 1
    return (
        (copies * vocabulary + (copies - loss.scores_all) // 2 * ngrams) * dim * 4
        + (hidden + predictions) * gathered * dim * 4
        + predictions * 100
        + (0 if loss.sparse else SCORE_BYTES)
    )


def warning(config: Config, counts: np.ndarray, length: int, device: torch.device) -> str | None:
    """Returns a warning if a loss that scores all rows would take more than an hour, else None.
    counts [V]: those of the vocabulary; length: of the stream of ids."""
    if not LOSSES[config.training.loss].scores_all:
        return None
    seconds = products_of(config, counts, length) * OVERHEAD / speed_of(device, config.model.dim)
    if seconds < LONG_SECONDS:
        return None
    hours = seconds / 3600
    cheaper = cheaper_losses()
    duration = f"{hours:.0f} hours" if hours < 72 else f"{hours / 24:.0f} days"
    return (
        f"`loss` {config.training.loss} scores all {len(counts):,} words for every hidden vector:"
        f" this will take about {duration}. Cheaper: `loss` {', '.join(cheaper[:-1])} or"
        f" {cheaper[-1]}, a larger `min_count`, fewer `epochs`"
    )


def products_of(config: Config, counts: np.ndarray, length: int) -> float:
    """Returns the floating-point operations of a run's matrix products with all V rows."""
    kept = counts * keep_probabilities(counts, config.training.sample)
    words = float(kept.sum())
    steps = max(1.0, length / batch_words(config, length))
    hidden = words / steps
    if config.model.model == "skip-gram":
        # expected distinct words of a batch: 1 minus the probability that no prediction has a word
        predictions, share = hidden * (config.model.window + 1), np.minimum(kept / words, 1 - 1e-12)
        hidden = float(-np.expm1(predictions * np.log1p(-share)).sum())
    return 2.0 * PRODUCTS * hidden * len(counts) * config.model.dim * steps * config.training.epochs


def speed_of(device: torch.device, dim: int) -> float:
    """Measures the speed of a matrix product of a step's shape, in floating-point operations/s."""
    rows, classes = (torch.ones(size, dim, device=device) for size in PROBE)
    best = float("inf")
    for _ in range(3):
        began = time.perf_counter()
        (rows @ classes.T)[0, 0].item()
        best = min(best, time.perf_counter() - began)
    return 2.0 * PROBE[0] * PROBE[1] * dim / best
