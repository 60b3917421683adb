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

from collections.abc import Callable
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


def damping_by_rate(
    variant: Variant, selection: RowSelection, counts: np.ndarray, keep: np.ndarray,
    negatives: int, power: float, in_flight: int,
) -> Callable[[float], Damping]:  # fmt: skip
    """Returns a function that computes the damping factors for a learning rate, on the device of
    `selection`. What does not depend on the rate, PULL · u · (G - 1), is computed once.

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
    inputs = pull(p * copies * (variant.window + 1))

    def at(lr: float) -> Damping:
        outputs = [None if table is None else 1 / (1 + lr * table) for table in (path, noise)]
        log_z = inputs.new_full((1,), 1 / in_flight)
        return Damping(1 / (1 + lr * inputs), outputs[0], outputs[1], log_z)

    return at
