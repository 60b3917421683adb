"""The training loop: threads take the next block, while the calling thread reports progress and
waits for the end.

It is independent of the loss. A loss that is not finite, or far above that of an untrained model,
ends the run. With several ranks, all agree at the end of every section on what was trained and
whether the run ends, and exchange their changes; watchers act only when all ranks hold the same
rows.
"""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from w2v.training.engine import Tally
from w2v.training.handout import Handout, Pause
from w2v.training.meeting import Meeting
from w2v.training.report import Event, Progress, Reporter
from w2v.training.result import Diverged, TrainingResult
from w2v.training.task import Job

REPORT_SECONDS = 0.5
METRICS_SECONDS = 1.0
DIVERGED = 100  # training has diverged at so many times the loss of an untrained model
POLL_SECONDS = 0.1


class Watcher(Protocol):
    """Acts while training is paused: checkpoints, validation, early stopping."""

    name: str  # of its state in a checkpoint
    epoch_ends: bool  # whether training must pause at the end of every epoch
    save_requested: bool  # whether it waits for a pause in order to save

    def due(self, words: int) -> bool:
        """Returns whether training should pause; called after every block, with the words read."""

    def on_pause(self, pause: Pause, result: TrainingResult) -> bool:
        """Is called at every pause, with all workers idle; returns whether training ends here."""

    def state(self) -> dict[str, Any]:
        """Returns its state for a checkpoint: NumPy arrays, and plain values for JSON."""

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Restores what `state` returned."""


class Trainer:
    """Trains a job.

    watchers: called in this order; one that saves the state of the others comes last. blocks_done,
    result: the state of an earlier run to continue from; after `run`, the state of this run. unit:
    what the engine counts, for progress reports. in_step: training pauses at the end of each epoch
    until the reporter has received it, so that it can stop the run there. feed: is called with all
    lines of metrics.jsonl so far whenever there may be new ones.
    """

    def __init__(
        self,
        job: Job,
        watchers: Sequence[Watcher] = (),
        blocks_done: int = 0,
        result: TrainingResult | None = None,
        unit: str = "words",
        in_step: bool = False,
        feed: Callable[[Sequence[dict[str, Any]]], None] = lambda lines: None,
    ) -> None:
        self.engine, self.blocks, self.schedule = job.engine, job.blocks, job.schedule
        self._release, self._watchers = job.release, watchers
        self._highest_loss = DIVERGED * job.blind
        self._lock = threading.Lock()
        self.result = result or TrainingResult()
        self._recent = Tally()  # since the last report
        self.blocks_done, self._done = blocks_done, job.blocks.position(blocks_done)
        self._paused = False
        self._began = 0.0  # start time, moved back by the seconds of earlier runs
        self._failure: BaseException | None = None
        self._unit, self._feed = unit, feed
        epoch, blocks = divmod(blocks_done, job.blocks.per_epoch)
        self._begun = Counter({epoch: blocks})  # epoch -> finished blocks, for unfinished epochs
        self._ended: list[int] = []  # finished epochs that are not reported yet
        self._in_step, self._unreported = in_step, 0
        self._exchange = job.exchange
        self._meeting: Meeting | None = None
        self._section = Tally()  # with several ranks: of this one, since the last agreement
        self._finished = False
        self._wake_up = threading.Event()  # wakes the calling thread
        self._reported = threading.Condition()

    def run(self, reporter: Reporter, stop: threading.Event) -> TrainingResult:
        """Trains to the end or until `stop` is set. Raises Diverged if the loss is not finite."""
        self._began = time.perf_counter() - self.result.seconds
        meeting = None
        if self._exchange is not None:
            self._exchange.begin(self.blocks, self.blocks_done)
            meeting = Meeting(self._exchange, stop)
        self._meeting, self._reporter = meeting, reporter
        handout = Handout(
            self.blocks,
            self.engine.threads,
            self._on_pause,
            stop.is_set,
            in_rounds=self.engine.in_rounds,
            epoch_ends=self._in_step or any(watcher.epoch_ends for watcher in self._watchers),
            blocks_done=self.blocks_done,
        )
        if meeting is not None:
            handout.among(meeting.share)
        threads = [
            threading.Thread(target=self._work, args=(number, handout), daemon=True)
            for number in range(self.engine.threads)
        ]
        try:
            self._report(reporter)  # from now on there is a result to keep
            for thread in threads:
                thread.start()
            reported = logged = time.perf_counter()
            for thread in threads:
                while thread.is_alive():
                    self._wake_up.wait(POLL_SECONDS)
                    now, news = time.perf_counter(), self._wake_up.is_set()
                    self._wake_up.clear()
                    if now - reported >= REPORT_SECONDS or (news and self._unreported):
                        log = now - logged >= METRICS_SECONDS
                        self._report(reporter, log)
                        reported, logged = now, now if log else logged
        finally:
            # before `handout.end`, because a thread that waits for this holds the handout's lock
            with self._reported:
                self._finished = True
                self._reported.notify_all()
            handout.end()
            for thread in threads:
                if thread.ident is not None:
                    thread.join()
        self.blocks_done = handout.blocks_done
        if self._failure is not None:
            if meeting is not None:
                meeting.failed(self._failure)
            raise self._failure
        self._update_progress()
        if meeting is not None:
            meeting.allow_long_wait()
        stopped = stop.is_set() if meeting is None else meeting.stopped
        self.result.interrupted = stopped and self.result.fraction < 1
        self._report(reporter, log=True)
        return self.result

    def _on_pause(self, pause: Pause) -> bool:
        if self.engine.in_rounds and pause.blocks:
            self.engine.end_round(pause.blocks)
        if pause.inside:
            return False
        if self._meeting is not None:
            self._sum_over_ranks(self._meeting, pause)
        if self._in_step and pause.epoch_ended is not None:
            self._wake_up.set()
            with self._reported:
                self._reported.wait_for(lambda: self._finished or not self._unreported)
        stopped = False
        if self._meeting is not None:
            equal, stopped = self._exchange_changes(self._meeting, pause), self._meeting.stopped
            if not equal:
                return stopped
        with self._lock:
            self._update_progress()
            began = time.perf_counter()
            # from here on the metrics do not change, so that what watchers save is consistent
            self._paused = True
        try:
            ends = [watcher.on_pause(pause, self.result) for watcher in self._watchers]
            return any(ends) or stopped
        finally:
            if self._meeting is not None:
                self._meeting.start_section()
            with self._lock:
                self._began += time.perf_counter() - began  # the pause is not training time
                self._paused = False

    def _sum_over_ranks(self, meeting: Meeting, pause: Pause) -> None:
        """Adds up what all ranks have done in the section that has ended."""
        section, self._section = self._section, Tally()
        before, stopped = self.blocks_done, meeting.stopped
        saves = any(watcher.save_requested for watcher in self._watchers)
        tally = meeting.sums(section, saves=saves)
        if meeting.stopped and not stopped:
            self._reporter.milestone("stopping: what was learnt so far is being saved")
        self.blocks_done = pause.blocks_done
        with self._lock:
            positions = self.blocks.position(pause.blocks_done) - self._done
            epoch = before // self.blocks.per_epoch
            self._record(epoch, tally, positions, pause.blocks_done - before)

    def _exchange_changes(self, meeting: Meeting, pause: Pause) -> bool:
        """Exchanges what was learnt; returns whether all ranks hold the same now."""
        if pause.epoch_ended is not None:
            meeting.after_epoch()
        equal = meeting.exchange(pause, pause.blocks_done == len(self.blocks))
        meeting.allow_long_wait()
        return equal

    def _update_progress(self) -> None:
        self.result.seconds = time.perf_counter() - self._began
        self.result.fraction = self._done / self.blocks.positions

    def _work(self, number: int, handout: Handout) -> None:
        try:
            while (block := handout.next(number)) is not None:
                lr = self.schedule.rate(block.fraction, block.share)
                tally = self.engine.train(block, lr, number)
                self._release(block.start, block.stop)
                if not math.isfinite(tally.loss) or tally.mean_loss > self._highest_loss:
                    step = block.epoch * self.blocks.per_epoch + block.index
                    raise Diverged(
                        f"the loss became {tally.mean_loss:.4g} in epoch {block.epoch + 1} after"
                        f" {100 * block.fraction:.1f} % of the words (step {step}) at learning rate"
                        f" {lr:.4g}; training has diverged; try a smaller `lr` (given:"
                        f" {self.schedule.initial:g})"
                    )
                with self._lock:
                    if self._meeting is None:
                        self._record(block.epoch, tally, block.stop - block.start)
                    else:
                        self._section.add(tally)
                    words = self.result.total.read
                    due = any([watcher.due(words) for watcher in self._watchers])
                if due:
                    handout.pause()
        except BaseException as error:
            self._failure = self._failure or error
            handout.end()
        finally:
            self._wake_up.set()

    def _record(self, epoch: int, tally: Tally, positions: int, blocks: int = 1) -> None:
        """Records what was done in an epoch; `_lock` must be held."""
        self.result.add(epoch, tally)
        self._recent.add(tally)
        self._done += positions
        self._begun[epoch] += blocks
        if self._begun[epoch] == self.blocks.per_epoch:
            del self._begun[epoch]
            self._ended.append(epoch)
            self._log(self._progress(math.nan), epoch)
            self._unreported += 1

    def _report(self, reporter: Reporter, log: bool = False) -> None:
        """Reports the progress; `log` also adds a line to the metrics."""
        with self._lock:
            recent, self._recent = self._recent, Tally()
            progress = self._progress(recent.mean_loss)
            if log and not self._paused:
                self._log(progress)
            ended, self._ended = self._ended, []
            epochs = [self.result.epoch(number) for number in ended]
        for values in epochs:
            reporter.happened(Event("epoch", values))
        self._feed(self.result.metrics)
        reporter.training(progress)
        with self._reported:
            self._unreported -= len(epochs)
            self._reported.notify_all()

    def _progress(self, loss: float) -> Progress:
        words, fraction = self.result.total.read, self._done / self.blocks.positions
        seconds = max(time.perf_counter() - self._began, 1e-9)
        remaining = seconds * (1 - fraction) / fraction if fraction > 0 else math.nan
        epoch = min(self.blocks.epochs, int(fraction * self.blocks.epochs) + 1)
        lr, rate = self.schedule.rate(fraction), words / seconds
        return Progress(fraction, words, rate, lr, loss, remaining, epoch, self._unit)

    def _log(self, progress: Progress, ended: int | None = None) -> None:
        """Adds a line to the metrics: at the end of every epoch (`ended`, from 0), once a second.

        words = trained + subsampled + left_out since the run began; loss: mean over the predictions
        since the last line, so that the sum of loss x predictions over all lines is the loss of the
        run; epoch_loss: mean over all predictions of the epoch that has ended."""
        total, before, lines = self.result.total, self.result.logged, self.result.metrics
        if ended is None and lines and total == before and lines[-1].get("lr") == progress.lr:
            return  # nothing has changed
        self.result.logged = replace(total)
        predictions = total.predictions - before.predictions
        of_epoch = {} if ended is None else {"epoch_loss": self.result.epoch(ended)["loss"]}
        self.result.metrics.append(
            {
                "seconds": round(time.perf_counter() - self._began, 3),
                "epoch": progress.epoch if ended is None else ended + 1,
                "fraction": round(progress.fraction, 6),
                "words": total.read,
                "trained": total.trained,
                "subsampled": total.dropped,
                "left_out": total.rare,
                "words_per_second": round(progress.words_per_second),
                "lr": progress.lr,
                "predictions": predictions,
                "loss": (total.loss - before.loss) / predictions if predictions else None,
                **of_epoch,
            }
        )
