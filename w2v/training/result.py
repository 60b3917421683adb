"""What training has come to: tallies, metrics, and the error that ends it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
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
        """Returns the lines of metrics.jsonl, and behind them one for each epoch."""
        epochs = [{"kind": "epoch", **self.epoch(number)} for number in range(len(self.epochs))]
        return [*self.metrics, *epochs]

    def state(self) -> dict[str, Any]:
        """Plain values for a checkpoint: all but the metrics, which have a file of their own."""
        return {
            "total": asdict(self.total),
            "epochs": [asdict(tally) for tally in self.epochs],
            "logged": asdict(self.logged),
            "fraction": self.fraction,
            "seconds": self.seconds,
        }

    @classmethod
    def from_state(
        cls, state: Mapping[str, Any], metrics: Sequence[dict[str, Any]]
    ) -> TrainingResult:
        """What `state` was taken of.

        Raises:
            ValueError, KeyError, TypeError: it is no such state, or its numbers do not add up.
        """
        epochs = [Tally.from_state(tally) for tally in state["epochs"]]
        found = cls(
            Tally.from_state(state["total"]),
            epochs,
            list(metrics),
            Tally.from_state(state["logged"]),
            real_number(state["fraction"]),
            real_number(state["seconds"]),
        )
        for name in ("predictions", "read", "rare", "dropped", "trained"):
            total = getattr(found.total, name)
            if (
                sum(getattr(tally, name) for tally in epochs) != total
                or getattr(found.logged, name) > total
            ):
                raise ValueError(f"the tallies of its epochs do not add up to {total:,} {name}")
        return found
