"""Damping factors for the changes of rows. Hundreds of windows are trained at the same time on a
GPU, and each computes its change from a state of the row that the others are changing too, so that
the plain sum of the changes would move the row too far.

The CPU kernel counts how often each thread has used a row (`w2v.kernels.cpu.merge`); here the
expected number of uses is taken instead. If G windows are in flight, G - 1 of them belong to other
programs. If each of them uses the row u times on average, together they move it by about
PULL · lr · u · (G - 1) of the way to its equilibrium. Each change is therefore multiplied by

    f = 1 / (1 + PULL · lr · u · (G - 1))      which is 1 for G = 1

with the following u, where p is a word's share of the trained words, and q its probability as a
noise word:

    input rows               u = p · (2 · window + 1) · (window + 1)
    output rows of words     u = p + negatives · q           also for the biases of words
    output rows of nodes     u = Σ p over the words below the node
    -log Z                   f = 1 / G, because every window uses it

The input rows' u has two factors because a program keeps a copy of an input row for 2 · window + 1
windows, and uses it in about window + 1 of them, before other programs see its changes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from w2v.kernels.cpu.merge import PULL
from w2v.kernels.gpu.shape import Variant
from w2v.kernels.gpu.tables import RowSelection
from w2v.sampling.unigram import unigram_probabilities


class Damping(NamedTuple):
    """The damping factors f at one learning rate, float32: of input rows [V], of inner nodes
    [nodes] or None, of words' output rows [V] or None, and of -log Z [1]."""

    input: Tensor
    path: Tensor | None
    noise: Tensor | None
    log_z: Tensor


class Pulls(NamedTuple):
    """PULL · u · (G - 1) for every row, float32, with the shapes of `Damping`, and in_flight = G.
    These values do not depend on the learning rate and are computed once per run."""

    input: Tensor
    path: Tensor | None
    noise: Tensor | None
    in_flight: int

    def at(self, lr: float) -> Damping:
        """Returns the damping factors at the learning rate `lr`."""
        path, noise = (
            None if pull is None else 1 / (1 + lr * pull) for pull in (self.path, self.noise)
        )
        log_z = self.input.new_full((1,), 1 / self.in_flight)
        return Damping(1 / (1 + lr * self.input), path, noise, log_z)


def pulls(
    variant: Variant, selection: RowSelection, counts: np.ndarray, keep: np.ndarray,
    negatives: int, power: float, in_flight: int,
) -> Pulls:  # fmt: skip
    """Returns the pulls of all rows, on the device of `selection`.

    counts [V]: occurrences of each word; keep [V]: the probability that subsampling keeps a word;
    negatives, power: as in FusedPlan; in_flight: G, the number of windows trained at a time.
    """
    device = next(table for table in selection if table is not None).device
    p = counts * keep / np.sum(counts * keep)

    def pull(uses: np.ndarray) -> Tensor:
        table = (float(PULL) * (in_flight - 1) * uses).astype(np.float32)
        return torch.from_numpy(table).to(device)

    path = noise = None
    if variant.noise:
        noise = pull(p + negatives * unigram_probabilities(counts, power))
    if variant.path:
        assert selection.starts is not None and selection.steps is not None
        starts, steps = selection.starts.cpu().numpy(), selection.steps.cpu().numpy()
        nodes = max(1, len(p) - 1)
        path = pull(np.bincount(steps >> 1, np.repeat(p, np.diff(starts)), nodes))
    copies = 2 * variant.window + 1
    return Pulls(pull(p * copies * (variant.window + 1)), path, noise, in_flight)
