"""Decides which worker gets which block, and when all workers pause.

Blocks are numbered throughout the run: epoch · (blocks per epoch) + index. They are handed out in
order, in sections. At the end of a section every worker waits until the last one has finished; then
one of them calls `at_pause`, and the next section begins. So `at_pause` (for a merge, a checkpoint,
a validation) sees the result of exactly the blocks before it.

    free         a section ends with the epoch, if that is wanted, or when a pause is requested
    in rounds    a section is one block per worker, and worker t always gets the t-th: with a merge
                 at its end the result does not depend on the speed of the threads
    with ranks   a section is a number of blocks per rank, each its own, or a single block that all
                 ranks train together; in rounds the workers also pause within a section
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from w2v.training.schedule import Block, Blocks


@dataclass(frozen=True)
class Pause:
    """A pause of all workers.

    blocks: number trained by this process's workers since the last pause. blocks_done: of the whole
    run. epoch_ended: the epoch (from 0) whose last block was among them, or None. inside: whether
    the section continues; what other ranks have done of it is then unknown.
    """

    blocks: int
    blocks_done: int
    epoch_ended: int | None
    inside: bool = False


@dataclass(frozen=True)
class Share:
    """This rank's share of a section. blocks: how many blocks each rank trains in a section (fewer
    in the last one of an epoch); 0: a section is one block that all ranks train together; None:
    there is a single rank, and sections are as long as possible."""

    rank: int = 0
    ranks: int = 1
    blocks: int | None = None


class Handout:
    """Hands out the blocks of a run to `workers` threads.

    at_pause: is called at the end of every section; True ends the run. stopped: is called before
    every block; True ends the section, and then the run. epoch_ends: whether a section ends with
    each epoch. With several ranks, only `at_pause` ends the run.
    """

    def __init__(
        self,
        blocks: Blocks,
        workers: int,
        at_pause: Callable[[Pause], bool],
        stopped: Callable[[], bool],
        *,
        in_rounds: bool = False,
        epoch_ends: bool = False,
        blocks_done: int = 0,
    ) -> None:
        self._blocks, self._share = blocks, Share()
        self._workers, self._in_rounds, self._epoch_ends = workers, in_rounds, epoch_ends
        self._at_pause, self._stopped = at_pause, stopped
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
        """The number of finished blocks of the whole run, including earlier processes; with several
        ranks, the number at the start of the section."""
        return self._done if self._share.blocks is None else self._section

    def pause(self) -> None:
        """Requests a pause as soon as the current blocks are finished."""
        self._pause = True

    def end(self) -> None:
        """Ends the run: no more blocks are handed out."""
        with self._condition:
            self._ended = True
            self._condition.notify_all()

    def next(self, worker: int) -> Block | None:
        """Returns the worker's next block, after it has finished the last; None at the end."""
        with self._condition:
            if self._working[worker]:
                self._working[worker] = False
                self._done += 1
            while not self._ended:
                cut = self._share.blocks is None and not self._in_rounds
                if cut and (self._pause or self._stopped()):
                    self._limit = self._next
                if self._done == self._limit:
                    self._end_section()
                    self._condition.notify_all()
                elif (number := self._take(worker)) is not None:
                    self._working[worker] = True
                    return self._blocks[number]
                else:
                    self._condition.wait()
            return None

    def _take(self, worker: int) -> int | None:
        """Returns the number of the worker's next block in this section, or None."""
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

    def _end_section(self) -> None:
        """Ends a section: calls `at_pause`, and opens the next section."""
        stops, blocks = self._stopped(), self._done - self._begin
        self._pause = False
        alone = self._share.blocks is None
        if not alone and self._done < self._own_end:
            self._at_pause(Pause(blocks, self._section, None, inside=True))
            self._begin = self._next = self._done
            self._limit = min(self._done + self._workers, self._own_end)
            return
        done = self._done if alone else self._end
        epochs, rest = divmod(done, self._blocks.per_epoch)
        ended = epochs - 1 if not rest and done > self._section else None
        ends = self._at_pause(Pause(blocks, done, ended))
        self._ended = self._ended or ends or (alone and stops) or done == len(self._blocks)
        self._open(done)

    def _open(self, begin: int) -> None:
        """Opens a section at block `begin`. This rank's blocks end before `_own_end`, those of this
        round before `_limit`."""
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
