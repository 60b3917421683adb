"""A table of rows of which every rank has a copy, and the damping of the summed changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

CHUNK_BYTES = 1 << 19  # processed at a time by one thread, to stay in its cache
ALWAYS = 1e30  # the pull of a row that every position uses: its damping is 1 / N
InSlices = Callable[[int, int, Callable[[slice], None]], None]  # see `Exchange._in_slices`
Merge = Callable[..., None]  # `merge_ranks` of the CPU kernels
Tables = Sequence["SharedRows"]


@dataclass(frozen=True)
class SharedTable:
    """Rows [R, width] float32 of which every rank has a copy, most used first. pull [R]: how far
    one stream position moves a row towards its equilibrium, per unit of learning rate (0.4 times
    its expected uses). copies: arrays of the same shape that are updated with the rows."""

    rows: np.ndarray
    pull: np.ndarray
    copies: Sequence[np.ndarray] = ()


@dataclass(frozen=True)
class Due:
    """The rows exchanged at the end of a section: the first `ends` rows of each table, all if
    `whole`; of them the first `waited` without delay. lr: the learning rate since the last
    exchange; trained: stream positions since the beginning, of all ranks."""

    ends: Sequence[int]
    waited: Sequence[int]
    whole: bool
    lr: float
    trained: int


class SharedRows:
    """A table shared by `ranks` ranks, and when each of its rows was last exchanged."""

    def __init__(self, table: SharedTable, ranks: int) -> None:
        self.rows, self.copies, self.width = table.rows, table.copies, int(table.rows.shape[1])
        self._pull, self._ranks = table.pull, ranks
        self.step = max(1, CHUNK_BYTES // (4 * self.width))
        self._met = np.zeros(len(table.rows), np.int64)  # positions at each row's last exchange

    def begin(self) -> None:
        """Starts: all ranks hold the same rows now."""
        self._met[:] = 0

    def damping(self, rows: slice, due: Due) -> np.ndarray:
        """Returns the damping f [n] float32 of rows that are about to be exchanged."""
        x = self._pull[rows] * due.lr * ((due.trained - self._met[rows]) / self._ranks)
        return ((1 + x) / (1 + self._ranks * x)).astype(np.float32)

    def meet(self, rows: slice, due: Due) -> None:
        """Records that these rows are exchanged, or are being sent."""
        self._met[rows] = due.trained

    def follow(self, rows: slice) -> None:
        """Copies these rows to `copies`."""
        for copy in self.copies:
            copy[rows] = self.rows[rows]
