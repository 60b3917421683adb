"""Tables of weights and biases that may be split into shards, like TensorFlow's partitioned
variables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from w2v.losses.math.sampled_step import take_rows
from w2v.sampling.checks import checked_choice, checked_flag, checked_floats, checked_whole

Shards = Tensor | Sequence[Tensor]
STRATEGIES = ("div", "mod")


class Tables(NamedTuple):
    """Weights [num_classes, D] and biases [num_classes] or None, each as one tensor or as its
    shards; strategy and sparse as in `nce_loss`."""

    weights: Shards
    biases: Shards | None
    num_classes: int
    strategy: str
    sparse: bool

    @classmethod
    def of(
        cls, weights: Shards, biases: Shards | None, num_classes: int, strategy: str, sparse: bool
    ) -> Tables:
        """Returns the tables, whose shards `rows` checks."""
        num_classes = checked_whole(num_classes, "num_classes", 1)
        checked_choice(strategy, "partition_strategy", STRATEGIES)
        return cls(weights, biases, num_classes, strategy, checked_flag(sparse, "sparse"))

    def rows(self, ids: Tensor) -> tuple[Tensor, Tensor | None]:
        """Returns (weights [len(ids), D], biases [len(ids)] or None) of the classes `ids`. Raises
        ValueError for too few rows, or shard lengths that do not fit the strategy."""
        weights = self._checked_parts(self.weights, "weights", ids)
        if self.biases is None:
            return self._rows_of_parts(weights, ids), None
        biases = self._checked_parts(self.biases, "biases", ids)
        if len(weights) == len(biases) == 1:
            of_weights, of_biases = take_rows(ids, self.sparse, *weights, *biases)
            return of_weights, of_biases
        return self._rows_of_parts(weights, ids), self._rows_of_parts(biases, ids)

    def _checked_parts(self, shards: Shards, name: str, ids: Tensor) -> list[Tensor]:
        """Returns the shards of a table, checked."""
        try:
            parts = [shards] if isinstance(shards, Tensor) else list(shards)
        except TypeError:
            raise ValueError(f"{name} is a {type(shards).__name__}, it must be a tensor") from None
        form = ("classes", "D") if name == "weights" else ("classes",)
        for part in parts:
            checked_floats(part, name, form)
            if part.device != ids.device or part.shape[1:] != parts[0].shape[1:]:
                shapes = ", ".join(f"{list(each.shape)} on {each.device}" for each in parts)
                raise ValueError(f"{name} has shards {shapes}, they must be alike, on {ids.device}")
        lengths = [len(part) for part in parts]
        total = sum(lengths)
        if total < self.num_classes:
            raise ValueError(f"{name} has {total} rows, num_classes is {self.num_classes}")
        size, longer = divmod(total, len(parts))
        expected = [size + (p < longer) for p in range(len(parts))]
        if lengths != expected:
            raise ValueError(f"the shards of {name} have {lengths} rows, they must have {expected}")
        return parts

    def _rows_of_parts(self, parts: list[Tensor], ids: Tensor) -> Tensor:
        P = len(parts)
        if P == 1:
            return take_rows(ids, self.sparse, parts[0])[0]
        size, longer = divmod(sum(len(part) for part in parts), P)
        if self.strategy == "mod":
            shard, row = ids % P, ids // P
        else:
            early = longer * (size + 1)  # number of classes in the shards with one more row
            later = longer + (ids - early) // max(size, 1)
            shard = torch.where(ids < early, ids // (size + 1), later)
            row = ids - (shard * size + shard.clamp(max=longer))
        where = [(shard == p).nonzero()[:, 0] for p in range(P)]
        pairs = zip(parts, where, strict=True)
        rows = torch.cat([take_rows(row[index], self.sparse, part)[0] for part, index in pairs])
        return rows.index_select(0, torch.cat(where).argsort())
