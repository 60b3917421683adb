"""Which rows of a matrix a batch uses, and sums over them. Sorting none: a table of marks finds the
distinct ones."""

from __future__ import annotations

import torch
from torch import Tensor


def distinct_rows(ids: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """(distinct ids [U], ascending; the place [N] in them of every id); ids [N] in 0 … size - 1."""
    marks = torch.zeros(size, dtype=torch.bool, device=ids.device)
    marks[ids] = True
    distinct = marks.nonzero()[:, 0]
    place = torch.empty(size, dtype=torch.int64, device=ids.device)
    place[distinct] = torch.arange(len(distinct), device=ids.device)
    return distinct, place[ids]


def shared_rows(ids: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """As `distinct_rows`, but each id stands as often as it takes for no place to be shared by more
    than `most`."""
    ordered, order = ids.sort(stable=True)
    numbers = torch.arange(len(ids), device=ids.device)
    # where each one's run of the same ids begins: the first of each has its own number
    first = (numbers * (ordered.diff(prepend=ordered[:1] - 1) != 0)).cummax(0).values
    begins = (numbers - first) % most == 0
    place = torch.empty_like(ids)
    place[order] = begins.cumsum(0) - 1
    return ordered[begins], place


def summed_rows(ids: Tensor, values: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """(distinct ids [U], ascending; the sums [U, …] of their values [N, …]); ids as above."""
    distinct, place = distinct_rows(ids, size)
    sums = values.new_zeros(len(distinct), *values.shape[1:])
    return distinct, sums.index_add_(0, place, values)


def counted_rows(ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(distinct ids [N], ascending, of which only the first count; the place [N] in them of every
    id; how many count []). No value is seen."""
    ordered, order = ids.sort(stable=True)
    number = (ordered.diff(prepend=ordered[:1]) != 0).cumsum(0)
    place = torch.empty_like(ids).scatter_(0, order, number)
    distinct = torch.empty_like(ids).scatter_(0, number, ordered)
    return distinct, place, number[-1:].sum() + min(1, len(ids))
