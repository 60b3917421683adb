"""Which worker gets which block when, and the moments at which all workers are at rest.

Blocks are numbered through the run: epoch · (blocks of an epoch) + index. They are handed out in
order, in sections. At a section's end every worker waits until the last one has finished; then one
of them runs `at_rest` and the next section begins. So what `at_rest` sees (for a merge, a
checkpoint, a validation) is what the blocks before it made, none begun, none missing.

    free       a section ends with the epoch, if someone wants to know, or at a requested pause
    in rounds  a section is one block for every worker, worker t always gets the t-th: with merges
               at their ends the outcome does not depend on how fast the threads are
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from w2v.training.schedule import Block, Blocks


@dataclass(frozen=True)
class Rest:
    """All workers are at rest.

    blocks: of the section that has just ended. blocks_done: of the whole run. epoch_ended: the
    epoch (from 0) whose last block was among them, or None.
    """

    blocks: int
    blocks_done: int
    epoch_ended: int | None


class Handout:
    """Hands the blocks of a run to `workers` threads.

    at_rest: called at every section's end; True ends the run. stopped: asked before every block;
    True ends the run at the section's end, which is then at once. epoch_ends: whether an epoch's
    end is a section's end.
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
        self._condition = threading.Condition()
        self._begin = self._next = self._done = blocks_done
        # in rounds: the section's first block, once a worker has got its own
        self._taken = [-1] * workers
        self._working = [False] * workers
        self._pause = False
        self._ended = blocks_done >= len(blocks)
        self._limit = self._section_end()

    @property
    def blocks_done(self) -> int:
        """How many blocks of the whole run are finished, by earlier processes too."""
        return self._done

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
                if (self._pause or self._stopped()) and not self._in_rounds:
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
        epochs, rest = divmod(self._done, self._blocks.per_epoch)
        self._pause = False
        ends = self._at_rest(Rest(blocks, self._done, None if rest or not blocks else epochs - 1))
        self._begin = self._next = self._done
        self._ended = self._ended or ends or stops or self._done == len(self._blocks)
        if not self._ended:
            self._limit = self._section_end()

    def _section_end(self) -> int:
        epoch_end = (self._begin // self._blocks.per_epoch + 1) * self._blocks.per_epoch
        if self._in_rounds:
            return min(self._begin + self._workers, epoch_end)
        return epoch_end if self._epoch_ends else len(self._blocks)
