"""What a kernel works on, on its device; None: the loss has no such table."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Rows(NamedTuple):
    """What learns, float32: input rows [V, stride], output rows of inner nodes and of words [·,
    stride] (padding is and stays 0), biases of words [V], -log Z [1]."""

    input: Tensor
    path: Tensor | None = None
    noise: Tensor | None = None
    bias: Tensor | None = None
    log_z: Tensor | None = None


class Chosen(NamedTuple):
    """What rows are chosen by: Walker's alias table, accept [V] (its bits, as whatever type of at
    least 32) and alias [V], as `w2v.sampling.unigram.alias_table` gives it; offsets [V], added to
    the scores; paths in CSR form, starts [V + 1] and steps = node · 2 + label."""

    accept: Tensor | None = None
    alias: Tensor | None = None
    offsets: Tensor | None = None
    starts: Tensor | None = None
    steps: Tensor | None = None
