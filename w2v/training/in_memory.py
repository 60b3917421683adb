"""The exchange between ranks of one machine, through memory that all of them see.

It holds `base`, and for every rank room for some rows. What is due goes its way in pieces:

    every rank gives its rows, but those of its share, an N-th
    -- all have come here --
    of its share it makes base += f · ΣΔ, see `w2v.training.exchange`
    -- all have come here --
    and takes the others' shares out of base

Of two ranks each reads or writes 4.5 times the rows' bytes so, where sums that go through sockets
take about 20; so nothing need be late.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from w2v.training.shared_rows import Due, Each, Merge, SharedRows, Tables
from w2v.training.world import World

PIECE = 1 << 22  # numbers that all ranks together give at a time: they stay in the cache


class Segment(NamedTuple):
    """Some rows of a table, what they were when last exchanged, and room for those of each rank."""

    table: SharedRows
    rows: slice
    here: np.ndarray  # [n, width]
    base: np.ndarray
    room: np.ndarray  # [N, n, width]


class InMemory:
    """The way of the rows of `tables`; `merge` sums the changes."""

    def __init__(
        self, tables: Tables, world: World, each: Each, memory: np.ndarray, merge: Merge
    ) -> None:
        self._tables, self._world, self._each, self._merge = tables, world, each, merge
        numbers, shapes = memory.view(np.float32), [table.rows.shape for table in tables]
        *bases, self._room = np.split(numbers, np.cumsum([table.rows.size for table in tables]))
        self._bases = [base.reshape(shape) for base, shape in zip(bases, shapes, strict=True)]

    @staticmethod
    def numbers(tables: Tables, ranks: int) -> int:
        """Returns how many float32 the memory must hold."""
        size, widest = sum(each.rows.size for each in tables), max(each.width for each in tables)
        return size + ranks * max(widest, min(size, PIECE // ranks))

    def begin(self, late: Sequence[int]) -> None:
        """All ranks hold the same rows now; nothing will be late."""
        rows, none = self._tables[0].rows[:0], np.zeros(0, np.float32)
        room = none.reshape(self._world.size, *rows.shape)
        self._merge(rows, rows, room, 0, 0, none, 0, 0)  # compiles it
        self._world.barrier()  # nobody takes rows of an exchange before
        for table, base in zip(self._tables, self._bases, strict=True):
            own = self._share(len(base))
            base[own] = table.rows[own]
        self._world.barrier()

    def __call__(self, due: Due) -> None:
        """Exchanges what is due."""
        for piece in self._pieces(due.ends):
            for table, _, here, _, room in piece:
                self._copy_others(table, room[self._world.rank], here)
            self._world.barrier()
            for segment in piece:
                self._merge_share(segment, due)
            self._world.barrier()
            for table, rows, here, base, _ in piece:
                self._copy_others(table, here, base)
                table.follow(rows)
                table.meet(rows, due)

    def _pieces(self, ends: Sequence[int]) -> Iterator[list[Segment]]:
        """The first rows of all tables, in pieces for which there is room."""
        piece: list[Segment] = []
        used, ranks = 0, self._world.size
        for table, base, end in zip(self._tables, self._bases, ends, strict=True):
            begin = 0
            while begin < end:
                count = min(end - begin, (len(self._room) - used) // (ranks * table.width))
                if not count:
                    yield piece
                    piece, used = [], 0
                    continue
                rows, size = slice(begin, begin + count), ranks * count * table.width
                room = self._room[used : used + size].reshape(ranks, count, table.width)
                piece.append(Segment(table, rows, table.rows[rows], base[rows], room))
                begin, used = begin + count, used + size
        if piece:
            yield piece

    def _share(self, rows: int) -> slice:
        """What of so many rows this rank puts together."""
        rank, ranks = self._world.rank, self._world.size
        return slice(rows * rank // ranks, rows * (rank + 1) // ranks)

    def _merge_share(self, segment: Segment, due: Due) -> None:
        table, rows, here, base, room = segment
        own, rank = self._share(len(here)), self._world.rank
        factor = table.damping(slice(rows.start + own.start, rows.start + own.stop), due)
        given = here[own], base[own], room, rank, own.start, factor
        self._each(len(factor), table.step, lambda at: self._merge(*given, at.start, at.stop))

    def _copy_others(self, table: SharedRows, target: np.ndarray, source: np.ndarray) -> None:
        """target = source [n, width] but for this rank's share."""
        own = self._share(len(source))
        for part in (slice(own.start), slice(own.stop, None)):
            to, of = target[part], source[part]
            self._each(len(of), table.step, partial(_copy, to, of))


def _copy(target: np.ndarray, source: np.ndarray, at: slice) -> None:
    target[at] = source[at]
