"""Saves a run's state periodically without delaying training: the state is copied while training is
paused and written by another thread. Only at the end of an epoch, which is always saved, training
waits until an earlier checkpoint is written.

If a checkpoint cannot be written (a full disk), there is one warning; training continues, and older
checkpoints stay.
"""

from __future__ import annotations

import json
import math
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from w2v import __version__
from w2v.errors import RunError
from w2v.runs.checkpoint import UNSOUND, Checkpoint, all_finite, prune, save_checkpoint
from w2v.runs.directory import RunDirectory
from w2v.runs.rows import write_parts
from w2v.settings.groups import CheckpointSettings
from w2v.settings.interval import Interval, parse_interval
from w2v.training.handout import Pause
from w2v.training.report import Event, Reporter
from w2v.training.result import TrainingResult
from w2v.training.task import Job
from w2v.training.trainer import Watcher
from w2v.training.world import Lost

WATCHER = "watcher."  # prefix of the names of their arrays


class RunState:
    """Builds the checkpoints of a run from its state, and restores the state from a checkpoint.

    facts: plain values that do not change during the run (the settings, the corpus).
    """

    def __init__(self, job: Job, watchers: Sequence[Watcher], facts: dict[str, Any]) -> None:
        self.job, self.watchers, self.facts = job, watchers, facts
        self._copies: dict[str, np.ndarray] = {}
        self._lines: list[str] = []

    def take(self, step: int, result: TrainingResult, *, copy: bool) -> Checkpoint:
        """Returns the state after `step` blocks; training must be paused. `copy`: whether training
        continues before it is written; the memory of the copies is reused."""
        tensors = dict(self.job.engine.state())
        others = {watcher.name: watcher.state() for watcher in self.watchers}
        for name, values in others.items():
            large = sorted(key for key in values if isinstance(values[key], np.ndarray))
            tensors |= {f"{WATCHER}{name}.{key}": values.pop(key) for key in large}
        if copy:
            for name, array in tensors.items():
                # the state that attention carries between segments grows at first
                if name not in self._copies or self._copies[name].shape != array.shape:
                    self._copies[name] = np.empty(array.shape, array.dtype)
                np.copyto(self._copies[name], array)
            tensors = {name: self._copies[name] for name in tensors}
        self._lines += [json.dumps(line) for line in result.metrics[len(self._lines) :]]
        state = {
            "written_by": __version__,
            **self.facts,
            "result": result.state(),
            "schedule": self.job.schedule.state(),
            "watchers": others,
        }
        return Checkpoint(step, tensors, self.job.blocks.bounds, state, list(self._lines))

    def put_back(self, checkpoint: Checkpoint) -> TrainingResult:
        """Restores the state of engine, schedule and watchers from a checkpoint; returns the
        results so far. Raises one of MISFITS if it is not the state of such a run."""
        tensors, state = checkpoint.tensors, checkpoint.state
        of_engine = {name: array for name, array in tensors.items() if not name.startswith(WATCHER)}
        self.job.engine.load_state(of_engine)
        self.job.schedule.load_state(state["schedule"])
        for watcher in self.watchers:
            prefix = f"{WATCHER}{watcher.name}."
            names = [name for name in tensors if name.startswith(prefix)]
            arrays = {name.removeprefix(prefix): tensors[name] for name in names}
            watcher.load_state(state["watchers"][watcher.name] | arrays)
        metrics = [json.loads(line) for line in checkpoint.metrics]
        if not all(isinstance(line, dict) for line in metrics):
            raise ValueError("a line of its metrics is not a JSON object")
        return TrainingResult.from_state(state["result"], metrics)


