"""The scores z [U, V] of a batch, cut into blocks of which only a few are in memory at a time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from w2v.losses.math.numbers import accumulate_dtype, row_numbers


class Constants(NamedTuple):
    """The inputs that are not differentiated, most of them explained in `cross_entropy.score_sums`.
    ahead: whether to compute the gradients of the log-sum-exp in the forward pass already. product:
    the dtype of matrix products. summed: whether the incoming gradients of the loss are all 1.
    frugal: whether blocks are a quarter as large on a CPU, which costs up to a tenth of the speed.
    """

    target: Tensor
    row_of: Tensor | None
    ahead: bool = False
    with_mean: bool = False
    others_only: bool = False
    product: torch.dtype = torch.float32
    summed: bool = False
    frugal: bool = False


def floor_of(dtype: torch.dtype) -> float:
    """Returns a finite stand-in for log 0, which avoids arithmetic with infinities."""
    return torch.finfo(dtype).min / 4


def spans_of(length: int, size: int) -> list[tuple[int, int]]:
    """Returns 0 … length cut into the fewest parts of nearly equal length of at most `size`."""
    parts = -(-length // max(size, 1))
    edges = [length * part // max(parts, 1) for part in range(parts + 1)]
    return list(pairwise(edges))


@dataclass
class Grid:
    """The scores [U, V] cut into blocks, and the targets within each block."""

    rows: list[tuple[int, int]]
    classes: list[tuple[int, int]]
    row: Tensor  # [N] hidden row of every target
    target: Tensor
    # target numbers grouped by block, blocks in row-major order; None: in their given order
    order: Tensor | None
    starts: list[int]  # where each block's targets begin in `order`, then the end

    @classmethod
    def cut(
        cls, shape: tuple[int, int], size: tuple[int, int], constants: Constants, row: Tensor
    ) -> Grid:
        rows, classes = spans_of(shape[0], size[0]), spans_of(shape[1], size[1])
        if len(classes) == 1 and (constants.row_of is None or len(rows) == 1):  # needs no values
            ends = [end for _, end in rows] if constants.row_of is None else [len(row)]
            return cls(rows, classes, row, constants.target, None, [0, *ends])
        block = _span_numbers(row, rows) * len(classes) + _span_numbers(constants.target, classes)
        ends = torch.bincount(block, minlength=len(rows) * len(classes)).cumsum(0).tolist()
        return cls(rows, classes, row, constants.target, torch.argsort(block), [0, *ends])

    def targets(self, i: int, j: int) -> tuple[slice | Tensor, Tensor, Tensor]:
        """Returns the targets of block (i, j): their numbers, and their rows and classes relative
        to the block's corner."""
        block = i * len(self.classes) + j
        members: slice | Tensor = slice(self.starts[block], self.starts[block + 1])
        if self.order is not None:
            members = self.order[members]
        corner_row, corner_class = self.rows[i][0], self.classes[j][0]
        return members, self.row[members] - corner_row, self.target[members] - corner_class


def _span_numbers(index: Tensor, spans: list[tuple[int, int]]) -> Tensor:
    ends = torch.tensor([end for _, end in spans], dtype=torch.int64, device=index.device)
    return torch.searchsorted(ends, index, right=True)


@dataclass
class Problem:
    """The inputs of a loss, converted part by part to the dtype of the matrix products."""

    hidden: Tensor
    weight: Tensor
    bias: Tensor | None
    constants: Constants

    def __post_init__(self) -> None:
        self.dtype = accumulate_dtype(self.hidden)  # of sums and gradients
        self.target, self.row_of = self.constants.target, self.constants.row_of
        self.product = self.constants.product

    def grid(self, size: tuple[int, int]) -> Grid:
        row = row_numbers(self.hidden, self.row_of)
        return Grid.cut((len(self.hidden), len(self.weight)), size, self.constants, row)

    def hidden_part(self, rows: tuple[int, int]) -> Tensor:
        return self.hidden[rows[0] : rows[1]].to(self.product).contiguous()

    @cached_property
    def narrow(self) -> Tensor:
        """The weight in a smaller dtype, kept because every part of it is needed twice."""
        return self.weight.to(self.product)

    def weight_part(self, classes: tuple[int, int]) -> Tensor:
        if self.product.itemsize < self.weight.dtype.itemsize:
            return self.narrow[classes[0] : classes[1]].contiguous()
        return self.weight[classes[0] : classes[1]].to(self.product).contiguous()

    def bias_part(self, classes: tuple[int, int]) -> Tensor | None:
        return None if self.bias is None else self.bias[classes[0] : classes[1]].to(self.product)

    def per_row(self, values: Tensor) -> Tensor:
        """Returns the sums of values [N] over the targets of each hidden row, [U]."""
        if self.row_of is None:
            return values
        return values.new_zeros(len(self.hidden)).index_add_(0, self.row_of, values)
