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
ends (`w2v.training.sections`). Ranks of one machine do it in memory that all of them see, ranks of
several by messages, of which most come one section late. After an exchange of all rows all ranks
hold the same, bit for bit: only there is a checkpoint possible, and whether it is taken changes
nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from w2v.training.by_message import ByMessage
from w2v.training.handout import Rest
from w2v.training.in_memory import InMemory
from w2v.training.schedule import Blocks, Schedule
from w2v.training.sections import Sections, default_words
from w2v.training.shared_rows import Due, Merge, SharedRows, SharedTable
from w2v.training.world import World


class Exchange:
    """Exchanges the rows of `tables` between the ranks of `world`, every `words` stream positions
    that each of them trains (None: as many as `default_words` says), with `threads` threads.

    An `Exchanging` of the trainer, see `w2v.training.task`. given: words, or None. bytes: of the
    rows that have been exchanged so far, which took so many seconds. trained: stream positions
    since `begin`, by all ranks. shapes: how many rows each table has, and how many bytes a row.
    """

    def __init__(
        self,
        tables: Sequence[SharedTable],
        world: World,
        schedule: Schedule,
        merge: Merge,
        words: int | None = None,
        threads: int = 1,
    ) -> None:
        self.world, self.bytes, self.seconds = world, 0, 0.0
        self._schedule, self._merge, self.given = schedule, merge, words
        self.shapes = [(len(table.rows), table.rows.strides[0]) for table in tables]
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None
        self._tables = [SharedRows(table, world.size) for table in tables]
        self._sections: Sections | None = None
        self._way: InMemory | ByMessage | None = None
        self.trained = self._met = 0  # `_met`: blocks done last time

    @property
    def sections(self) -> Sections:
        """Of the run that has begun."""
        assert self._sections is not None
        return self._sections

    @property
    def in_memory(self) -> bool:
        """Whether it goes through memory that all ranks see."""
        return isinstance(self._way, InMemory)

    @property
    def blocks(self) -> int:
        """Of a section, each rank's."""
        return self.sections.size

    def words(self, positions: int, ranks: int) -> int:
        """Returns how many stream positions a rank trains between exchanges, in a run of so many
        over so many ranks."""
        return self.given or default_words(positions, ranks)

    def begin(self, blocks: Blocks, blocks_done: int) -> None:
        """All ranks hold the same rows now, and training begins there."""
        size = self.world.size
        self._sections = Sections.of(blocks, size, self.words(blocks.positions, size))
        self._met, self.trained = blocks_done, 0
        for table in self._tables:
            table.begin()
        if self._way is None:
            given = self._tables, self.world, self._each
            memory = self.world.memory(4 * InMemory.numbers(self._tables, size))
            self._way = ByMessage(*given)
            if memory is not None:
                self._way = InMemory(*given, memory, self._merge)
        self._way.begin([self._sections.buffered(rows) for rows, _ in self.shapes])

    def __call__(self, rest: Rest, whole: bool) -> bool:
        """With all workers at rest at a section's end: exchanges what is due, or all rows."""
        began = time.perf_counter()
        sections, done = self.sections, rest.blocks_done
        blocks, whole = sections.blocks, whole or sections.is_full(done)
        lr = self._schedule.rate(blocks.position(self._met) / blocks.positions)
        self.trained += blocks.position(done) - blocks.position(self._met)
        self._met = done
        rows = [rows for rows, _ in self.shapes]
        ends = rows if whole else [sections.prefix(done, size) for size in rows]
        waited = rows if whole else [sections.waited(size) for size in rows]
        assert self._way is not None
        self._way(Due(ends, waited, whole, lr, self.trained))
        self.bytes += sum(end * width for end, (_, width) in zip(ends, self.shapes, strict=True))
        self.seconds += time.perf_counter() - began
        return whole

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
