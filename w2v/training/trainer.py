"""The loop over blocks: threads take the next block, the calling thread reports and watches for the end.

It knows no loss by name. A loss that is no longer a number ends the run.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from w2v.errors import RunError
from w2v.training.engine import Engine, Tally
from w2v.training.report import Progress, Reporter, StopSignal
from w2v.training.schedule import Block, blocks_of, learning_rate

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
    seconds: float = 0.0
    interrupted: bool = False

    def add(self, epoch: int, tally: Tally) -> None:
        """Books what happened in one block of an epoch (from 0)."""
        while len(self.epochs) <= epoch:
            self.epochs.append(Tally())
        self.epochs[epoch].add(tally)
        self.total.add(tally)


class Trainer:
    """Trains `bounds` (of blocks of the stream) for `epochs` epochs, the learning rate falling from `lr`.

    release: told of the positions of every finished block, which are not needed again in this epoch.
    """

    def __init__(
        self,
        engine: Engine,
        bounds: np.ndarray,
        epochs: int,
        lr: float,
        release: Callable[[int, int], None] = lambda start, stop: None,
    ) -> None:
        self.engine, self.bounds, self.epochs, self.lr = engine, bounds, epochs, lr
        self._release = release
        self._lock = threading.Lock()
        self._blocks: Iterator[Block] = blocks_of(bounds, epochs)
        self._result = TrainingResult()
        self._recent = Tally()  # since the last report
        self._done = 0  # stream positions
        self._ended = threading.Event()
        self._failure: BaseException | None = None

    def run(self, reporter: Reporter, stop: StopSignal) -> TrainingResult:
        """Trains until the end or until `stop` is set.

        Raises:
            RunError: the loss became NaN or infinite.
        """
        began = time.perf_counter()
        threads = [
            threading.Thread(target=self._work, args=(number, stop), daemon=True)
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
                    if now - reported >= REPORT_SECONDS:
                        progress = self._report(reporter, began)
                        reported = now
                        if now - logged >= METRICS_SECONDS:
                            self._log(progress, now - began)
                            logged = now
        finally:
            self._ended.set()
            for thread in threads:
                if thread.ident is not None:
                    thread.join()
        if self._failure is not None:
            raise self._failure
        result = self._result
        result.seconds = time.perf_counter() - began
        result.fraction = self._done / (int(self.bounds[-1]) * self.epochs)
        result.interrupted = stop.is_set() and result.fraction < 1
        self._log(self._report(reporter, began), result.seconds)
        return result

    def _work(self, number: int, stop: StopSignal) -> None:
        try:
            while not (stop.is_set() or self._ended.is_set()):
                with self._lock:
                    block = next(self._blocks, None)
                if block is None:
                    return
                lr = learning_rate(self.lr, block.fraction)
                tally = self.engine.train(block, lr, number)
                self._release(block.start, block.stop)
                if not math.isfinite(tally.loss):
                    raise RunError(
                        f"the loss became {tally.loss} in epoch {block.epoch + 1} after"
                        f" {100 * block.fraction:.1f} % of the words at learning rate {lr:.4g};"
                        f" try a smaller --lr (given: {self.lr:g}). Nothing was written"
                    )
                with self._lock:
                    self._result.add(block.epoch, tally)
                    self._recent.add(tally)
                    self._done += block.stop - block.start
        except BaseException as error:
            self._failure = self._failure or error
            self._ended.set()

    def _report(self, reporter: Reporter, began: float) -> Progress:
        """Tells the reporter how things stand."""
        with self._lock:
            recent, self._recent = self._recent, Tally()
            words, done = self._result.total.read, self._done
        seconds = max(time.perf_counter() - began, 1e-9)
        fraction = done / (int(self.bounds[-1]) * self.epochs)
        left = seconds * (1 - fraction) / fraction if fraction > 0 else math.nan
        epoch = min(self.epochs, int(fraction * self.epochs) + 1)
        lr = learning_rate(self.lr, fraction)
        progress = Progress(fraction, words, words / seconds, lr, recent.mean_loss, left, epoch)
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
