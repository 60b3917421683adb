"""What training has come to: tallies, metrics, and the error that ends it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from w2v.errors import RunError
from w2v.system.json import real_number
from w2v.training.engine import Tally


class Diverged(RunError):
    """The loss is no longer a number; the sentence says where, at which rate, and what may help."""


@dataclass
class TrainingResult:
    """What came out: tallies in all and by epoch begun, the lines of metrics.jsonl, and how far the
    run got.

    logged: the part of `total` that the lines of metrics.jsonl account for. seconds: of training,
    those before a resumption included, as everything here.
    """

    total: Tally = field(default_factory=Tally)
    epochs: list[Tally] = field(default_factory=list)
    metrics: list[dict[str, Any]] = field(default_factory=list)
    logged: Tally = field(default_factory=Tally)
    fraction: float = 0.0
    seconds: float = 0.0  # training itself, without what was done at rest
    interrupted: bool = False

    def add(self, epoch: int, tally: Tally) -> None:
        """Books what happened in one block of an epoch (from 0)."""
        while len(self.epochs) <= epoch:
            self.epochs.append(Tally())
        self.epochs[epoch].add(tally)
        self.total.add(tally)

    @property
    def last_loss(self) -> float | None:
        """The mean loss of the last epoch begun; None without a prediction."""
        losses = [tally.mean_loss for tally in self.epochs if tally.predictions]
        return losses[-1] if losses else None

    def epoch(self, number: int) -> dict[str, Any]:
        """Returns what people and programs are told of an epoch (from 0)."""
        tally = self.epochs[number]
        return {
            "epoch": number + 1,
            "loss": tally.mean_loss if tally.predictions else None,
            "predictions": tally.predictions,
            "words": tally.read,
        }

    def history(self) -> list[dict[str, Any]]:
        """Returns the lines of metrics.jsonl, and behind them one for each epoch begun."""
        epochs = [{"kind": "epoch", **self.epoch(number)} for number in range(len(self.epochs))]
        return [*self.metrics, *epochs]

    def state(self) -> dict[str, Any]:
        """Plain values for a checkpoint: all but the metrics, which have a file of their own."""
        values = asdict(replace(self, metrics=[]))
        del values["metrics"], values["interrupted"]
        return values

    @classmethod
    def from_state(
        cls, state: Mapping[str, Any], metrics: Sequence[dict[str, Any]]
    ) -> TrainingResult:
        """Returns what `state` was taken of; ValueError, KeyError or TypeError where it is no such
        state, or its numbers do not add up."""
        epochs = [Tally.from_state(tally) for tally in state["epochs"]]
        total, logged = (Tally.from_state(state[name]) for name in ("total", "logged"))
        fraction, seconds = (real_number(state[name]) for name in ("fraction", "seconds"))
        for name in ("predictions", "read", "rare", "dropped", "trained"):
            count = getattr(total, name)
            summed = sum(getattr(tally, name) for tally in epochs)
            if summed != count or getattr(logged, name) > count:
                raise ValueError(f"the tallies of its epochs do not add up to {count:,} {name}")
        return cls(total, epochs, list(metrics), logged, fraction, seconds)
