"""The results of training: tallies, metrics, and the error of a diverged run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from w2v.errors import RunError
from w2v.system.json import real_number
from w2v.training.engine import Tally


class Diverged(RunError):
    """Raised when the loss is no longer finite or far too high; the message says at which step and
    learning rate, and what to change."""


@dataclass
class TrainingResult:
    """The state of training: tallies in total and by epoch, the lines of metrics.jsonl, and how far
    the run has got. All of it includes what was done before the run was resumed.

    logged: the part of `total` that the lines of metrics.jsonl account for. seconds: of training.
    """

    total: Tally = field(default_factory=Tally)
    epochs: list[Tally] = field(default_factory=list)
    metrics: list[dict[str, Any]] = field(default_factory=list)
    logged: Tally = field(default_factory=Tally)
    fraction: float = 0.0
    seconds: float = 0.0  # training only, without the time in which it was paused
    interrupted: bool = False

    def add(self, epoch: int, tally: Tally) -> None:
        """Adds the tally of blocks of an epoch (counted from 0)."""
        while len(self.epochs) <= epoch:
            self.epochs.append(Tally())
        self.epochs[epoch].add(tally)
        self.total.add(tally)

    @property
    def last_loss(self) -> float | None:
        """The mean loss of the last epoch begun; None without predictions."""
        losses = [tally.mean_loss for tally in self.epochs if tally.predictions]
        return losses[-1] if losses else None

    def epoch(self, number: int) -> dict[str, Any]:
        """Returns what is reported about an epoch (counted from 0)."""
        tally = self.epochs[number]
        return {
            "epoch": number + 1,
            "loss": tally.mean_loss if tally.predictions else None,
            "predictions": tally.predictions,
            "words": tally.read,
        }

    def history(self) -> list[dict[str, Any]]:
        """Returns the lines of metrics.jsonl, then one entry for each epoch begun."""
        epochs = [{"kind": "epoch", **self.epoch(number)} for number in range(len(self.epochs))]
        return [*self.metrics, *epochs]

    def state(self) -> dict[str, Any]:
        """Returns plain values for a checkpoint, except the metrics, which have their own file."""
        values = asdict(replace(self, metrics=[]))
        del values["metrics"], values["interrupted"]
        return values

    @classmethod
    def from_state(
        cls, state: Mapping[str, Any], metrics: Sequence[dict[str, Any]]
    ) -> TrainingResult:
        """Returns the result of which `state` was saved. Raises ValueError, KeyError or TypeError
        if the state is invalid or its numbers do not add up."""
        epochs = [Tally.from_state(tally) for tally in state["epochs"]]
        total, logged = (Tally.from_state(state[name]) for name in ("total", "logged"))
        fraction, seconds = (real_number(state[name]) for name in ("fraction", "seconds"))
        for name in ("predictions", "read", "rare", "dropped", "trained"):
            count = getattr(total, name)
            summed = sum(getattr(tally, name) for tally in epochs)
            if summed != count or getattr(logged, name) > count:
                raise ValueError(f"the tallies of the epochs do not add up to {count:,} {name}")
        return cls(total, epochs, list(metrics), logged, fraction, seconds)
