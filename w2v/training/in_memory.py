"""The exchange between ranks on one machine, through shared memory.

The memory holds `base` and, for every rank, a buffer for some rows. The due rows are exchanged in
pieces:

    every rank copies its rows into its buffer, except those of its share, an N-th
    -- barrier --
    for its share it computes base += f · ΣΔ, see `w2v.training.exchange`
    -- barrier --
    and copies the shares of the others from base

With two ranks each reads or writes 4.5 times the bytes of the rows, whereas sums over sockets take
about 20; so no exchange needs to be late.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from w2v.training.shared_rows import Due, InSlices, Merge, SharedRows, Tables
from w2v.training.world import World

PIECE = 1 << 22  # numbers of all ranks together in a piece, so that it stays in the cache


class Segment(NamedTuple):
    """Some rows of a table, their values at the last exchange, and the buffers of all ranks."""

    table: SharedRows
    rows: slice
    current: np.ndarray  # [n, width]
    base: np.ndarray
    buffers: np.ndarray  # [N, n, width]


class InMemory:
    """Exchanges the rows of `tables`; `merge` adds up the changes."""

    def __init__(
        self, tables: Tables, world: World, in_slices: InSlices, memory: np.ndarray, merge: Merge
    ) -> None:
        self._tables, self._world, self._in_slices, self._merge = tables, world, in_slices, merge
        numbers, shapes = memory.view(np.float32), [table.rows.shape for table in tables]
        *bases, self._buffers = np.split(numbers, np.cumsum([table.rows.size for table in tables]))
        self._bases = [base.reshape(shape) for base, shape in zip(bases, shapes, strict=True)]

    @staticmethod
    def numbers(tables: Tables, ranks: int) -> int:
        """Returns how many float32 numbers the memory must hold."""
        size, widest = sum(t.rows.size for t in tables), max(t.width for t in tables)
        return size + ranks * max(widest, min(size, PIECE // ranks))

    def begin(self, late: Sequence[int]) -> None:
        """Starts: all ranks hold the same rows now. `late` is unused, as nothing is late here."""
        rows, none = self._tables[0].rows[:0], np.zeros(0, np.float32)
        buffers = none.reshape(self._world.size, *rows.shape)
        self._merge(rows, rows, buffers, 0, 0, none, 0, 0)  # compiles it
        self._world.barrier()  # so that no rank still reads `base` from an earlier exchange
        for table, base in zip(self._tables, self._bases, strict=True):
            share = self._share(len(base))
            base[share] = table.rows[share]
        self._world.barrier()

    def __call__(self, due: Due) -> None:
        """Exchanges the rows that are due."""
        for piece in self._pieces(due.ends):
            for table, _, current, _, buffers in piece:
                self._copy_others(table, buffers[self._world.rank], current)
            self._world.barrier()
            for segment in piece:
                self._merge_share(segment, due)
            self._world.barrier()
            for table, rows, current, base, _ in piece:
                self._copy_others(table, current, base)
                table.follow(rows)
                table.meet(rows, due)

    def _pieces(self, ends: Sequence[int]) -> Iterator[list[Segment]]:
        """Yields the first rows of all tables, in pieces that fit the buffers."""
        piece: list[Segment] = []
        used, ranks = 0, self._world.size
        for table, base, end in zip(self._tables, self._bases, ends, strict=True):
            begin = 0
            while begin < end:
                count = min(end - begin, (len(self._buffers) - used) // (ranks * table.width))
                if not count:
                    yield piece
                    piece, used = [], 0
                    continue
                rows, size = slice(begin, begin + count), ranks * count * table.width
                buffers = self._buffers[used : used + size].reshape(ranks, count, table.width)
                piece.append(Segment(table, rows, table.rows[rows], base[rows], buffers))
                begin, used = begin + count, used + size
        if piece:
            yield piece

    def _share(self, rows: int) -> slice:
        """Returns this rank's share of so many rows, whose changes it adds up."""
        rank, ranks = self._world.rank, self._world.size
        return slice(rows * rank // ranks, rows * (rank + 1) // ranks)

    def _merge_share(self, segment: Segment, due: Due) -> None:
        table, rows, current, base, buffers = segment
        share, rank = self._share(len(current)), self._world.rank
        factor = table.damping(slice(rows.start + share.start, rows.start + share.stop), due)
        arguments = current[share], base[share], buffers, rank, share.start, factor
        self._in_slices(len(factor), table.step, lambda s: self._merge(*arguments, s.start, s.stop))

    def _copy_others(self, table: SharedRows, target: np.ndarray, source: np.ndarray) -> None:
        """Copies source [n, width] to target, except for this rank's share."""
        share = self._share(len(source))
        for part in (slice(share.start), slice(share.stop, None)):
            target_part, source_part = target[part], source[part]
            self._in_slices(len(source_part), table.step, partial(_copy, target_part, source_part))


def _copy(target: np.ndarray, source: np.ndarray, part: slice) -> None:
    target[part] = source[part]
