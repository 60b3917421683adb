"""What is trained when: the text cut into blocks, and the learning rate of each.

A block is keyed (epoch, index); its random numbers and its learning rate depend on the key alone,
never on which thread works it off or when.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from w2v.corpus.store import release_pages
from w2v.system.json import real_number

LR_FLOOR = 1e-4  # of the initial learning rate, as in word2vec.c
PLATEAU_DIVISOR = 4.0
RELEASED_IDS = 1 << 22  # pages of the stream are given back after so many ids, 16 MB
# words; a longer `max_sentence` never splits, since a block holds whole sentences
LONGEST_SENTENCE = 100_000


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


def cut_blocks(ids: np.ndarray, size: int, max_sentence: int, least: int = 0) -> np.ndarray:
    """Bounds [blocks + 1] int64 of blocks of about `size` stream positions, `least` where a line is
    split: predictions are lost there.

    ids: int32 stream, -1 at line ends. A cut falls on a line end if one follows within
    `max_sentence` words, so that it only ever splits lines that are split anyway; with max_sentence
    = 0 (lines are never split) a cut may fall anywhere, and the kernel looks across it.
    """
    bounds, released = [0], 0
    while bounds[-1] < len(ids):
        # or the looks for line ends would map the whole file
        if bounds[-1] - released > RELEASED_IDS:
            release_pages(ids, released, bounds[-1])
            released = bounds[-1]
        cut = min(bounds[-1] + size, len(ids))
        if cut < len(ids) and max_sentence > 0 and ids[cut - 1] >= 0:
            line_ends = np.flatnonzero(np.asarray(ids[cut : cut + max_sentence + 1]) < 0)
            if len(line_ends):
                cut += int(line_ends[0]) + 1
            else:
                cut = min(max(cut, bounds[-1] + least), len(ids))
        bounds.append(cut)
    return np.array(bounds, np.int64)


@dataclass(frozen=True)
class Blocks:
    """The blocks of a run: `epochs` passes over those that `bounds` [blocks + 1] cut the stream
    into. They are numbered through the run."""

    bounds: np.ndarray
    epochs: int

    @property
    def per_epoch(self) -> int:
        """How many there are in one pass."""
        return len(self.bounds) - 1

    @property
    def positions(self) -> int:
        """The length of the run: stream positions of all passes."""
        return int(self.bounds[-1]) * self.epochs

    def __len__(self) -> int:
        return self.per_epoch * self.epochs

    def __getitem__(self, number: int) -> Block:
        epoch, index = divmod(number, self.per_epoch)
        start, stop = int(self.bounds[index]), int(self.bounds[index + 1])
        return Block(epoch, index, start, stop, self.position(number) / self.positions)

    def position(self, number: int) -> int:
        """Returns how many stream positions of the run lie before a block."""
        epoch, index = divmod(number, self.per_epoch)
        return epoch * int(self.bounds[-1]) + int(self.bounds[index])


class Schedule:
    """The learning rate over a run: a rise from 0 over the share `warmup` of it, then a course
    down. f is the fraction of the run behind the warm-up.

    constant  initial
    linear    initial · max(1e-4, 1 - f)                    as in word2vec.c
    cosine    initial · max(1e-4, (1 + cos(pi f)) / 2)      Loshchilov and Hutter 2017,
                                                            arXiv:1608.03983
    plateau   initial · factor, of which `worse()` makes a quarter, as pytorch/examples does
    """

    def __init__(self, initial: float, course: str = "linear", warmup: float = 0.0) -> None:
        self.initial, self.course, self.warmup, self.factor = initial, course, warmup, 1.0

    def rate(self, fraction: float) -> float:
        """Returns the learning rate where `fraction` of the run is done."""
        if fraction < self.warmup:
            return self.initial * max(LR_FLOOR, fraction / self.warmup)
        f = (fraction - self.warmup) / (1 - self.warmup) if self.warmup < 1 else 0.0
        if self.course == "linear":
            return self.initial * max(LR_FLOOR, 1 - f)
        if self.course == "cosine":
            return self.initial * max(LR_FLOOR, (1 + math.cos(math.pi * f)) / 2)
        return self.initial * self.factor

    def worse(self) -> None:
        """Says that an epoch did not improve: on a plateau the rate falls to a quarter."""
        if self.course == "plateau":
            self.factor /= PLATEAU_DIVISOR

    def state(self) -> dict[str, float]:
        """Returns how far plateaus have lowered the rate."""
        return {"factor": self.factor}

    def load_state(self, state: Mapping[str, float]) -> None:
        """Goes on from what `state` returned; where nothing could be lowered it was empty once."""
        factor = real_number(state.get("factor", 1.0))
        if not 0 <= factor <= 1:
            raise ValueError(f"plateaus have made the learning rate {factor:g} times what it was")
        self.factor = factor
