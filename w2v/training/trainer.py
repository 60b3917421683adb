"""The loop over blocks: threads take the next block, the calling thread reports and watches for the end.

It knows no loss by name. A loss that is no longer a number ends the run.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from w2v.errors import RunError
from w2v.training.engine import Engine, Tally
from w2v.training.handout import Handout, Rest
from w2v.training.report import Progress, Reporter, StopSignal
from w2v.training.schedule import Schedule

REPORT_SECONDS = 0.5
METRICS_SECONDS = 1.0
POLL_SECONDS = 0.1


@dataclass
class TrainingResult:
    """What came out: tallies in all and by epoch begun, the lines of metrics.jsonl, and how far the run got."""

    total: Tally = field(default_factory=Tally)
    epochs: list[Tally] = field(default_factory=list)
    metrics: list[dict[str, Any]] = field(default_factory=list)
    fraction: float = 0.0
    seconds: float = 0.0  # training itself, without what was done at rest
    interrupted: bool = False

    def add(self, epoch: int, tally: Tally) -> None:
        """Books what happened in one block of an epoch (from 0)."""
        while len(self.epochs) <= epoch:
            self.epochs.append(Tally())
        self.epochs[epoch].add(tally)
        self.total.add(tally)


class Watcher(Protocol):
    """Somebody who acts while training rests: checkpoints, validation, early stopping."""

    epoch_ends: bool  # whether training must rest at the end of every epoch

    def due(self, words: int, seconds: float) -> bool:
        """Asked a few times a second: shall training rest? words, seconds: of this run so far."""

    def rest(self, rest: Rest, result: TrainingResult) -> bool:
        """All workers are at rest, for whatever reason; True ends training here."""


class Trainer:
    """Trains `bounds` (of blocks of the stream) for `epochs` epochs at the schedule's learning rate.

    release: told of the positions of every finished block, which are not needed again in this epoch.
    blocks_done, result: where an earlier run left off, and what it has booked.
    unit: what the engine counts, for progress.
    """

    def __init__(
        self,
        engine: Engine,
        bounds: np.ndarray,
        epochs: int,
        schedule: Schedule,
        release: Callable[[int, int], None] = lambda start, stop: None,
        watchers: Sequence[Watcher] = (),
        blocks_done: int = 0,
        result: TrainingResult | None = None,
        unit: str = "words",
    ) -> None:
        self.engine, self.bounds, self.epochs, self.schedule = engine, bounds, epochs, schedule
        self._release, self._watchers = release, watchers
        self._lock = threading.Lock()
        self._result = result or TrainingResult()
        self._recent = Tally()  # since the last report
        self._total = int(bounds[-1]) * epochs
        epochs_done, blocks = divmod(blocks_done, len(bounds) - 1)
        self._done = epochs_done * int(bounds[-1]) + int(bounds[blocks])  # stream positions
        self._blocks_done = blocks_done
        self._failure: BaseException | None = None
        self._unit, self._at_rest_seconds = unit, 0.0

    def run(self, reporter: Reporter, stop: StopSignal) -> TrainingResult:
        """Trains until the end or until `stop` is set.

        Raises:
            RunError: the loss became NaN or infinite.
        """
        began = time.perf_counter()
        handout = Handout(
            self.bounds, self.epochs, self.engine.threads, self._at_rest, stop.is_set,
            in_rounds=self.engine.in_rounds, epoch_ends=any(watcher.epoch_ends for watcher in self._watchers),
            blocks_done=self._blocks_done,
        )  # fmt: skip
        threads = [
            threading.Thread(target=self._work, args=(number, handout), daemon=True)
            for number in range(self.engine.threads)
        ]
        try:
            for thread in threads:
                thread.start()
            reported = logged = began
            self._report(reporter, began)
            for thread in threads:
                while thread.is_alive():
                    thread.join(POLL_SECONDS)
                    now = time.perf_counter()
                    words, seconds = self._result.total.read, now - began
                    if any([watcher.due(words, seconds) for watcher in self._watchers]):
                        handout.pause()
                    if now - reported >= REPORT_SECONDS:
                        progress = self._report(reporter, began)
                        reported = now
                        if now - logged >= METRICS_SECONDS:
                            self._log(progress, now - began)
                            logged = now
        finally:
            handout.end()
            for thread in threads:
                if thread.ident is not None:
                    thread.join()
        if self._failure is not None:
            raise self._failure
        result = self._result
        result.seconds = time.perf_counter() - began - self._at_rest_seconds
        result.fraction = self._done / self._total
        result.interrupted = stop.is_set() and result.fraction < 1
        self._log(self._report(reporter, began), result.seconds)
        return result

    def _at_rest(self, rest: Rest) -> bool:
        if self.engine.in_rounds and rest.blocks:
            self.engine.end_round(rest.blocks)
        began = time.perf_counter()
        ends = any([watcher.rest(rest, self._result) for watcher in self._watchers])
        self._at_rest_seconds += time.perf_counter() - began
        return ends

    def _work(self, number: int, handout: Handout) -> None:
        try:
            while (block := handout.next(number)) is not None:
                lr = self.schedule.rate(block.fraction)
                tally = self.engine.train(block, lr, number)
                self._release(block.start, block.stop)
                if not math.isfinite(tally.loss):
                    raise RunError(
                        f"the loss became {tally.loss} in epoch {block.epoch + 1} after"
                        f" {100 * block.fraction:.1f} % of the words at learning rate {lr:.4g};"
                        f" try a smaller --lr (given: {self.schedule.initial:g}). Nothing was written"
                    )
                with self._lock:
                    self._result.add(block.epoch, tally)
                    self._recent.add(tally)
                    self._done += block.stop - block.start
        except BaseException as error:
            self._failure = self._failure or error
            handout.end()

    def _report(self, reporter: Reporter, began: float) -> Progress:
        """Tells the reporter how things stand."""
        with self._lock:
            recent, self._recent = self._recent, Tally()
            words, done = self._result.total.read, self._done
        seconds = max(time.perf_counter() - began - self._at_rest_seconds, 1e-9)
        fraction = done / self._total
        left = seconds * (1 - fraction) / fraction if fraction > 0 else math.nan
        epoch = min(self.epochs, int(fraction * self.epochs) + 1)
        lr = self.schedule.rate(fraction)
        progress = Progress(fraction, words, words / seconds, lr, recent.mean_loss, left, epoch, self._unit)
        reporter.training(progress)
        return progress

    def _log(self, progress: Progress, seconds: float) -> None:
        loss = None if math.isnan(progress.loss) else round(progress.loss, 6)
        self._result.metrics.append(
            {
                "seconds": round(seconds, 3), "epoch": progress.epoch, "fraction": round(progress.fraction, 6),
                "words": progress.words, "words_per_second": round(progress.words_per_second),
                "lr": progress.lr, "loss": loss,
            }
        )  # fmt: skip
