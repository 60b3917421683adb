"""Candidates for sampled losses: drawn from any distribution over the classes, with or without
repeats.

A distribution (`w2v.sampling.samplers` has five) says how probable a class is and how to draw one;
what is the same for all is here: sets without repeats, expected counts, accidental hits.

The semantics are TensorFlow's (tf.random.*_candidate_sampler). The true classes only serve the
expected counts; they are not excluded. Of a class with probability p, num_sampled candidates hold

    p * num_sampled              if every draw counts (not unique, or no draw was rejected)
    1 - (1 - p)^num_tries        if unique: num_tries draws gave num_sampled distinct classes

in the mean, computed in float64 as -expm1(num_tries * log1p(-p)), by TensorFlow in float32.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from w2v.sampling.given import checked_ids, checked_whole, place_of
from w2v.system.gpu import moved

RACE_CELLS = 1 << 22  # rows x classes for which arrival times are held at once
MOST_TRIES = 2.0**62  # num_tries is an int64, whatever the rarest class asks for
LARGE_RATE = 1e9

Shape = tuple[int, ...]
Generator = torch.Generator | None


class Candidates(NamedTuple):
    """What `sample` found."""

    sampled: Tensor  # int64 [S], or [B, S]: a set for every row
    true_expected_count: Tensor | None  # float64, in the shape of the true classes, if any
    sampled_expected_count: Tensor  # float64, in the shape of `sampled`
    num_tries: int | Tensor = 0  # how many draws it took, [B] for B sets of distinct classes


class Sampler(ABC):
    """A distribution over the classes 0 … range_max - 1."""

    def __init__(self, range_max: int) -> None:
        self.range_max = checked_whole(range_max, "range_max", 1)

    @abstractmethod
    def probability(self, ids: Tensor) -> Tensor:
        """P(class) float64, in the shape of `ids`."""

    @abstractmethod
    def draw(self, shape: Shape, generator: Generator, device: torch.device) -> Tensor:
        """Returns independent draws, int64."""

    def support(self) -> int:
        """How many classes have a probability above 0."""
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
        """Candidates and expected counts.

        Args:
            true_classes: [B] or [B, T], None if their expected counts are not wanted yet.
            unique: draw until num_sampled distinct classes are found, which come in that order.
            generator: its draws are made on its own device and then moved.
            rows: draw that many sets, one for each row: sampled is [rows, num_sampled].
            device: of the candidates; None: where true_classes lie, or the generator, or the CPU.

        Raises:
            ValueError: a true class is outside the range, or there are not num_sampled classes.
        """
        num_sampled = checked_whole(num_sampled, "num_sampled", 1)
        ids = None
        if true_classes is not None:
            ids = checked_ids(true_classes, self.range_max, "true_classes")
        if rows is not None:
            rows = checked_whole(rows, "rows", 0)
            given = rows if ids is None else len(ids) if ids.dim() else 0
            if given != rows:
                wanted = f"candidates are wanted for {rows}"
                raise ValueError(f"true_classes has {given} rows, {wanted}")
        place = place_of(generator, device or ("cpu" if ids is None else ids.device))
        device = device or (place if ids is None else ids.device)
        shape = (num_sampled,) if rows is None else (rows, num_sampled)
        tries: int | Tensor = num_sampled
        if unique:
            sets = 1 if rows is None else rows
            sampled, tried = self.draw_distinct(sets, num_sampled, generator, place)
            tries = int(tried[0]) if rows is None else tried.to(device)
            sampled = moved(sampled.view(shape), device)
        else:
            sampled = moved(self.draw(shape, generator, place), device)
        expected = self.expected_count(sampled, num_sampled, tries)
        if ids is None:
            return Candidates(sampled, None, expected, tries)
        true = self.expected_count(ids, num_sampled, tries)
        self.learn(ids)
        return Candidates(sampled, true, expected, tries)

    def learn(self, true_classes: Tensor) -> None:  # noqa: B027 (a hook; most have nothing to do)
        """What a call of `sample` teaches for the next one."""

    def expected_count(self, ids: Tensor, num_sampled: int, num_tries: int | Tensor) -> Tensor:
        """Returns how often each of `ids` is among num_sampled candidates in the mean, float64.
        num_tries may be [len(ids)]."""
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
        """(the first num_sampled distinct classes drawn [rows, num_sampled], how many draws that
        took [rows])."""
        if num_sampled > (most := self.support()):
            what = f"num_sampled is {num_sampled}, but there are only {most} classes"
            raise ValueError(f"{what} to draw without repeats")
        draws = self.draw((rows, 2 * num_sampled), generator, device)
        if rows == 1:  # a set of Python's is the cheapest for so few
            order = list(dict.fromkeys(row := draws[0].tolist()))
            if len(order) >= num_sampled:
                sampled = torch.tensor(order[:num_sampled], device=device)[None]
                return sampled, torch.tensor([row.index(order[num_sampled - 1]) + 1])
        first, found = _first_occurrences(draws)
        while draws.shape[1] < self.range_max and bool((found[:, -1] < num_sampled).any()):
            draws = torch.cat([draws, self.draw((rows, draws.shape[1]), generator, device)], 1)
            first, found = _first_occurrences(draws)
        tries = (found < num_sampled).sum(1) + 1
        unfinished = (found[:, -1] < num_sampled).nonzero()[:, 0]
        if len(unfinished):
            late = draws.new_zeros(rows, num_sampled)
            for part in unfinished.split(max(1, RACE_CELLS // self.range_max)):  # type: ignore[no-untyped-call]
                missing = num_sampled - found[part, -1]
                late[part, : int(missing.max())], more = self._race(draws[part], missing, generator)
                tries[part] = draws.shape[1] + more
            # rows that were finished before get class 0, behind all they need
            draws = torch.cat([draws, late], 1)
            first, found = _first_occurrences(draws)
        return draws[first & (found <= num_sampled)].view(rows, num_sampled), tries

    def _race(self, draws: Tensor, missing: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        """Goes on where `draws` [rows, R] ended: (the next classes found [rows, max(missing)],
        draws till then [rows]).

        Draws made at the times of a Poisson process with rate 1 are, class by class, independent
        Poisson processes with rate p. So the classes not seen yet are found in the order of their
        first arrivals t ~ Exp(p), and when the last one wanted arrives, at T, all others have been
        drawn Poisson(p T) times (p (T - t) after their first). That is the distribution of going on
        drawing, at the cost of one number per class instead of 1 / p draws for a rare one.
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
    """Returns Poisson numbers, int64, normal ones where the rate is so large that CUDA's 32 bits
    would not hold them."""
    small = torch.poisson(rate.clamp(0, LARGE_RATE), generator=generator)
    normal = torch.empty_like(rate).normal_(generator=generator)
    large = (rate + rate.sqrt() * normal).clamp(max=MOST_TRIES)
    return torch.where(rate < LARGE_RATE, small, large).long()


