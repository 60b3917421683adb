"""Finds the rows of a matrix that a batch uses, and sums over them. Mostly without sorting: a table
of marks finds the distinct rows."""

from __future__ import annotations

import torch
from torch import Tensor


def distinct_rows(ids: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Returns (distinct ids [U], ascending; position in them of each id [N] in 0 … size - 1)."""
    marks = torch.zeros(size, dtype=torch.bool, device=ids.device)
    marks[ids] = True
    distinct = marks.nonzero()[:, 0]
    index = torch.empty(size, dtype=torch.int64, device=ids.device)
    index[distinct] = torch.arange(len(distinct), device=ids.device)
    return distinct, index[ids]


def shared_rows(ids: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """As `distinct_rows`, but an id is repeated so often that no position is shared by more than
    `most` of the ids."""
    ordered, order = ids.sort(stable=True)
    numbers = torch.arange(len(ids), device=ids.device)
    # the index at which each run of equal ids begins
    first = (numbers * (ordered.diff(prepend=ordered[:1] - 1) != 0)).cummax(0).values
    begins = (numbers - first) % most == 0
    index = torch.empty_like(ids)
    index[order] = begins.cumsum(0) - 1
    return ordered[begins], index


def summed_rows(ids: Tensor, values: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Returns (distinct ids [U], ascending; the sums [U, …] of their values [N, …])."""
    distinct, index = distinct_rows(ids, size)
    sums = values.new_zeros(len(distinct), *values.shape[1:])
    return distinct, sums.index_add_(0, index, values)


def counted_rows(ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Returns (ids [N], of which the first `count` are the distinct ones, ascending; the position
    in them of each id [N]; `count` []). Does not wait for a GPU."""
    ordered, order = ids.sort(stable=True)
    number = (ordered.diff(prepend=ordered[:1]) != 0).cumsum(0)
    index = torch.empty_like(ids).scatter_(0, order, number)
    distinct = torch.empty_like(ids).scatter_(0, number, ordered)
    return distinct, index, number[-1:].sum() + min(1, len(ids))