class Checkpointer:
    """The watcher that saves checkpoints in a run's directory, at the interval in the settings and
    at the end of every epoch."""

    name = "checkpoints"

    def __init__(
        self,
        directory: RunDirectory,
        settings: CheckpointSettings,
        state: RunState,
        reporter: Reporter,
    ) -> None:
        every = settings.checkpoint_every
        self.epoch_ends = every is not None
        self.last: Path | None = None  # the latest one written
        self._interval = Interval(math.inf) if every is None else parse_interval(every)
        self._directory, self._folder = directory, directory.checkpoints
        self._keep, self._state, self._reporter = settings.keep, state, reporter
        self._thread: threading.Thread | None = None
        self.save_requested = self._warned = False
        self._words, self._moment = 0, time.monotonic()
        self._step = -1  # of the latest one written

    def due(self, words: int) -> bool:
        """Returns whether the interval is over and the last checkpoint is written."""
        seconds = time.monotonic() - self._moment
        is_over = self._interval.is_over(seconds, words - self._words)
        if self.save_requested or self._busy() or not is_over:
            return False
        self.save_requested = True
        return True

    def on_pause(self, pause: Pause, result: TrainingResult) -> bool:
        """Starts saving the state at the end of an epoch, or if it is time and the last checkpoint
        is written."""
        ended = self.epoch_ends and pause.epoch_ended is not None
        if ended:
            self.close()
        due = ended or (self.save_requested and not self._busy())
        self._begin(due, pause.blocks_done, result, copy=True)
        return False

    def state(self) -> dict[str, Any]:
        return {}  # the interval starts again on resuming

    def load_state(self, state: Mapping[str, Any]) -> None:
        pass

    def resumed(self, checkpoint: Checkpoint, words: int) -> None:
        """Records that the run was resumed from that checkpoint, after so many words."""
        self.last, self._step, self._words = checkpoint.path, checkpoint.step, words

    def finish(self, step: int, result: TrainingResult) -> None:
        """Saves the state at the end of training, unless the latest checkpoint already has it, and
        waits until it is written."""
        self.close()
        self._begin(step != self._step, step, result, copy=False)
        self.close()

    def close(self) -> None:
        """Waits until the current checkpoint is written."""
        if self._thread is not None:
            self._thread.join()

    def _busy(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _begin(self, begins: bool, step: int, result: TrainingResult, *, copy: bool) -> None:
        """Saves the state if `begins`; with several ranks, all of them call this together."""
        engine, rows = self._state.job.engine, None
        part = engine.part()
        if part is not None and engine.world.broadcast(begins):
            try:
                rows = write_parts(engine.world, part, self._staging)
            except Lost:
                raise
            except RunError as error:
                self._tell(f"{error}: free some space, or mend the folder")
                begins = False
        if not begins:
            return
        self.save_requested, self._words, self._moment = False, result.total.read, time.monotonic()
        try:
            checkpoint = replace(self._state.take(step, result, copy=copy), rows=rows)
        except MemoryError:
            problem = "there is no memory for a copy of the state"
            self._tell(f"{problem}: a smaller `dim` or a larger `min_count` needs less")
            return
        self._thread = threading.Thread(
            target=self._write, args=(checkpoint,), name="checkpoint", daemon=True
        )
        self._thread.start()

    def _write(self, checkpoint: Checkpoint) -> None:
        try:
            step, tensors = checkpoint.step, checkpoint.tensors.items()
            floats = [(name, array) for name, array in tensors if array.dtype.kind == "f"]
            if bad := next((name for name, array in floats if not all_finite(array)), None):
                self._tell(f"{bad} holds {UNSOUND} at step {step}: try a smaller `lr`")
                return
            self._restore()
            self.last, self._step = save_checkpoint(self._folder, checkpoint), step
            self._reporter.happened(Event("checkpoint", {"path": str(self.last), "step": step}))
            prune(self._folder, step, self._keep)
        except (RunError, OSError) as error:
            problem = str(error)
            if isinstance(error, OSError) and error.filename:
                problem = f"{error.filename}: {error.strerror}"
            self._tell(f"{problem}: free some space, or mend the folder")

    def _restore(self) -> None:
        if self._directory.restore():
            problem = "was removed while the run was writing to it; it has been made again"
            self._reporter.warn(f"{self._directory.path} {problem}")

    def _staging(self) -> Path:
        """Creates a folder for the sharded rows, from which a checkpoint takes the files."""
        self._restore()
        return Path(tempfile.mkdtemp(prefix=".step-", suffix=".rows", dir=self._folder))

    def _tell(self, problem: str) -> None:
        if not self._warned:
            exists = self.last is not None and self.last.is_dir()
            latest = f"{self.last} stays the latest one" if exists else "there is none"
            message = f"no checkpoint could be written, {latest}, and training goes on: {problem}"
            self._reporter.warn(message)
        self._warned = True