def _first_occurrences(draws: Tensor) -> tuple[Tensor, Tensor]:
    """[rows, R]: whether this draw is the row's first of its class, and how many of these there
    have been."""
    ordered, index = draws.sort(dim=1, stable=True)
    new = torch.ones_like(draws, dtype=torch.bool)
    torch.ne(ordered[:, 1:], ordered[:, :-1], out=new[:, 1:])
    first = torch.empty_like(new).scatter_(1, index, new)
    return first, first.cumsum(1)


def compute_accidental_hits(true_classes: Tensor, sampled: Tensor) -> tuple[Tensor, Tensor]:
    """Returns where candidates [S] equal true classes [B] or [B, T]: (row of true_classes, position
    in sampled), row by row, int64.

    A candidate that occurs several times is reported at its last position only, a true class that
    occurs twice in a row twice: TensorFlow's answer, whose weights would be -3.4e38 for each.
    """
    num_true = 1 if true_classes.dim() == 1 else true_classes.shape[1]
    labels = true_classes.reshape(-1).contiguous()
    if not len(sampled):
        return labels[:0], labels[:0]
    ordered, index = sampled.sort(stable=True)
    # where all candidates are greater, the first one is looked at, which is another class too
    last = torch.searchsorted(ordered, labels, right=True).sub_(1).clamp_min_(0)
    hit = (ordered.index_select(0, last) == labels).nonzero()[:, 0]
    position = index.index_select(0, last.index_select(0, hit))
    return hit if num_true == 1 else hit // num_true, position
