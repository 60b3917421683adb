"""Which worker gets which block when, and the moments at which all workers are at rest.

Blocks are numbered through the run: epoch · (blocks of an epoch) + index. They are handed out in
order, in sections. At a section's end every worker waits until the last one has finished; then one
of them runs `at_rest` and the next section begins. So what `at_rest` sees (for a merge, a
checkpoint, a validation) is what the blocks before it made, none begun, none missing.

    free       a section ends with the epoch, if someone wants to know, or at a requested pause
    in rounds  a section is one block for every worker, worker t always gets the t-th: with merges
               at their ends the outcome does not depend on how fast the threads are
    over ranks a section is so many blocks for every rank, each its own; or a single one that all
               ranks train together. In rounds the workers rest inside of it too.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from w2v.training.schedule import Block, Blocks


@dataclass(frozen=True)
class Rest:
    """All workers are at rest.

    blocks: that this process's workers have trained since the last rest. blocks_done: of the whole
    run. epoch_ended: the epoch (from 0) whose last block was among them, or None. inside: the
    section goes on; what other ranks have done of it is not known.
    """

    blocks: int
    blocks_done: int
    epoch_ended: int | None
    inside: bool = False


@dataclass(frozen=True)
class Share:
    """What of a section is this rank's: the rank-th `blocks` blocks of it, or the rank-th part of
    what the epoch has left; 0: a section is one block, which all ranks train together. None: there
    is one rank, and sections are as long as they may be."""

    rank: int = 0
    ranks: int = 1
    blocks: int | None = None


class Handout:
    """Hands the blocks of a run to `workers` threads.

    at_rest: called at every section's end; True ends the run. stopped: asked before every block;
    True ends the run at the section's end, which is then at once. epoch_ends: whether an epoch's
    end is a section's end. Over ranks, nothing but `at_rest` ends a section or the run.
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
        self._blocks, self._share = blocks, Share()
        self._workers, self._in_rounds, self._epoch_ends = workers, in_rounds, epoch_ends
        self._at_rest, self._stopped = at_rest, stopped
        self._condition = threading.Condition()
        # in rounds: the round's first block, once a worker has got its own
        self._taken = [-1] * workers
        self._working = [False] * workers
        self._pause = False
        self._ended = blocks_done >= len(blocks)
        # of the whole section, of this rank's part, of the round: first block, and the last's next
        self._section = self._end = self._begin = self._own_end = self._limit = 0
        self._next = self._done = 0
        self._open(blocks_done)

    def among(self, share: Share) -> Handout:
        """Makes it hand out a rank's share; returns itself."""
        self._share = share
        self._open(self._done)
        return self

    @property
    def blocks_done(self) -> int:
        """How many blocks of the whole run are finished, by earlier processes too; over ranks, how
        many when the section began."""
        return self._done if self._share.blocks is None else self._section

    def pause(self) -> None:
        """Asks for a rest as soon as the blocks in work are done."""
        self._pause = True

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
                cut = self._share.blocks is None and not self._in_rounds
                if cut and (self._pause or self._stopped()):
                    self._limit = self._next
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
        number = self._begin + worker
        if number >= self._limit or self._taken[worker] == self._begin:
            return None
        self._taken[worker] = self._begin
        return number

    def _rest(self) -> None:
        """At a section's end: lets `at_rest` work, and opens the next section."""
        stops, blocks = self._stopped(), self._done - self._begin
        self._pause = False
        alone = self._share.blocks is None
        if not alone and self._done < self._own_end:
            self._at_rest(Rest(blocks, self._section, None, inside=True))
            self._begin = self._next = self._done
            self._limit = min(self._done + self._workers, self._own_end)
            return
        done = self._done if alone else self._end
        epochs, rest = divmod(done, self._blocks.per_epoch)
        ended = epochs - 1 if not rest and done > self._section else None
        ends = self._at_rest(Rest(blocks, done, ended))
        self._ended = self._ended or ends or (alone and stops) or done == len(self._blocks)
        self._open(done)

    def _open(self, begin: int) -> None:
        """Begins a section with block `begin`: this rank's own ones end before `_own_end`, those of
        this round before `_limit`."""
        share, epochs = self._share, begin // self._blocks.per_epoch + 1
        epoch_end = min(epochs * self._blocks.per_epoch, len(self._blocks))
        self._section = self._begin = self._next = self._done = begin
        if share.blocks is None:
            self._end = self._own_end = len(self._blocks)
            if self._epoch_ends or self._in_rounds:
                self._end = self._own_end = epoch_end
        elif share.blocks:
            self._end = min(begin + share.ranks * share.blocks, epoch_end)
            # of an epoch's last section, too, all have about as much
            size, ranks = self._end - begin, share.ranks
            self._begin = self._next = self._done = begin + share.rank * size // ranks
            self._own_end = begin + (share.rank + 1) * size // ranks
        else:
            self._end = self._own_end = min(begin + 1, epoch_end)
        self._limit = self._own_end
        if self._in_rounds:
            self._limit = min(self._begin + self._workers, self._own_end)
