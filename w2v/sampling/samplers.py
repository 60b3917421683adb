"""Candidate samplers: they draw the classes that represent all V classes in a sampled loss, and
compute their expected counts.

    sampler = LogUniformSampler(50_000)
    sampled, true_expected, sampled_expected, num_tries = sampler.sample(labels, 64, unique=True)

The distributions are TensorFlow's (tf.random.*_candidate_sampler); see `w2v.sampling.candidates`
for the code that they share.
"""

from __future__ import annotations

import codecs
import math
import re
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from w2v.errors import InputError, shown
from w2v.sampling.candidates import Generator, Sampler, Shape
from w2v.sampling.checks import Refused, check_dense, checked_whole


class UniformSampler(Sampler):
    """P(k) = 1 / range_max."""

    def probability(self, ids: Tensor) -> Tensor:
        return torch.full(ids.shape, 1 / self.range_max, dtype=torch.float64, device=ids.device)

    def draw(self, shape: Shape, generator: Generator, device: torch.device) -> Tensor:
        return torch.randint(self.range_max, shape, generator=generator, device=device)


class LogUniformSampler(Sampler):
    """P(k) = log((k + 2) / (k + 1)) / log(range_max + 1): Zipf-like, if ids are ranks."""

    def probability(self, ids: Tensor) -> Tensor:
        return (ids.double() + 1).reciprocal_().log1p_().div_(math.log1p(self.range_max))

    def draw(self, shape: Shape, generator: Generator, device: torch.device) -> Tensor:
        u = torch.rand(shape, generator=generator, device=device, dtype=torch.float64)
        # float64, because float32 would reach only every second class from 2^24 on
        return (u * math.log1p(self.range_max)).exp_().long().sub_(1).clamp_(0, self.range_max - 1)


class UnigramSampler(Sampler):
    """P(k) ~ weight(k)^distortion, drawn in O(1) by the alias method (doi 10.1145/355744.355749).

    Args:
        weights: the weights of the classes from num_reserved_ids on.
        vocab_file: instead of weights, a file whose lines end in a weight, after the last comma or
            tab.
        distortion: 1 keeps the weights; 0 makes all equal (also zeros, as in TensorFlow: 0^0 = 1);
            word2vec uses 0.75.
        num_reserved_ids: the number of ids before the first weight, which have weight 0.
        num_shards, shard: keep only ids with id % num_shards == shard, renumbered from 0.
        range_max: if given, the number of classes that must result.

    Raises:
        ValueError: weights are negative, not finite or all 0, or another argument is invalid.
    """

    def __init__(
        self,
        weights: Tensor | Sequence[float] | None = None,
        *,
        vocab_file: str | Path | None = None,
        distortion: float = 1.0,
        num_reserved_ids: int = 0,
        num_shards: int = 1,
        shard: int = 0,
        range_max: int | None = None,
    ) -> None:
        if (weights is None) == (vocab_file is None):
            raise ValueError("give exactly one of weights and vocab_file")
        num_reserved_ids = checked_whole(num_reserved_ids, "num_reserved_ids", 0)
        num_shards = checked_whole(num_shards, "num_shards", 1)
        if not 0 <= (shard := checked_whole(shard, "shard")) < num_shards:
            last = num_shards - 1
            raise ValueError(f"shard is {shard}, it must lie in 0 to num_shards - 1 = {last}")
        values = _weights_of(vocab_file) if weights is None else weights
        if isinstance(values, Tensor):
            check_dense(values, "weights")
        try:
            tensor = torch.as_tensor(values, dtype=torch.float64).cpu()
        except (TypeError, ValueError, RuntimeError, OverflowError):
            raise ValueError(f"weights are {shown(values)}, they must be [V] numbers") from None
        all_ids = torch.cat([tensor.new_zeros(num_reserved_ids), _distorted(tensor, distortion)])
        shares = all_ids[shard::num_shards]
        V = len(shares)
        if range_max is not None and checked_whole(range_max, "range_max") != V:
            raise ValueError(f"range_max is {range_max}, but there are weights for {V} classes")
        super().__init__(V)
        total = float(shares.sum())
        if total == 0:
            raise ValueError(f"all {V} weights are 0, at least one must be positive")
        self._probability = shares / total
        self._support = int((shares > 0).sum())
        self._alias: tuple[Tensor, Tensor] | None = None
        self._on_device: dict[torch.device, tuple[Tensor, ...]] = {}

    def support(self) -> int:
        return self._support

    def probability(self, ids: Tensor) -> Tensor:
        if ids.device.type == "cpu":
            return self._probability[ids]
        return self._tables(ids.device)[0][ids]

    def draw(self, shape: Shape, generator: Generator, device: torch.device) -> Tensor:
        _, accept, alias = self._tables(device)
        u, v = torch.rand((2, *shape), generator=generator, device=device, dtype=torch.float64)
        cell = u.mul_(self.range_max).long()
        accepted = v.mul_(2.0**32).sub_(2.0**31) < accept[cell]
        return torch.where(accepted, cell, alias[cell].long())

    def _tables(self, device: torch.device) -> tuple[Tensor, ...]:
        """Returns (probability float64, accept int32, alias int32), all [V], on that device. accept
        is the number of 2^32 draws that keep the cell minus 2^31, because torch cannot index
        unsigned tensors."""
        if device not in self._on_device:
            if self._alias is None:
                from w2v.sampling.unigram import alias_table

                accept, alias = alias_table(self._probability.numpy())
                moved = torch.from_numpy((accept ^ 0x80000000).view("int32"))
                self._alias = (moved, torch.from_numpy(alias))
            tables = (self._probability, *self._alias)
            self._on_device[device] = tuple(table.to(device) for table in tables)
        return self._on_device[device]


