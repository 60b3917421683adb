"""Exchange between ranks (processes on one or more machines) that train one model. Each trains its
own blocks with its own copy of every row; from time to time they exchange their changes.

    Δ_r = W_r - base                       of rank r since the row's last exchange, rows [0, hi)
    base += f · ΣΔ;  W_r += f · ΣΔ - Δ_r   so that the rows of all ranks become equal
    f = (1 + x) / (1 + N·x)                N ranks; x = pull(row) · lr · positions per rank since

Changes are summed, not averaged: a row used by few ranks gets all of its steps. For a row that all
ranks use constantly, the sum would be N times too large, so it is damped (the formula is derived in
`w2v.kernels.cpu.merge`). Uses are not counted: how many to expect follows from the word counts.

Rows are sorted by use, most used first. The first rows are exchanged after every section, twice as
many after every second one, and so on; all rows about FULL times per run and at the end of epochs
(`w2v.training.sections`). Ranks on one machine exchange through shared memory, ranks on several by
messages, most of which arrive one section late. After an exchange of all rows all ranks hold the
same rows, bit for bit. Only then a checkpoint is possible; taking it does not change the result.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from w2v.training.by_message import ByMessage
from w2v.training.handout import Pause
from w2v.training.in_memory import InMemory
from w2v.training.schedule import Blocks, Schedule
from w2v.training.sections import Sections, default_words
from w2v.training.shared_rows import Due, Merge, SharedRows, SharedTable
from w2v.training.world import World


class Exchange:
    """Exchanges the rows of `tables` between the ranks of `world` after every `words` stream
    positions that each of them trains (None: see `default_words`), with `threads` threads.

    Implements `Exchanging`, see `w2v.training.task`. chosen_words: `words`. bytes, seconds: size of
    the rows exchanged so far, and the time it took. trained: stream positions of all ranks since
    `begin`. shapes: number of rows of each table, and bytes per row.
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
        self._schedule, self._merge, self.chosen_words = schedule, merge, words
        self.shapes = [(len(table.rows), table.rows.strides[0]) for table in tables]
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None
        self._tables = [SharedRows(table, world.size) for table in tables]
        self._sections: Sections | None = None
        self._way: InMemory | ByMessage | None = None
        self.trained = self._met = 0  # `_met`: blocks done last time

    @property
    def sections(self) -> Sections:
        """The sections of the current run."""
        assert self._sections is not None
        return self._sections

    @property
    def in_memory(self) -> bool:
        """Whether rows are exchanged through shared memory."""
        return isinstance(self._way, InMemory)

    @property
    def blocks(self) -> int:
        """The number of blocks of each rank in a section."""
        return self.sections.size

    def words(self, positions: int, ranks: int) -> int:
        """Returns the stream positions that a rank trains between exchanges, in a run of so many
        positions with so many ranks."""
        return self.chosen_words or default_words(positions, ranks)

    def begin(self, blocks: Blocks, blocks_done: int) -> None:
        """Starts training from here, where all ranks hold the same rows."""
        size = self.world.size
        self._sections = Sections.of(blocks, size, self.words(blocks.positions, size))
        self._met, self.trained = blocks_done, 0
        for table in self._tables:
            table.begin()
        if self._way is None:
            arguments = self._tables, self.world, self._in_slices
            memory = self.world.memory(4 * InMemory.numbers(self._tables, size))
            self._way = ByMessage(*arguments)
            if memory is not None:
                self._way = InMemory(*arguments, memory, self._merge)
        self._way.begin([self._sections.buffered(rows) for rows, _ in self.shapes])

    def __call__(self, rest: Pause, whole: bool) -> bool:
        """Exchanges what is due, or all rows; call at a section's end with all workers paused."""
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
        """Does nothing: all ranks have everything that is saved."""

    def _in_slices(self, size: int, step: int, work: Callable[[slice], None]) -> None:
        """Calls `work` for consecutive slices of `step` rows that cover the first `size` rows."""
        slices = [slice(start, min(size, start + step)) for start in range(0, size, step)]
        if self._pool is None:
            for part in slices:
                work(part)
        else:
            list(self._pool.map(work, slices))
