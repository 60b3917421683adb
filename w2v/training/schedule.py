"""The order of training: the text cut into blocks, and the learning rate of each.

A block is identified by (epoch, index). Its random numbers and its learning rate depend only on
these, never on the thread that trains it or the time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from w2v.corpus.store import release_pages
from w2v.system.json import real_number

LR_FLOOR = 1e-4  # lowest rate as a fraction of the initial one, as in word2vec.c
PLATEAU_DIVISOR = 4.0
RELEASED_IDS = 1 << 22  # pages of the memory-mapped stream are released after so many ids, 16 MB
# words; a longer `max_sentence` never splits lines, because blocks hold whole sentences
LONGEST_SENTENCE = 100_000


@dataclass(frozen=True)
class Block:
    """Stream positions start … stop - 1 in one epoch (counted from 0). `fraction`: the share of the
    whole run that precedes the block; `share`: the share of it that the block is."""

    epoch: int
    index: int
    start: int
    stop: int
    fraction: float
    share: float = 0.0


def sentence_limit(max_sentence: int) -> int:
    """Returns the words after which lines are split (0: never), from the setting `max_sentence`."""
    return max_sentence if max_sentence <= LONGEST_SENTENCE else 0


def cut_blocks(ids: np.ndarray, size: int, max_sentence: int, least: int = 0) -> np.ndarray:
    """Returns the bounds [blocks + 1] int64 of blocks of about `size` stream positions, of at least
    `least` where a line is split, because predictions are lost there.

    ids: int32 stream, -1 at line ends. A bound is moved to a line end if one follows within
    `max_sentence` words, so that only lines are cut that are split anyway. With max_sentence = 0
    (lines are never split) a bound may be anywhere, and the kernel reads beyond it.
    """
    bounds, released = [0], 0
    while bounds[-1] < len(ids):
        # otherwise the search for line ends would keep the whole file in memory
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
    """The blocks of a run, numbered throughout: `epochs` passes over the blocks with the bounds
    [blocks + 1] in the stream."""

    bounds: np.ndarray
    epochs: int

    @property
    def per_epoch(self) -> int:
        """The number of blocks in one pass."""
        return len(self.bounds) - 1

    @property
    def positions(self) -> int:
        """The length of the run in stream positions, over all passes."""
        return int(self.bounds[-1]) * self.epochs

    def __len__(self) -> int:
        return self.per_epoch * self.epochs

    def __getitem__(self, number: int) -> Block:
        epoch, index = divmod(number, self.per_epoch)
        start, stop = int(self.bounds[index]), int(self.bounds[index + 1])
        fraction, share = self.position(number) / self.positions, (stop - start) / self.positions
        return Block(epoch, index, start, stop, fraction, share)

    def position(self, number: int) -> int:
        """Returns the number of stream positions of the run that precede a block."""
        epoch, index = divmod(number, self.per_epoch)
        return epoch * int(self.bounds[-1]) + int(self.bounds[index])


class Schedule:
    """The learning rate during a run: it rises from 0 over the fraction `warmup` of the run and
    then follows a course; f is the fraction of the remaining run that is done.

    constant  initial
    linear    initial · max(1e-4, 1 - f)                    as in word2vec.c
    cosine    initial · max(1e-4, (1 + cos(pi f)) / 2)      Loshchilov and Hutter 2017,
                                                            arXiv:1608.03983
    plateau   initial · factor, which `worse()` divides by 4, as in pytorch/examples
    """

    def __init__(self, initial: float, course: str = "linear", warmup: float = 0.0) -> None:
        self.initial, self.course, self.warmup, self.factor = initial, course, warmup, 1.0

    def rate(self, fraction: float, share: float = 0.0) -> float:
        """Returns the learning rate after `fraction` of the run, for a block that is a `share` of
        it. A block in the warm-up has the rate that is reached at its end: a short text may be a
        single block, which would learn nothing with that at its start, 0."""
        if fraction < self.warmup:
            return self.initial * min(1.0, max(LR_FLOOR, (fraction + share) / self.warmup))
        f = (fraction - self.warmup) / (1 - self.warmup) if self.warmup < 1 else 0.0
        if self.course == "linear":
            return self.initial * max(LR_FLOOR, 1 - f)
        if self.course == "cosine":
            return self.initial * max(LR_FLOOR, (1 + math.cos(math.pi * f)) / 2)
        return self.initial * self.factor

    def worse(self) -> None:
        """Lowers the rate of a plateau schedule; called after an epoch without improvement."""
        if self.course == "plateau":
            self.factor /= PLATEAU_DIVISOR

    def state(self) -> dict[str, float]:
        """Returns the factor by which plateaus have lowered the rate."""
        return {"factor": self.factor}

    def load_state(self, state: Mapping[str, float]) -> None:
        """Restores what `state` returned; checkpoints of older versions may lack the factor."""
        factor = real_number(state.get("factor", 1.0))
        if not 0 <= factor <= 1:
            raise ValueError(f"plateaus have made the learning rate {factor:g} times what it was")
        self.factor = factor
