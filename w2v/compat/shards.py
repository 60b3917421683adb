"""Tables of weights and biases that may be cut into shards, as TensorFlow's partitioned variables
are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from w2v.losses.math.sampled_step import take_rows

Shards = Tensor | Sequence[Tensor]
STRATEGIES = ("div", "mod")


@dataclass(frozen=True)
class Tables:
    """Weights [num_classes, D] and biases [num_classes] or None, each one tensor or its shards.

    strategy: class c is row c // P of shard c % P ("mod"), or the shards hold the classes one after
    another, the first num_classes % P of them one more ("div"). sparse: gradients hold only the
    rows taken.
    """

    weights: Shards
    biases: Shards | None
    num_classes: int
    strategy: str
    sparse: bool

    def rows(self, ids: Tensor) -> tuple[Tensor, Tensor | None]:
        """(weights [len(ids), D], biases [len(ids)] or None) of the classes `ids`.

        Raises:
            ValueError: there are too few rows, the shards' lengths do not fit the strategy, or
                there is no such one.
        """
        weights, biases = self._parts(self.weights, "weights"), None
        if self.biases is not None:
            biases = self._parts(self.biases, "biases")
            if len(weights) == len(biases) == 1:
                of_weights, of_biases = take_rows(ids, self.sparse, *weights, *biases)
                return of_weights, of_biases
        return self._taken(weights, ids), None if biases is None else self._taken(biases, ids)

    def _parts(self, shards: Shards, name: str) -> list[Tensor]:
        """The shards of a table, checked."""
        if self.strategy not in STRATEGIES:
            raise ValueError(
                f"partition_strategy is '{self.strategy}', it must be one of"
                f" {', '.join(STRATEGIES)}"
            )
        parts = [shards] if isinstance(shards, Tensor) else list(shards)
        total = sum(len(part) for part in parts)
        if total < self.num_classes:
            raise ValueError(f"{name} has {total} rows, num_classes is {self.num_classes}")
        size, longer = divmod(total, len(parts))
        wanted = [size + (p < longer) for p in range(len(parts))]
        if [len(part) for part in parts] != wanted:
            raise ValueError(
                f"the shards of {name} have {[len(part) for part in parts]} rows, they must have"
                f" {wanted}"
            )
        return parts

    def _taken(self, parts: list[Tensor], ids: Tensor) -> Tensor:
        P = len(parts)
        if P == 1:
            return take_rows(ids, self.sparse, parts[0])[0]
        size, longer = divmod(sum(len(part) for part in parts), P)
        if self.strategy == "mod":
            shard, row = ids % P, ids // P
        else:
            early = longer * (size + 1)  # classes in the shards that are longer by one
            shard = torch.where(
                ids < early, ids // (size + 1), longer + (ids - early) // max(size, 1)
            )
            row = ids - (shard * size + shard.clamp(max=longer))
        where = [(shard == p).nonzero()[:, 0] for p in range(P)]
        rows = torch.cat(
            [
                take_rows(row[at], self.sparse, part)[0]
                for part, at in zip(parts, where, strict=True)
            ]
        )
        return rows.index_select(0, torch.cat(where).argsort())
