"""Draws candidate classes for sampled losses from any distribution, with or without replacement.

A distribution (`w2v.sampling.samplers` has five) defines the probability of a class and how to draw
one. This module has what all share: sampling without replacement, expected counts, accidental hits.

The semantics are TensorFlow's (tf.random.*_candidate_sampler). True classes are used only for
expected counts; they are not excluded from the candidates. The expected count of a class with
probability p among num_sampled candidates is

    p * num_sampled              if every draw counts (not unique, or no draw was rejected)
    1 - (1 - p)^num_tries        if unique: num_tries draws gave num_sampled distinct classes

computed in float64 as -expm1(num_tries * log1p(-p)); TensorFlow computes it in float32.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from w2v.sampling.checks import checked_flag, checked_ids, checked_whole, device_of_draws
from w2v.system.gpu import moved

RACE_CELLS = 1 << 22  # rows x classes whose arrival times are held in memory at once
MOST_TRIES = 2.0**62  # num_tries must fit int64, however rare the rarest class is
LARGE_RATE = 1e9

Shape = tuple[int, ...]
Generator = torch.Generator | None


class Candidates(NamedTuple):
    """The result of `Sampler.sample`."""

    sampled: Tensor  # int64 [S], or [B, S] with a set for each row
    true_expected_count: Tensor | None  # float64, same shape as the true classes, if any
    sampled_expected_count: Tensor  # float64, same shape as `sampled`
    num_tries: int | Tensor = 0  # number of draws; [B] for B sets of distinct classes


class Sampler(ABC):
    """A distribution over the classes 0 … range_max - 1."""

    def __init__(self, range_max: int) -> None:
        self.range_max = checked_whole(range_max, "range_max", 1)

    @abstractmethod
    def probability(self, ids: Tensor) -> Tensor:
        """Returns P(class), float64, in the shape of `ids`."""

    @abstractmethod
    def draw(self, shape: Shape, generator: Generator, device: torch.device) -> Tensor:
        """Returns independent draws, int64."""

    def support(self) -> int:
        """Returns how many classes have a probability above 0."""
        return self.range_max

    def sample(
        self,
        true_classes: Tensor | Sequence[Any] | None,
        num_sampled: int,
        unique: bool,
        generator: Generator = None,
        *,
        rows: int | None = None,
        device: torch.device | str | None = None,
    ) -> Candidates:
        """Draws candidates and returns them with their expected counts.

        Args:
            true_classes: [B] or [B, T]; None if their expected counts are not needed.
            num_sampled: the number S of candidates in a set.
            unique: draw until num_sampled distinct classes are found, returned in that order.
            generator: draws are made on its device, and then moved to `device`.
            rows: draw this many sets, one for each row: `sampled` is then [rows, num_sampled].
            device: of the results; None: that of true_classes, else of the generator, else the CPU.

        Raises:
            ValueError: a true class is out of range, or there are fewer than num_sampled classes.
        """
        num_sampled = checked_whole(num_sampled, "num_sampled", 1)
        unique, ids = checked_flag(unique, "unique"), None
        if true_classes is not None:
            ids = checked_ids(true_classes, self.range_max, "true_classes")
        if rows is not None:
            rows = checked_whole(rows, "rows", 0)
            n_true = rows if ids is None else len(ids) if ids.dim() else 0
            if n_true != rows:
                expected = f"candidates are wanted for {rows}"
                raise ValueError(f"true_classes has {n_true} rows, {expected}")
        drawn_on = device_of_draws(generator, device or ("cpu" if ids is None else ids.device))
        device = device or (drawn_on if ids is None else ids.device)
        shape = (num_sampled,) if rows is None else (rows, num_sampled)
        tries: int | Tensor = num_sampled
        if unique:
            sets = 1 if rows is None else rows
            sampled, tried = self.draw_distinct(sets, num_sampled, generator, drawn_on)
            tries = int(tried[0]) if rows is None else tried.to(device)
            sampled = moved(sampled.view(shape), device)
        else:
            sampled = moved(self.draw(shape, generator, drawn_on), device)
        counts = self.expected_count(sampled, num_sampled, tries)
        if ids is None:
            return Candidates(sampled, None, counts, tries)
        true = self.expected_count(ids, num_sampled, tries)
        self.learn(ids)
        return Candidates(sampled, true, counts, tries)

    def learn(self, true_classes: Tensor) -> None:  # noqa: B027 (a hook; most have nothing to do)
        """A hook that updates the distribution after each call of `sample`."""

    def expected_count(self, ids: Tensor, num_sampled: int, num_tries: int | Tensor) -> Tensor:
        """Returns the expected number of occurrences of each of `ids` among num_sampled candidates,
        float64. num_tries may be [len(ids)]."""
        p = self.probability(ids)
        if isinstance(num_tries, int):
            if num_tries == num_sampled:
                return p * num_sampled
            return p.neg().log1p_().mul_(num_tries).expm1_().neg_()
        num_tries = num_tries.view(-1, *[1] * (ids.dim() - 1))
        distinct = -torch.expm1(num_tries * torch.log1p(-p))
        return torch.where(num_tries == num_sampled, p * num_sampled, distinct)

    def draw_distinct(
        self, rows: int, num_sampled: int, generator: Generator, device: torch.device
    ) -> tuple[Tensor, Tensor]:
        """Returns the first num_sampled distinct classes drawn, [rows, num_sampled], and the number
        of draws that this took, [rows]."""
        if num_sampled > (most := self.support()):
            problem = f"num_sampled is {num_sampled}, but there are only {most} classes"
            raise ValueError(f"{problem} to draw without replacement")
        draws = self.draw((rows, 2 * num_sampled), generator, device)
        if rows == 1:  # for so few draws, a Python dict is fastest
            order = list(dict.fromkeys(row := draws[0].tolist()))
            if len(order) >= num_sampled:
                sampled = torch.tensor(order[:num_sampled], device=device)[None]
                return sampled, torch.tensor([row.index(order[num_sampled - 1]) + 1])
        first, n_distinct = _first_occurrences(draws)
        while draws.shape[1] < self.range_max and bool((n_distinct[:, -1] < num_sampled).any()):
            draws = torch.cat([draws, self.draw((rows, draws.shape[1]), generator, device)], 1)
            first, n_distinct = _first_occurrences(draws)
        tries = (n_distinct < num_sampled).sum(1) + 1
        unfinished = (n_distinct[:, -1] < num_sampled).nonzero()[:, 0]
        if len(unfinished):
            late = draws.new_zeros(rows, num_sampled)
            for part in unfinished.split(max(1, RACE_CELLS // self.range_max)):  # type: ignore[no-untyped-call]
                missing = num_sampled - n_distinct[part, -1]
                late[part, : int(missing.max())], more = self._race(draws[part], missing, generator)
                tries[part] = draws.shape[1] + more
            # rows that are complete already get class 0 after all the draws they need
            draws = torch.cat([draws, late], 1)
            first, n_distinct = _first_occurrences(draws)
        return draws[first & (n_distinct <= num_sampled)].view(rows, num_sampled), tries

    def _race(self, draws: Tensor, missing: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        """Simulates further draws after `draws` [rows, R], until `missing` [rows] more classes are
        found. Returns these classes [rows, max(missing)] and the number of further draws [rows].

        If draws are made at the times of a Poisson process with rate 1, the draws of each class are
        independent Poisson processes with rate p. Classes not yet seen are therefore found in the
        order of their first arrivals t ~ Exp(p). When the last missing one arrives, at time T, the
        classes seen before have been drawn Poisson(p T) times, the new ones Poisson(p (T - t))
        times after their first. This has the same distribution as drawing on, but costs one random
        number per class instead of 1 / p draws for a rare class.
        """
        p = self.probability(torch.arange(self.range_max, device=draws.device))
        open_rate = p.repeat(len(draws), 1).scatter_(1, draws, 0.0)
        arrival = torch.empty_like(open_rate).exponential_(generator=generator) / open_rate
        times, classes = arrival.topk(int(missing.max()), dim=1, largest=False)
        end = times.gather(1, missing[:, None] - 1)
        repeats = end * (p.sum() - open_rate.sum(1, keepdim=True))
        rates, waits = open_rate.gather(1, classes), (end - times).clamp_min(0)
        return classes, missing + poisson(repeats[:, 0] + (rates * waits).sum(1), generator)


def poisson(rate: Tensor, generator: Generator) -> Tensor:
    """Draws Poisson numbers, int64. For rates above LARGE_RATE, whose numbers could exceed CUDA's
    32 bits, a normal approximation is used."""
    small = torch.poisson(rate.clamp(0, LARGE_RATE), generator=generator)
    normal = torch.empty_like(rate).normal_(generator=generator)
    large = (rate + rate.sqrt() * normal).clamp(max=MOST_TRIES)
    return torch.where(rate < LARGE_RATE, small, large).long()


def _first_occurrences(draws: Tensor) -> tuple[Tensor, Tensor]:
    """Returns for each draw, [rows, R], whether it is the first of its class in the row, and the
    number of distinct classes so far."""
    ordered, index = draws.sort(dim=1, stable=True)
    new = torch.ones_like(draws, dtype=torch.bool)
    torch.ne(ordered[:, 1:], ordered[:, :-1], out=new[:, 1:])
    first = torch.empty_like(new).scatter_(1, index, new)
    return first, first.cumsum(1)


def compute_accidental_hits(true_classes: Tensor, sampled: Tensor) -> tuple[Tensor, Tensor]:
    """Finds candidates [S] that equal true classes [B] or [B, T]. Returns (row of true_classes,
    position in sampled) of each hit, row by row, int64.

    As in TensorFlow, a candidate that occurs several times is reported only at its last position,
    and a true class that occurs twice in a row is reported twice. (TensorFlow's third output, the
    weight -3.4e38 for each hit, is not returned.)
    """
    num_true = 1 if true_classes.dim() == 1 else true_classes.shape[1]
    labels = true_classes.reshape(-1).contiguous()
    if not len(sampled):
        return labels[:0], labels[:0]
    ordered, index = sampled.sort(stable=True)
    # If all candidates are greater, the first is compared, which is a different class anyway.
    last = torch.searchsorted(ordered, labels, right=True).sub_(1).clamp_min_(0)
    hit = (ordered.index_select(0, last) == labels).nonzero()[:, 0]
    position = index.index_select(0, last.index_select(0, hit))
    return hit if num_true == 1 else hit // num_true, position
