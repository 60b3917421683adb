"""Several ranks (processes, on one machine or many) train one model: each on its own blocks, with
its own copy of every row, and from time to time they exchange what they have changed.

    Δ_r = W_r - base                       of rank r since the row's last exchange, rows [0, hi)
    base += f · ΣΔ;  W_r += f · ΣΔ - Δ_r   so that all ranks' rows come together
    f = (1 + x) / (1 + N·x)                N ranks; x = pull(row) · lr · positions per rank since

The changes are summed, not averaged: a row that few use gets all of its steps. Of a row that all
use all the time the sum would go N times too far, and is damped (where the formula comes from:
`w2v.kernels.cpu.merge`). How often a row was used nobody counts: the counts of the vocabulary say
what to expect.

Rows are sorted, the most used ones first, and these are exchanged after every section; twice as
many after every second one, and so on, and all of them about FULL times a run and at the epochs'
ends. What a section has changed is summed while the next one is trained, and comes one section
late. Waited for are the first rows (with many ranks they swing if they come late: 8 ranks lost
4 points of analogies) and a full exchange. After that all ranks hold the same, bit for bit: only
there is a checkpoint possible, and whether it is taken changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np

from w2v.training.handout import Rest
from w2v.training.schedule import Blocks, Schedule
from w2v.training.world import Started, World

# Measured: 2 ranks learn as 2 threads from some 200 exchanges a run on, 8 need 1000, 16 more.
EXCHANGES, EXCHANGES_PER_RANK = 1000, 250
FULL = 20  # exchanges of all rows in a run, at least
HOT_ROWS, HOT_ROWS_PER_RANK = 4096, 512  # exchanged every time, and waited for
CHUNK_BYTES = 1 << 19  # worked on at a time, by one thread: stays in its cache
PIECE_CHUNKS = 16  # sent at a time, of a full exchange
ALWAYS = 1e30  # the pull of what every position moves: its damping is 1 / N


@dataclass(frozen=True)
class SharedTable:
    """Rows [R, width] float32 that every rank has, the most used ones first. pull [R]: how far one
    position of the stream moves a row towards where it is at rest, per unit of learning rate (0.4
    times its expected uses). copies: what must follow the rows, of the same shape."""

    rows: np.ndarray
    pull: np.ndarray
    copies: Sequence[np.ndarray] = ()


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


class Exchange:
    """Exchanges the rows of `tables` between the ranks of `world`, every `words` stream positions
    that each of them trains (None: as many as `default_words` says), with `threads` threads.

    An `Exchanging` of the trainer, see `w2v.training.task`. bytes: that this rank has given so far.
    shapes: how many rows each table has, and how many bytes a row.
    """

    def __init__(
        self,
        tables: Sequence[SharedTable],
        world: World,
        schedule: Schedule,
        words: int | None = None,
        threads: int = 1,
    ) -> None:
        self.world, self.bytes = world, 0
        self._schedule, self._words = schedule, words
        self.shapes = [(len(table.rows), table.rows.strides[0]) for table in tables]
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None
        self._parts = [_Part(table, world, self._each) for table in tables]
        self._sections: Sections | None = None
        self._trained = self._met = 0  # stream positions since `begin`; blocks done last time
        self._buffer = np.zeros(0, np.float32)
        self._sum: Started | None = None

    @property
    def sections(self) -> Sections:
        """Of the run that has begun."""
        assert self._sections is not None
        return self._sections

    @property
    def blocks(self) -> int:
        """Of a section, each rank's."""
        return self.sections.size

    def words(self, positions: int, ranks: int) -> int:
        """Returns how many stream positions a rank trains between exchanges, in a run of so many
        over so many ranks."""
        return self._words or default_words(positions, ranks)

    def begin(self, blocks: Blocks, blocks_done: int) -> None:
        """All ranks hold the same rows now, and training begins there."""
        size = self.world.size
        self._sections = Sections.of(blocks, size, self.words(blocks.positions, size))
        self._met, self._trained, self._sum = blocks_done, 0, None
        sizes = [part.begin(self._sections.buffered(len(part.rows))) for part in self._parts]
        self._buffer = np.empty(sum(sizes), np.float32)

    def __call__(self, rest: Rest, whole: bool) -> bool:
        """With all workers at rest at a section's end: exchanges what is due, or all rows."""
        blocks, done = self.sections.blocks, rest.blocks_done
        whole = whole or self.sections.is_full(done)
        lr = self._schedule.rate(blocks.position(self._met) / blocks.positions)
        self._trained += blocks.position(done) - blocks.position(self._met)
        self._met = done
        if self._sum is not None:
            self._sum.wait()
            self._sum = None
            for part in self._parts:
                part.take()
        if whole:
            for part in self._parts:
                part.exchange(lr, self._trained)
            self.bytes += sum(rows * width for rows, width in self.shapes)
            return True
        hot = [self.sections.waited(rows) for rows, _ in self.shapes]
        self._give([slice(0, end) for end in hot], lr).wait()
        for part in self._parts:
            part.take()
        ends = [self.sections.prefix(done, rows) for rows, _ in self.shapes]
        if ends != hot:
            self._sum = self._give(list(map(slice, hot, ends)), lr)
        return False

    def _give(self, rows: Sequence[slice], lr: float) -> Started:
        """Gives those rows' changes of all tables, as one message."""
        begin = 0
        for part, each in zip(self._parts, rows, strict=True):
            size = each.stop - each.start
            end = begin + size * part.rows.shape[1]
            total = self._buffer[begin:end].reshape(size, part.rows.shape[1])
            part.give(each, total, part.damping(each, lr, self._trained))
            begin = end
        self.bytes += 4 * begin
        return self.world.start_sum(self._buffer[:begin])

    def collect(self) -> None:
        """What is saved all ranks have."""

    def _each(self, size: int, step: int, work: Callable[[slice], None]) -> None:
        """Calls `work` for every slice of `step` of the first `size` rows."""
        slices = [slice(at, min(size, at + step)) for at in range(0, size, step)]
        if self._pool is None:
            for each in slices:
                work(each)
        else:
            list(self._pool.map(work, slices))


