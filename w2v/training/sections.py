"""Decides which rows the ranks of a run exchange, and when."""

from __future__ import annotations

from dataclasses import dataclass

from w2v.training.schedule import Blocks

# Measured: from about 200 exchanges per run, 2 ranks learn as much as 2 threads; 8 ranks need 1000.
EXCHANGES, EXCHANGES_PER_RANK = 1000, 250
FULL = 20  # fewest exchanges of all rows in a run
HOT_ROWS, HOT_ROWS_PER_RANK = 4096, 512  # rows exchanged every time, without delay


def default_words(positions: int, ranks: int) -> int:
    """Returns the stream positions that a rank trains between exchanges, in a run of so many."""
    return max(1, positions // (ranks * max(EXCHANGES, EXCHANGES_PER_RANK * ranks)))


@dataclass(frozen=True)
class Sections:
    """The exchanges of a run over `blocks`: one after every `size` blocks of each rank; all rows
    are exchanged at every `full`th section of an epoch and at the end of each epoch."""

    blocks: Blocks
    ranks: int
    size: int

    @classmethod
    def of(cls, blocks: Blocks, ranks: int, words: int) -> Sections:
        """Returns sections of about `words` stream positions per rank."""
        mean = max(1.0, blocks.bounds[-1] / blocks.per_epoch)
        return cls(blocks, ranks, max(1, round(words / mean)))

    @property
    def per_epoch(self) -> int:
        """The number of sections in one pass."""
        return -(-self.blocks.per_epoch // (self.ranks * self.size))

    @property
    def full(self) -> int:
        return max(1, self.per_epoch // -(-FULL // self.blocks.epochs))

    def number(self, blocks_done: int) -> int:
        """Returns the number, from 1, of the section that ends there; 0 at the end of an epoch."""
        return -(-(blocks_done % self.blocks.per_epoch) // (self.ranks * self.size))

    def is_full(self, blocks_done: int) -> bool:
        """Returns whether all rows are exchanged there."""
        return self.number(blocks_done) % self.full == 0

    def waited(self, rows: int) -> int:
        """Returns how many of a table's `rows` are exchanged without delay every time."""
        return min(rows, HOT_ROWS, HOT_ROWS_PER_RANK * self.ranks)

    def hot(self, rows: int) -> int:
        """Returns how many of a table's `rows` are exchanged every time."""
        sections = self.per_epoch * self.blocks.epochs
        return max(self.waited(rows), min(rows, FULL * rows // sections))

    def prefix(self, blocks_done: int, rows: int) -> int:
        """Returns how many of a table's `rows` are exchanged there."""
        number = self.number(blocks_done) % self.full
        return min(rows, self.hot(rows) * (number & -number)) if number else rows

    def buffered(self, rows: int) -> int:
        """Returns the most rows that are exchanged while training continues."""
        last = self.full - 1
        return min(rows, self.hot(rows) << max(0, last.bit_length() - 1)) if last else 0
