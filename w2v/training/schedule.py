"""What is trained when: the text cut into blocks, and the learning rate of each.

A block is keyed (epoch, index); its random numbers and its learning rate depend on the key alone,
never on which thread works it off or when.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from w2v.corpus.store import release_pages
from w2v.system.json import real_number

LR_FLOOR = 1e-4  # of the initial learning rate, as in word2vec.c
PLATEAU_DIVISOR = 4.0
RELEASED_IDS = 1 << 22  # pages of the stream are given back after so many ids, 16 MB
LONGEST_SENTENCE = (
    100_000  # words; a longer `max_sentence` never splits, since a block holds whole sentences
)


@dataclass(frozen=True)
class Block:
    """Stream positions start … stop - 1 in one epoch (from 0); `fraction` of the whole run lies
    before it."""

    epoch: int
    index: int
    start: int
    stop: int
    fraction: float


def sentence_limit(max_sentence: int) -> int:
    """Words after which a line is split, 0 = never, from the setting of that name."""
    return max_sentence if max_sentence <= LONGEST_SENTENCE else 0


def cut_blocks(ids: np.ndarray, size: int, max_sentence: int) -> np.ndarray:
    """Bounds [blocks + 1] int64 of blocks of about `size` stream positions.

    ids: int32 stream, -1 at line ends. A cut falls on a line end if one follows within
    `max_sentence` words, so that it only ever splits lines that are split anyway; with max_sentence
    = 0 (lines are never split) a cut may fall anywhere, and the kernel looks across it.
    """
    bounds = [0]
    released = 0
    while bounds[-1] < len(ids):
        # or the looks for line ends would map the whole file
        if bounds[-1] - released > RELEASED_IDS:
            release_pages(ids, released, bounds[-1])
            released = bounds[-1]
        cut = bounds[-1] + size
        if cut >= len(ids):
            cut = len(ids)
        elif max_sentence > 0 and ids[cut - 1] >= 0:
            line_ends = np.flatnonzero(np.asarray(ids[cut : cut + max_sentence + 1]) < 0)
            cut += int(line_ends[0]) + 1 if len(line_ends) else 0
        bounds.append(cut)
    return np.array(bounds, np.int64)


def block_number(bounds: np.ndarray, epochs: int, number: int) -> Block:
    """The block of that number, counted through all epochs."""
    total, (epoch, index) = int(bounds[-1]), divmod(number, len(bounds) - 1)
    start, stop = int(bounds[index]), int(bounds[index + 1])
    return Block(epoch, index, start, stop, (epoch * total + start) / (epochs * total))


class Schedule(Protocol):
    """The learning rate over a run; what it has learnt on the way is part of a checkpoint."""

    initial: float

    def rate(self, fraction: float) -> float:
        """The learning rate where `fraction` of the run is done."""

    def state(self) -> dict[str, float]:
        """What `rate` depends on beside the fraction."""

    def load_state(self, state: Mapping[str, float]) -> None:
        """Goes on from what `state` returned."""


class LinearDecay:
    """Falls linearly over the run, as in word2vec.c: initial · max(1e-4, 1 - fraction)."""

    def __init__(self, initial: float) -> None:
        self.initial = initial

    def rate(self, fraction: float) -> float:
        """The learning rate where `fraction` of the run is done."""
        return self.initial * max(LR_FLOOR, 1.0 - fraction)

    def state(self) -> dict[str, float]:
        """Nothing: the rate depends on the fraction alone."""
        return {}

    def load_state(self, state: Mapping[str, float]) -> None:
        """Nothing to load."""


class Scheduled:
    """A rise from 0 over the share `warmup` of the run, then a course down: constant, linear,
    cosine or plateau.

    constant  initial
    linear    initial · max(1e-4, 1 - f)                    f: the fraction of the run behind the
    warm-up cosine    initial · max(1e-4, (1 + cos(pi f)) / 2)      Loshchilov and Hutter 2017,
    arXiv:1608.03983 plateau   initial · factor; `worse()` makes a quarter of it, as
    pytorch/examples does
    """

    def __init__(self, initial: float, course: str, warmup: float = 0.0) -> None:
        self.initial, self.course, self.warmup, self.factor = initial, course, warmup, 1.0

    def rate(self, fraction: float) -> float:
        """The learning rate where `fraction` of the run is done."""
        if fraction < self.warmup:
            return self.initial * max(LR_FLOOR, fraction / self.warmup)
        f = (fraction - self.warmup) / (1 - self.warmup) if self.warmup < 1 else 0.0
        if self.course == "linear":
            return self.initial * max(LR_FLOOR, 1 - f)
        if self.course == "cosine":
            return self.initial * max(LR_FLOOR, (1 + math.cos(math.pi * f)) / 2)
        return self.initial * self.factor

    def worse(self) -> None:
        """An epoch did not improve: on a plateau the rate falls to a quarter."""
        if self.course == "plateau":
            self.factor /= PLATEAU_DIVISOR

    def state(self) -> dict[str, float]:
        """How far the plateaus have lowered the rate."""
        return {"factor": self.factor}

    def load_state(self, state: Mapping[str, float]) -> None:
        """Goes on from what `state` returned."""
        factor = real_number(state["factor"])
        if not 0 <= factor <= 1:
            raise ValueError(
                f"the plateaus have made the learning rate {factor:g} times what it was"
            )
        self.factor = factor
