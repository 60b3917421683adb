"""Validation: at the end of every epoch the loss of another text is measured, without learning from
it.

`w2v.words.validation` and `w2v.lm.validation` define what is measured and reported. They share this
module: the best model is kept, and training ends when nothing improves.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import numpy as np

from w2v.corpus.store import ids_checksum
from w2v.errors import RunError
from w2v.system.json import real_number, whole_number
from w2v.training.engine import check_state
from w2v.training.handout import Pause
from w2v.training.report import Event, Reporter
from w2v.training.result import Diverged, TrainingResult
from w2v.training.world import Lost, World

KEPT = "kept."  # prefix of the best model's arrays in a checkpoint


S = TypeVar("S")  # the score of a measurement: a dataclass of plain values


class Validation(ABC, Generic[S]):
    """A watcher that measures a text at the end of each epoch.

    best: the score of the best epoch so far and its number from 1, or None. seconds: time spent on
    measuring. path: of the text, for messages. ids: its words [n], whose checksum identifies it
    when the run is resumed. patience: training ends after so many epochs without improvement;
    0: never. keeps_best: whether the result is the best model measured, not the last one.
    """

    name = "validation"
    epoch_ends = True
    asked = False
    world = World.alone()  # rank 0 measures for all ranks

    def __init__(
        self, path: str, ids: np.ndarray, patience: int, keeps_best: bool, reporter: Reporter
    ) -> None:
        self._path, self._checksum, self._reporter = path, ids_checksum(ids), reporter
        self._patience, self._keeps_best = patience, keeps_best
        self._kept: dict[str, np.ndarray] = {}
        self._waited = 0
        self._last: tuple[S, float] | None = None  # of the last epoch
        self._at_stop: tuple[S, float] | None = None
        self.best: tuple[S, float] | None = None
        self.seconds = 0.0

    @abstractmethod
    def score(self) -> S:
        """Measures the current model on the text. Raises RunError if the loss is not finite."""

    @abstractmethod
    def loss(self, score: S) -> float:
        """Returns the value by which scores are compared; lower is better."""

    @abstractmethod
    def score_of(self, values: dict[str, Any]) -> S:
        """Returns the score with these fields from a checkpoint. Raises ValueError, KeyError or
        TypeError if they are not the fields of a score."""

    @abstractmethod
    def sentence(self, score: S) -> str:
        """Returns a description of a score, to follow the word "validation"."""

    @abstractmethod
    def metrics(self, score: S) -> dict[str, Any]:
        """Returns the figures of a score for metrics.jsonl."""

    @abstractmethod
    def figures(self, score: S) -> dict[str, Any]:
        """Returns the figures of a score for summary.json."""

    @abstractmethod
    def arrays(self) -> dict[str, np.ndarray]:
        """Returns the current model's arrays that are part of the result; views if possible."""

    def got_worse(self) -> None:
        """Is called after an epoch that was not better than the best."""

    def due(self, words: int) -> bool:
        return False  # it acts only at the end of epochs

    def rest(self, rest: Pause, result: TrainingResult) -> bool:
        """Measures at an epoch's end; returns True after `patience` epochs without improvement."""
        if rest.epoch_ended is None:
            return False
        epoch = rest.epoch_ended + 1
        score = self._measure(epoch, result)
        self._last = score, epoch
        better = self.best is None or self.loss(score) < self.loss(self.best[0])
        if better:
            self.best = score, epoch
            if self._keeps_best and self.world.rank == 0:
                self._kept = {name: np.array(array) for name, array in self.arrays().items()}
        else:
            self.got_worse()
        self._waited = 0 if better else self._waited + 1
        if not self._patience or self._waited < self._patience:
            return False
        epochs = "epoch was" if self._waited == 1 else f"{self._waited} epochs were"
        message = f"stopping: the last {epochs} not better (`patience` {self._patience})"
        self._reporter.milestone(message)
        return True

    def finish(self, epochs: float, result: TrainingResult) -> None:
        """Is called when training has ended after `epochs` epochs. Measures, unless that was the
        end of an epoch; the score is part of the result only, not of the state for resuming."""
        if self._last is not None and self._last[1] == epochs:
            return
        self._reporter.stage("measuring the validation text with what was learnt so far")
        score = self._measure(epochs, result)
        if not self._keeps_best or self.best is None or self.loss(score) < self.loss(self.best[0]):
            self._at_stop = score, epochs

    def learnt(self) -> dict[str, np.ndarray]:
        """Returns the arrays of the result."""
        return self._kept if self._keeps_best and self._at_stop is None else self.arrays()

    def summary(self) -> dict[str, Any]:
        """Returns the figures of the result for summary.json; call it after `finish`."""
        reported = self._at_stop or (self.best if self._keeps_best else self._last)
        assert reported is not None
        score, epoch = reported
        return {"file": self._path, "epoch": epoch, **self.figures(score), "seconds": self.seconds}

    def state(self) -> dict[str, Any]:
        """Returns the epochs without improvement, the last and best score, and the best model."""
        last, best = (each and [{**vars(each[0])}, each[1]] for each in (self._last, self.best))
        plain = {"waited": self._waited, "seconds": self.seconds, "text": self._checksum}
        arrays = {f"{KEPT}{name}": array for name, array in self._kept.items()}
        return {**plain, "last": last, "best": best, **arrays}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Restores what `state` returned. Raises ValueError, KeyError or TypeError if the state is
        invalid or belongs to another model."""
        self._waited, self.seconds = whole_number(state["waited"]), real_number(state["seconds"])
        if state["text"] != self._checksum:
            self._reporter.warn(
                f"`valid` {self._path} is not the text that the run began with: earlier figures"
                " cannot be compared with those from now on"
            )
        self._last, self.best = (
            None if saved is None else (self.score_of(saved[0]), real_number(saved[1]))
            for saved in (state["last"], state["best"])
        )
        arrays = {name: value for name, value in state.items() if name.startswith(KEPT)}
        self._kept = {name.removeprefix(KEPT): np.array(value) for name, value in arrays.items()}
        if self.world.rank:  # only rank 0 keeps the best model
            self._kept = {}
            return
        check_state(self._kept, self.arrays() if self._keeps_best and self.best else {})

    def _measure(self, epoch: float, result: TrainingResult) -> S:
        began, values = time.perf_counter(), None
        try:
            with self.world.step():
                values = vars(self.score()) if self.world.rank == 0 else None
        except Lost:
            raise
        except RunError as error:
            raise Diverged(f"`valid` {self._path} after epoch {epoch:.3g}: {error}") from None
        score = self.score_of(self.world.broadcast(values))
        seconds = time.perf_counter() - began
        self.seconds += seconds
        line = {"epoch": epoch, **self.metrics(score), "validation_seconds": round(seconds, 3)}
        result.metrics.append(line)
        self._reporter.happened(Event("validation", line))
        self._reporter.milestone(f"after epoch {epoch:.3g}: validation {self.sentence(score)}")
        return score
