"""A table of rows that every rank has, and how the sum of what all have changed is damped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

CHUNK_BYTES = 1 << 19  # worked on at a time, by one thread: stays in its cache
ALWAYS = 1e30  # the pull of what every position moves: its damping is 1 / N
Each = Callable[[int, int, Callable[[slice], None]], None]  # see `Exchange.each`
Merge = Callable[..., None]  # `merge_ranks` of the CPU kernels
Tables = Sequence["SharedRows"]


@dataclass(frozen=True)
class SharedTable:
    """Rows [R, width] float32 that every rank has, the most used ones first. pull [R]: how far one
    position of the stream moves a row towards where it is at rest, per unit of learning rate (0.4
    times its expected uses). copies: what must follow the rows, of the same shape."""

    rows: np.ndarray
    pull: np.ndarray
    copies: Sequence[np.ndarray] = ()


@dataclass(frozen=True)
class Due:
    """What is exchanged at a section's end: the first `ends` rows of the tables, all of them if
    `whole`; the first `waited` of them at once. lr: the learning rate since the last exchange;
    trained: stream positions since the beginning, of all ranks."""

    ends: Sequence[int]
    waited: Sequence[int]
    whole: bool
    lr: float
    trained: int


class SharedRows:
    """A table, and when its rows were exchanged last, by `ranks` ranks."""

    def __init__(self, table: SharedTable, ranks: int) -> None:
        self.rows, self.copies, self.width = table.rows, table.copies, int(table.rows.shape[1])
        self._pull, self._ranks = table.pull, ranks
        self.step = max(1, CHUNK_BYTES // (4 * self.width))
        self._met = np.zeros(len(table.rows), np.int64)  # positions, at the row's last exchange

    def begin(self) -> None:
        """All ranks hold the same rows now."""
        self._met[:] = 0

    def damping(self, rows: slice, due: Due) -> np.ndarray:
        """Returns f of these rows [n] float32, which are about to be exchanged."""
        x = self._pull[rows] * due.lr * ((due.trained - self._met[rows]) / self._ranks)
        return ((1 + x) / (1 + self._ranks * x)).astype(np.float32)

    def meet(self, rows: slice, due: Due) -> None:
        """These rows have been exchanged, or are on their way."""
        self._met[rows] = due.trained

    def follow(self, rows: slice) -> None:
        """The copies of these rows become as they are."""
        for copy in self.copies:
            copy[rows] = self.rows[rows]
