"""When the ranks of a run exchange which rows."""

from __future__ import annotations

from dataclasses import dataclass

from w2v.training.schedule import Blocks

# Measured: 2 ranks learn as 2 threads from some 200 exchanges a run on, 8 need 1000, 16 more.
EXCHANGES, EXCHANGES_PER_RANK = 1000, 250
FULL = 20  # exchanges of all rows in a run, at least
HOT_ROWS, HOT_ROWS_PER_RANK = 4096, 512  # exchanged every time, and waited for


def default_words(positions: int, ranks: int) -> int:
    """Returns how many stream positions a rank trains between exchanges, in a run of so many."""
    return max(1, positions // (ranks * max(EXCHANGES, EXCHANGES_PER_RANK * ranks)))


@dataclass(frozen=True)
class Sections:
    """When a run of `blocks` exchanges: after every `size` blocks of each of the ranks, everything
    at every `full`th section of an epoch and at the epochs' ends."""

    blocks: Blocks
    ranks: int
    size: int

    @classmethod
    def of(cls, blocks: Blocks, ranks: int, words: int) -> Sections:
        """Returns the sections of about `words` stream positions per rank."""
        mean = max(1.0, blocks.bounds[-1] / blocks.per_epoch)
        return cls(blocks, ranks, max(1, round(words / mean)))

    @property
    def per_epoch(self) -> int:
        """How many sections there are in one pass."""
        return -(-self.blocks.per_epoch // (self.ranks * self.size))

    @property
    def full(self) -> int:
        return max(1, self.per_epoch // -(-FULL // self.blocks.epochs))

    def number(self, blocks_done: int) -> int:
        """Returns which section of its epoch has ended there, from 1; 0 at an epoch's end."""
        return -(-(blocks_done % self.blocks.per_epoch) // (self.ranks * self.size))

    def is_full(self, blocks_done: int) -> bool:
        """Whether all rows are exchanged there anyway."""
        return self.number(blocks_done) % self.full == 0

    def waited(self, rows: int) -> int:
        """Returns how many of the `rows` of a table are exchanged and waited for every time."""
        return min(rows, HOT_ROWS, HOT_ROWS_PER_RANK * self.ranks)

    def hot(self, rows: int) -> int:
        """Returns how many are exchanged every time."""
        sections = self.per_epoch * self.blocks.epochs
        return max(self.waited(rows), min(rows, FULL * rows // sections))

    def prefix(self, blocks_done: int, rows: int) -> int:
        """Returns how many of the `rows` of a table are exchanged there."""
        number = self.number(blocks_done) % self.full
        return min(rows, self.hot(rows) * (number & -number)) if number else rows

    def buffered(self, rows: int) -> int:
        """Returns the most that are exchanged while training goes on."""
        last = self.full - 1
        return min(rows, self.hot(rows) << max(0, last.bit_length() - 1)) if last else 0
