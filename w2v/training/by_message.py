"""The exchange between ranks on several machines: each sends its changes, and all get the sum.

The changes of one section are summed while the next one is trained, and are applied one section
late. Ranks wait only for the first rows (with many ranks these would oscillate if they were late: 8
ranks lost 4 points of analogies) and for an exchange of all rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from w2v.training.shared_rows import Due, InSlices, SharedRows, Tables
from w2v.training.world import Started, World

PIECE_CHUNKS = 16  # sent at a time, of all rows


class ByMessage:
    """Exchanges the rows of `tables`."""

    def __init__(self, tables: Tables, world: World, in_slices: InSlices) -> None:
        self._world = world
        self._parts = [_Part(table, world, in_slices) for table in tables]
        self._buffer = np.zeros(0, np.float32)
        self._sum: Started | None = None

    def begin(self, late: Sequence[int]) -> None:
        """Starts: all ranks hold the same rows now. `late`: for each table, the most rows that will
        be sent while training continues."""
        self._sum = None
        sizes = [part.begin(rows) for part, rows in zip(self._parts, late, strict=True)]
        self._buffer = np.empty(sum(sizes), np.float32)

    def __call__(self, due: Due) -> None:
        """Applies the late changes, and exchanges the rows that are due."""
        if self._sum is not None:
            self._take(self._sum)
            self._sum = None
        if due.whole:
            for part in self._parts:
                part.exchange(due)
            return
        self._take(self._give([slice(0, end) for end in due.waited], due))
        if due.ends != due.waited:
            self._sum = self._give(list(map(slice, due.waited, due.ends)), due)

    def _give(self, rows: Sequence[slice], due: Due) -> Started:
        """Sends the changes of these rows of all tables, as one message."""
        begin = 0
        for part, block in zip(self._parts, rows, strict=True):
            end = begin + (block.stop - block.start) * part.table.width
            part.give(block, self._buffer[begin:end].reshape(-1, part.table.width), due)
            begin = end
        return self._world.start_sum(self._buffer[:begin])

    def _take(self, total: Started) -> None:
        total.wait()
        for part in self._parts:
            part.take()


class _Part:
    """One table, the values of its rows at their last exchange, and the changes being sent."""

    def __init__(self, table: SharedRows, world: World, in_slices: InSlices) -> None:
        self.table, self.rows, self._world, self._in_slices = table, table.rows, world, in_slices
        self._base, self._own = np.empty_like(self.rows), self.rows[:0]
        self._given = slice(0), self._own, self._own  # rows, their sum, and f

    def begin(self, late: int) -> int:
        """Starts; returns how many numbers the first `late` rows have."""
        self._base[:], self._own = self.rows, np.empty_like(self.rows[:late])
        return self._own.size

    def _damping(self, rows: slice, due: Due) -> np.ndarray:
        factor = self.table.damping(rows, due)
        self.table.meet(rows, due)
        return factor[:, None]

    def give(self, rows: slice, total: np.ndarray, due: Due) -> None:
        """Copies the changes of these rows to `total`, which becomes the sum over all ranks."""
        self._given = rows, total, self._damping(rows, due)
        sent, base = self._own[: len(total)], self._base[rows]

        def fill(part: slice) -> None:
            np.subtract(self.rows[rows][part], base[part], out=sent[part])
            total[part] = sent[part]

        self._in_slices(len(total), self.table.step, fill)

    def take(self) -> None:
        """Applies the sum of all ranks' changes."""
        rows, total, factor = self._given
        current, base, sent = self.rows[rows], self._base[rows], self._own

        def add(part: slice) -> None:
            change = total[part]
            change *= factor[part]
            base[part] += change
            change -= sent[part]
            current[part] += change

        self._in_slices(len(total), self.table.step, add)
        self.table.follow(rows)

    def exchange(self, due: Due) -> None:
        """Exchanges all rows, in pieces; while one piece is being sent, the next is prepared."""
        size, chunk = len(self.rows), self.table.step
        step, factor = chunk * PIECE_CHUNKS, self._damping(slice(size), due)
        spare = [np.empty_like(self.rows[:step]) for _ in range(2)]
        previous: tuple[int, np.ndarray, Started] | None = None
        for start in [*range(0, size, step), None]:
            current = None
            if start is not None:
                total = spare[start // step % 2][: size - start]
                self._in_slices(len(total), chunk, partial(self._change, start, total))
                current = start, total, self._world.start_sum(total)
            if previous is not None:
                offset, total, sum_of = previous
                sum_of.wait()
                self._in_slices(len(total), chunk, partial(self._set, offset, total, factor))
            previous = current
        self.table.follow(slice(size))

    def _change(self, start: int, total: np.ndarray, part: slice) -> None:
        rows = slice(start + part.start, start + part.stop)
        np.subtract(self.rows[rows], self._base[rows], out=total[part])

    def _set(self, start: int, total: np.ndarray, factor: np.ndarray, part: slice) -> None:
        rows = slice(start + part.start, start + part.stop)
        total[part] *= factor[rows]
        self._base[rows] += total[part]
        self.rows[rows] = self._base[rows]
