"""Which worker gets which block when, and the moments at which all workers are at rest.

Blocks are numbered through the run: epoch · (blocks of an epoch) + index. They are handed out in
order, in sections. At a section's end every worker waits until the last one has finished; then one
of them runs `at_rest` and the next section begins. So what `at_rest` sees (for a merge, a
checkpoint, a validation) is what the blocks before it made, none begun, none missing.

    free       a section ends with the epoch, if someone wants to know, or at a requested pause
    in rounds  a section is one block for every worker, worker t always gets the t-th: with merges
               at their ends the outcome does not depend on how fast the threads are

With several ranks (processes that train one model, see `exchange`) a section is ranks x m
consecutive blocks, or what the epoch has left of them: rank r's workers take, freely or in rounds,
the r-th part. It always ends where it should, for all ranks meet there: who wants a pause or a stop
agrees on it with the others at the section's end. The position in the run stays one number, how
many blocks all ranks have done, so that another number of ranks can go on from it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from w2v.training.schedule import Block, Blocks


@dataclass(frozen=True)
class Deal:
    """How blocks are dealt to ranks: this is `rank` of `ranks`, each gets `blocks` of a section."""

    rank: int
    ranks: int
    blocks: int


@dataclass(frozen=True)
class Rest:
    """All workers are at rest.

    blocks: that this process has trained since the last rest. blocks_done: of the whole run, by all
    ranks. epoch_ended: the epoch (from 0) whose last block was among them, or None. meets: whether
    this is a section's end, where ranks meet, and not one of the rounds inside it.
    """

    blocks: int
    blocks_done: int
    epoch_ended: int | None
    meets: bool = True


class Handout:
    """Hands the blocks of a run to `workers` threads.

    at_rest: called at every section's end, and of several ranks at every round's; True ends the run
    at a section's end. stopped: asked before every block; True ends the run at the section's end,
    which is then at once. epoch_ends: whether an epoch's end is a section's end.
    """

    def __init__(
        self,
        blocks: Blocks,
        workers: int,
        at_rest: Callable[[Rest], bool],
        stopped: Callable[[], bool],
        *,
        in_rounds: bool = False,
        epoch_ends: bool = False,
        blocks_done: int = 0,
    ) -> None:
        self._blocks = blocks
        self._workers, self._in_rounds, self._epoch_ends = workers, in_rounds, epoch_ends
        self._at_rest, self._stopped = at_rest, stopped
        self._deal: Deal | None = None
        self._condition = threading.Condition()
        # in rounds: the first block of the round in which a worker got its last one
        self._taken = [-1] * workers
        self._working = [False] * workers
        self._pause = False
        self._ended = blocks_done >= len(blocks)
        self._open_section(blocks_done)

    def deal(self, deal: Deal) -> None:
        """Says, before the first block, that there are several ranks: `stopped` and `pause` have no
        effect then."""
        self._deal, self._stopped = deal, lambda: False
        self._open_section(self._begin)

    @property
    def blocks_done(self) -> int:
        """How many blocks of the whole run are finished, by earlier processes and, up to the last
        section's end, by other ranks too."""
        return self._done if self._deal is None else self._begin

    def pause(self) -> None:
        """Asks for a rest as soon as the blocks in work are done."""
        self._pause = self._deal is None

    def end(self) -> None:
        """No more blocks, at once."""
        with self._condition:
            self._ended = True
            self._condition.notify_all()

    def next(self, worker: int) -> Block | None:
        """The worker's next block, when it has finished the one before; None at the end."""
        with self._condition:
            if self._working[worker]:
                self._working[worker] = False
                self._done += 1
            while not self._ended:
                if (self._pause or self._stopped()) and not self._in_rounds:
                    self._limit = self._share_end = self._section_end = self._next
                if self._done == self._limit:
                    self._rest()
                    self._condition.notify_all()
                elif (number := self._take(worker)) is not None:
                    self._working[worker] = True
                    return self._blocks[number]
                else:
                    self._condition.wait()
            return None

    def _take(self, worker: int) -> int | None:
        """The number of the worker's block in this section, if there is one left."""
        if not self._in_rounds:
            if self._next >= self._limit:
                return None
            self._next += 1
            return self._next - 1
        number = self._first + worker
        if number >= self._limit or self._taken[worker] == self._first:
            return None
        self._taken[worker] = self._first
        return number

    def _rest(self) -> None:
        """At a section's end: lets `at_rest` work, and opens the next section; at the end of a
        round inside it: the next round."""
        stops, blocks = self._stopped(), self._done - self._first
        self._pause = False
        if self._limit < self._share_end:
            self._at_rest(Rest(blocks, self._begin, None, meets=False))
            self._open_round(self._done)
            return
        done = self._section_end
        epochs, rest = divmod(done, self._blocks.per_epoch)
        ended = None if rest or done == self._begin else epochs - 1
        ends = self._at_rest(Rest(blocks, done, ended))
        self._ended = self._ended or ends or stops or done == len(self._blocks)
        self._open_section(done)

    def _open_section(self, begin: int) -> None:
        """A section: blocks `_begin` … `_section_end` - 1 of the run, `_share_end` - 1 the last one
        of this process."""
        self._begin = first = begin
        epoch_end = (begin // self._blocks.per_epoch + 1) * self._blocks.per_epoch
        if self._deal is not None:
            rank, ranks = self._deal.rank, self._deal.ranks
            self._section_end = min(begin + ranks * self._deal.blocks, epoch_end)
            size = self._section_end - begin
            first, end = begin + rank * size // ranks, begin + (rank + 1) * size // ranks
        else:
            self._section_end = epoch_end if self._epoch_ends else len(self._blocks)
            if self._in_rounds:
                self._section_end = min(begin + self._workers, epoch_end)
            end = self._section_end
        self._share_end = end
        self._open_round(first)

    def _open_round(self, first: int) -> None:
        """A round, or all of the section: blocks `_first` … `_limit` - 1."""
        self._first = self._next = self._done = first
        end = self._share_end
        self._limit = min(first + self._workers, end) if self._in_rounds else end
