"""What is trained when: the text cut into blocks, and the learning rate of each.

A block is keyed (epoch, index); its random numbers and its learning rate depend on the key alone, never on which
thread works it off or when.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

LR_FLOOR = 1e-4  # of the initial learning rate, as in word2vec.c
LONGEST_SENTENCE = 100_000  # words; a longer --max-sentence never splits, since a block holds whole sentences


@dataclass(frozen=True)
class Block:
    """Stream positions start … stop - 1 in one epoch (from 0); `fraction` of the whole run lies before it."""

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

    ids: int32 stream, -1 at line ends. A cut falls on a line end if one follows within `max_sentence` words, so that
    it only ever splits lines that are split anyway; with max_sentence = 0 (lines are never split) a cut may fall
    anywhere, and the kernel looks across it.
    """
    bounds = [0]
    while bounds[-1] < len(ids):
        cut = bounds[-1] + size
        if cut >= len(ids):
            cut = len(ids)
        elif max_sentence > 0 and ids[cut - 1] >= 0:
            line_ends = np.flatnonzero(np.asarray(ids[cut : cut + max_sentence + 1]) < 0)
            cut += int(line_ends[0]) + 1 if len(line_ends) else 0
        bounds.append(cut)
    return np.array(bounds, np.int64)


def blocks_of(bounds: np.ndarray, epochs: int) -> Iterator[Block]:
    """All blocks of a run in order."""
    total = int(bounds[-1])
    for epoch in range(epochs):
        for index in range(len(bounds) - 1):
            start, stop = int(bounds[index]), int(bounds[index + 1])
            yield Block(epoch, index, start, stop, (epoch * total + start) / (epochs * total))


def learning_rate(initial: float, fraction: float) -> float:
    """Falls linearly over the run, as in word2vec.c: initial · max(1e-4, 1 - fraction)."""
    return initial * max(LR_FLOOR, 1.0 - fraction)
