"""The tensors that the training kernel works on. Fields that a loss does not use are None."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Parameters(NamedTuple):
    """The trained tables, float32: input rows [V, stride], output rows of inner nodes [nodes,
    stride], output rows of words [V, stride], biases of words [V], and -log Z [1]. The floats that
    pad a row to `stride` are 0 and stay 0."""

    input: Tensor
    path: Tensor | None = None
    noise: Tensor | None = None
    bias: Tensor | None = None
    log_z: Tensor | None = None


class RowSelection(NamedTuple):
    """The tables from which a window's output rows are selected: Walker's alias table for noise
    words, accept [V] and alias [V], as from `w2v.sampling.unigram.alias_table` (accept may have any
    type of at least 32 bits with the same bits); offsets [V], which are added to the scores; and
    the words' paths in CSR form, starts [V + 1] and steps = node · 2 + label."""

    accept: Tensor | None = None
    alias: Tensor | None = None
    offsets: Tensor | None = None
    starts: Tensor | None = None
    steps: Tensor | None = None