def _distorted(weights: Tensor, distortion: float) -> Tensor:
    """Returns weights^distortion, scaled so that the largest is 1 and none overflows."""
    shape = list(weights.shape)
    if weights.dim() != 1 or not len(weights):
        raise ValueError(f"weights have shape {shape}, they must be [V] with V of 1 or more")
    try:
        power = float(distortion) if math.isfinite(distortion) else None
    except (TypeError, OverflowError):
        power = None
    if power is None:
        raise ValueError(f"distortion is {shown(distortion)}, it must be a finite number")
    if not bool(weights.isfinite().all()) or bool((weights < 0).any()):
        low, high = weights.min().item(), weights.max().item()
        problem = f"weights range from {low:g} to {high:g}"
        raise ValueError(f"{problem}, they must be finite and not negative")
    if power < 0 and bool((weights == 0).any()):
        problem = f"distortion is {power:g} and a weight is 0"
        raise ValueError(f"{problem}, which gives it infinite probability")
    largest = weights.max() if power >= 0 else weights.min()
    return (weights / largest.clamp_min(torch.finfo(torch.float64).tiny)) ** power


def _weights_of(vocab_file: str | Path | None) -> list[float]:
    """Reads the last field of every line that is not blank; words may be in any encoding."""
    weights = []
    if not isinstance(vocab_file, (str, Path)):
        raise Refused(f"vocab_file is {shown(vocab_file)}, it must be a path")
    try:
        opened = open(str(vocab_file), "rb")  # noqa: SIM115 (closed below)
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or error
        raise InputError(f"cannot read vocab_file {shown(str(vocab_file))}: {problem}") from None
    with opened as lines:
        for number, line in enumerate(lines, 1):
            field = re.split(rb"[,\t]", line)[-1].strip().removeprefix(codecs.BOM_UTF8)
            if not line.strip():
                continue
            try:  # Python would accept 1_0 as 10
                weights.append(float(field if b"_" not in field else b""))
            except ValueError:
                value = shown(field.decode("utf-8", "replace"))
                where = f"{vocab_file}, line {number}"
                raise ValueError(f"{where}: {value} is not a weight") from None
    return weights


class LearnedUnigramSampler(Sampler):
    """P(k) ~ 1 + the number of times that k was a true class in earlier calls of `sample`.

    `weights` [range_max] int64 is the complete state, to be saved and restored. (TensorFlow does
    not save it, and stops learning at a total of 2^31 - 1.)
    """

    def __init__(self, range_max: int) -> None:
        super().__init__(range_max)
        self.weights = torch.ones(self.range_max, dtype=torch.int64)

    def probability(self, ids: Tensor) -> Tensor:
        weights = self.weights.to(ids.device)
        return weights[ids].double() / weights.sum()

    def draw(self, shape: Shape, generator: Generator, device: torch.device) -> Tensor:
        cumulative = self.weights.to(device).cumsum(0)
        drawn = torch.randint(int(cumulative[-1]), shape, generator=generator, device=device)
        return torch.searchsorted(cumulative, drawn, right=True)

    def learn(self, true_classes: Tensor) -> None:
        """Counts the true classes."""
        ids = true_classes.reshape(-1)
        self.weights = self.weights.to(ids.device).index_add(0, ids, torch.ones_like(ids))


class AllCandidateSampler(Sampler):
    """Draws every class once, with expected count 1, which makes a sampled loss the full one.
    `unique` makes no difference."""

    def probability(self, ids: Tensor) -> Tensor:
        return torch.ones(ids.shape, dtype=torch.float64, device=ids.device)

    def draw(self, shape: Shape, generator: Generator, device: torch.device) -> Tensor:
        V = self.range_max
        if shape[-1] != V:
            raise ValueError(f"num_sampled is {shape[-1]}, but all {V} classes are candidates")
        return torch.arange(V, device=device).expand(shape)

    def draw_distinct(
        self, rows: int, num_sampled: int, generator: Generator, device: torch.device
    ) -> tuple[Tensor, Tensor]:
        tries = torch.full((rows,), num_sampled, device=device)
        return self.draw((rows, num_sampled), generator, device), tries

    def expected_count(self, ids: Tensor, num_sampled: int, num_tries: int | Tensor) -> Tensor:
        return self.probability(ids)