class _Part:
    """One table with what its rows were at their last exchange, and what is on its way."""

    def __init__(
        self,
        table: SharedTable,
        world: World,
        each: Callable[[int, int, Callable[[slice], None]], None],
    ) -> None:
        self.rows, self._table, self._world, self._each = table.rows, table, world, each
        self._step = max(1, CHUNK_BYTES // max(1, table.rows.strides[0]))
        self._base = self._own = np.zeros((0, *table.rows.shape[1:]), np.float32)
        self._met = np.zeros(len(table.rows), np.int64)  # positions, at the row's last exchange
        self._given = slice(0), self._own, self._own  # rows, their sum, and f

    def begin(self, size: int) -> int:
        """All ranks hold the same rows now. Returns how many numbers the first `size` rows have."""
        self._base, self._own = self.rows.copy(), np.empty_like(self.rows[:size])
        self._met[:] = 0
        return self._own.size

    def damping(self, rows: slice, lr: float, trained: int) -> np.ndarray:
        """Returns f of these rows [n, 1] float32, which are about to be exchanged."""
        ranks, since = self._world.size, (trained - self._met[rows]) / self._world.size
        self._met[rows] = trained
        x = self._table.pull[rows] * lr * since
        return ((1 + x) / (1 + ranks * x)).astype(np.float32)[:, None]

    def give(self, rows: slice, total: np.ndarray, factor: np.ndarray) -> None:
        """Puts the changes of these rows into `total`, which becomes the sum of all ranks'."""
        self._given = rows, total, factor
        own, base = self._own[: len(total)], self._base[rows]

        def fill(at: slice) -> None:
            np.subtract(self.rows[rows][at], base[at], out=own[at])
            total[at] = own[at]

        self._each(len(total), self._step, fill)

    def take(self) -> None:
        """Takes in the sum of what all have given."""
        rows, total, factor = self._given
        here, base, own = self.rows[rows], self._base[rows], self._own
        copies = [copy[rows] for copy in self._table.copies]

        def add(at: slice) -> None:
            change = total[at]
            change *= factor[at]
            base[at] += change
            change -= own[at]
            here[at] += change
            for copy in copies:
                copy[at] = here[at]

        self._each(len(total), self._step, add)

    def exchange(self, lr: float, trained: int) -> None:
        """Exchanges all rows at once: pieces of them, the next one being made ready while one is
        on its way."""
        size, step = len(self.rows), self._step * PIECE_CHUNKS
        factor = self.damping(slice(size), lr, trained)
        spare = [np.empty_like(self.rows[:step]) for _ in range(2)]
        before: tuple[int, np.ndarray, Started] | None = None
        for start in [*range(0, size, step), None]:
            now = None
            if start is not None:
                total = spare[start // step % 2][: size - start]
                self._each(len(total), self._step, partial(self._change, start, total))
                now = start, total, self._world.start_sum(total)
            if before is not None:
                begun, total, sum_of = before
                sum_of.wait()
                self._each(len(total), self._step, partial(self._set, begun, total, factor))
            before = now

    def _change(self, start: int, total: np.ndarray, at: slice) -> None:
        rows = slice(start + at.start, start + at.stop)
        np.subtract(self.rows[rows], self._base[rows], out=total[at])

    def _set(self, start: int, total: np.ndarray, factor: np.ndarray, at: slice) -> None:
        rows = slice(start + at.start, start + at.stop)
        total[at] *= factor[rows]
        self._base[rows] += total[at]
        self.rows[rows] = self._base[rows]
        for copy in self._table.copies:
            copy[rows] = self.rows[rows]
