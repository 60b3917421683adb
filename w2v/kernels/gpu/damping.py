"""What a row's changes are multiplied by, because hundreds of windows are in flight at the same
time: each moves the row from a state that the others are moving too.

Where the CPU's kernel counts how often threads have used a row (`w2v.kernels.cpu.merge`), here the
expected number does. Of G windows in flight, G - 1 are others'; they use a row u times per window
of theirs and take it about PULL · lr · u · (G - 1) of the way to where it is at rest. So its
changes are multiplied by

    f = 1 / (1 + PULL · lr · u · (G - 1))      1 for G = 1

    input rows     u = p · (2 · window + 1) · (window + 1)    p: the word's share of trained words
    words' rows    u = p + negatives · q                      q: of noise words; the biases alike
    inner nodes    u = Σ p of the words below
    -log Z         f = 1 / G                                  used all the time

A program holds an input row for 2 · window + 1 windows, and uses it in about window + 1 of them,
before others see what it has learnt: as many copies are in flight.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from w2v.kernels.cpu.merge import PULL
from w2v.kernels.gpu.shape import Variant
from w2v.kernels.gpu.tables import Chosen
from w2v.kernels.plan import NOISE, PATH
from w2v.sampling.unigram import unigram_probabilities


class Damping(NamedTuple):
    """f of every row, float32: input [V], path [inner nodes], noise [V], log_z [1]."""

    input: Tensor
    path: Tensor | None
    noise: Tensor | None
    log_z: Tensor


class Pulls(NamedTuple):
    """1 / f - 1 per unit of learning rate, float32; what they are of stands in Damping. They hold
    for a whole run."""

    input: Tensor
    path: Tensor | None
    noise: Tensor | None
    in_flight: int

    def at(self, lr: float) -> Damping:
        """The damping at a learning rate."""
        path, noise = (
            None if pull is None else 1 / (1 + lr * pull) for pull in (self.path, self.noise)
        )
        log_z = self.input.new_full((1,), 1 / self.in_flight)
        return Damping(1 / (1 + lr * self.input), path, noise, log_z)


def pulls(
    variant: Variant, chosen: Chosen, counts: np.ndarray, keep: np.ndarray, negatives: int,
    power: float, in_flight: int,
) -> Pulls:  # fmt: skip
    """Returns the pulls on the device of `chosen`. counts [V]; keep [V]: probability of a word to
    survive sub-sampling; in_flight: G."""
    given = next(table for table in chosen if table is not None)
    p = counts * keep / np.sum(counts * keep)

    def pull(uses: np.ndarray) -> Tensor:
        table = (float(PULL) * (in_flight - 1) * uses).astype(np.float32)
        return torch.from_numpy(table).to(given.device)

    path = noise = None
    if variant.rows & NOISE:
        noise = pull(p + negatives * unigram_probabilities(counts, power))
    if variant.rows & PATH:
        assert chosen.starts is not None and chosen.steps is not None
        starts, steps = chosen.starts.cpu().numpy(), chosen.steps.cpu().numpy()
        nodes = max(1, len(p) - 1)
        path = pull(np.bincount(steps >> 1, np.repeat(p, np.diff(starts)), nodes))
    copies = 2 * variant.window + 1
    return Pulls(pull(p * copies * (variant.window + 1)), path, noise, in_flight)
