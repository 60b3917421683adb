"""What ranks agree on at the end of a section: what they have done, and whether the run ends."""

from __future__ import annotations

import threading
import time

from w2v.errors import Elsewhere, RunError
from w2v.training.board import patience
from w2v.training.engine import Tally
from w2v.training.handout import Pause, Share
from w2v.training.result import Diverged
from w2v.training.task import Exchanging
from w2v.training.world import LONG, Lost

SECONDS = 60.0  # fewest seconds to wait for a rank during training
SECTIONS = 10  # or this many times the longest section, if that is more
GOES_ON, FAILED, DIVERGED = range(3)


class Meeting:
    """The agreement between ranks. stopped: whether any rank was asked to end the run."""

    def __init__(self, exchange: Exchanging, stop: threading.Event) -> None:
        self._exchange, self._stop, self.world = exchange, stop, exchange.world
        self.stopped = self._saves = self._over = False
        self._least, self._longest = patience(SECONDS), 0.0
        self.go_on()

    @property
    def share(self) -> Share:
        """This rank's share of a section."""
        return Share(self.world.rank, self.world.size, self._exchange.blocks)

    def sums(self, tally: Tally, saves: bool = False) -> Tally:
        """Returns the sums over all ranks for the section that has ended; raises an error that
        occurred on any of them. saves: whether this rank is about to save the state of the run."""
        self.world.patience = self._patience
        return self._agree(tally, None, saves)

    def after_epoch(self) -> None:
        """Waits until rank 0 has reported an epoch to its caller, who may end the run."""
        self.wait_long()
        self._agree(Tally(), None)

    def failed(self, error: BaseException) -> None:
        """Ends the run on all ranks, because this rank has failed."""
        # ranks that train together are in the middle of a step, unless the block has ended
        meets = not self._over and (self._exchange.blocks or isinstance(error, Diverged))
        if meets and isinstance(error, Exception) and not isinstance(error, Lost | Elsewhere):
            self._agree(Tally(), error)

    def same(self, rest: Pause, ends: bool) -> bool:
        """Exchanges what was learnt; returns whether all ranks hold the same now. `ends`: the run
        is complete."""
        same = self._exchange(rest, self.stopped)
        if same and (self._saves or self.stopped or ends or rest.epoch_ended is not None):
            self._exchange.collect()
        return same

    def _agree(self, tally: Tally, error: Exception | None, saves: bool = False) -> Tally:
        world = self.world
        state = GOES_ON if error is None else DIVERGED if isinstance(error, Diverged) else FAILED
        signal = getattr(self._stop, "signal_number", 1) if self._stop.is_set() else 0
        seconds = time.monotonic() - self._began
        self._longest = max(self._longest, seconds)
        table = world.agree([state, signal, saves, self._longest, *vars(tally).values()])
        states, stops, saving, longest = table[:, :4].T
        if states.any():
            self._over = True
            try:
                world.settle(error)
            except RunError as reported:
                if states[states > 0][0] == DIVERGED and not isinstance(reported, Diverged):
                    raise Diverged(str(reported)) from None
                raise
        self._longest = float(longest.max())
        if stops.any():
            self.stopped = True
            self._stop_too(int(stops.max()))
        self._saves = bool(saving.any())
        loss, *counts = table[:, 4:].sum(axis=0).tolist()
        self.go_on()
        return Tally(loss, *map(int, counts))

    def _stop_too(self, number: int) -> None:
        """Applies another rank's request to stop to this one."""
        if not self._stop.is_set():
            if hasattr(self._stop, "signal_number"):
                self._stop.signal_number = number
            self._stop.set()

    @property
    def _patience(self) -> float:
        return max(self._least, SECTIONS * self._longest)

    def go_on(self) -> None:
        """Starts the time of a section."""
        self._began, self.world.patience = time.monotonic(), self._patience

    def wait_long(self) -> None:
        """From here until `go_on`, one rank may do something long while the others wait."""
        self.world.patience = LONG
