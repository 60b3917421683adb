"""Output layers whose V rows are sharded over ranks, a contiguous part each; the first V mod n
ranks have one row more (TensorFlow's `div` partition). Layers that score all rows or noise words
can be sharded, hsigmoid and adaptive softmax cannot.

    own = layer.shares(hidden, classes)      # [N, K], from one rank's rows for all ranks' tokens
    loss = layer.of_shares(shares)           # [N], from the results of all ranks [ranks, N, K]

    softmax    total_r = log sum_{j on r} exp z_j [N],    score_r = the target's z, if r has it
               loss = log sum_r exp total_r - sum_r score_r

Ranks exchange hidden rows and their gradients, 3 N D numbers per step, instead of the gradients of
all rows, 2 V D, or of the used ones. Each rank computes the gradient of its own rows itself.

A rank's rows are followed by a row of zeros with a score of almost -infinity, which stands for the
targets whose class is on another rank.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from w2v.errors import RunError
from w2v.losses.math.blocks import Constants, floor_of
from w2v.losses.math.numbers import accumulate_dtype
from w2v.losses.math.products import product_dtype
from w2v.losses.math.score_sums import ScoreSums

if TYPE_CHECKING:
    from w2v.losses.softmax import FullLayer

PIECE_ROWS = 1 << 14  # that travel at a time
STEP = 1024  # rows that are drawn at a time, a multiple of 16: see `Shard.drawn`


class Ranks(Protocol):
    """The ranks, as in `w2v.training.world`."""

    rank: int
    size: int

    def sum(self, array: Any) -> None: ...

    def gather(self, array: np.ndarray) -> list[np.ndarray]: ...

    def deal(self, parts: Sequence[np.ndarray]) -> list[np.ndarray]: ...


@dataclass(frozen=True)
class Shard:
    """One rank's rows: low … high - 1 of `classes`."""

    ranks: Ranks
    low: int
    high: int
    classes: int

    @classmethod
    def of(cls, ranks: Ranks, classes: int) -> Shard:
        """Returns this rank's part of so many classes."""
        low, high = (_first(rank, ranks.size, classes) for rank in (ranks.rank, ranks.rank + 1))
        return cls(ranks, low, high, classes)

    @property
    def rows(self) -> int:
        return self.high - self.low

    def has(self, classes: Tensor) -> Tensor:
        """Returns whether each class is on this rank."""
        return (classes >= self.low) & (classes < self.high)

    def drawn(self, dim: int, draw: Callable[[Tensor], None]) -> Tensor:
        """Returns this rank's part of rows [V, dim] that `draw` fills with random numbers, and a
        row of zeros. The numbers are those of a single draw for all rows, which are never held."""
        rows = torch.zeros(self.rows + 1, dim)
        # normal numbers come in sixteens, and otherwise where there are fewer
        edges = [*range(0, max(1, self.classes - STEP + 1), STEP), self.classes]
        for start, stop in pairwise(edges):
            piece = torch.empty(stop - start, dim)
            draw(piece)
            low, high = max(start, self.low), min(stop, self.high)
            if low < high:
                rows[low - self.low : high - self.low] = piece[low - start : high - start]
        return rows

    def on_first(self, own: Tensor) -> np.ndarray:
        """Returns on rank 0 the rows of all ranks, from each rank's `own` [rows, …], elsewhere no
        rows. They are sent a few at a time to a nameless memory-mapped temporary file, so that no
        rank holds them all. Raises RunError if it cannot be written."""
        size, shape = self.ranks.size, (self.classes, *own.shape[1:])
        row_bytes, file, problem = own[:1].nbytes, None, ""
        with ExitStack() as stack:
            for start in range(0, -(-self.classes // size), PIECE_ROWS):
                piece = own[start : start + PIECE_ROWS].reshape(-1).numpy()
                pieces = self.ranks.deal([piece, *[piece[:0]] * (size - 1)])
                try:
                    for rank, part in enumerate([] if self.ranks.rank or problem else pieces):
                        file = file or stack.enter_context(TemporaryFile())
                        file.seek((_first(rank, size, self.classes) + start) * row_bytes)
                        file.write(part.data)
                except OSError as error:
                    problem = f"cannot write the output rows to a temporary file: {error.strerror}"
            if problem:
                raise RunError(f"{problem}; make room, or point TMPDIR elsewhere")
            if file is None:
                return np.empty((0, *shape[1:]), piece.dtype)
            file.flush()
            return np.memmap(file, piece.dtype, "r+", shape=shape)

    def deal(self, layer: FullLayer, otherwise: Callable[[Tensor], None]) -> None:
        """Replaces the rows of a layer by this rank's rows, with the starting values of
        `start_rows` and then `otherwise`, which are called with parts of all rows."""

        def draw(rows: Tensor) -> None:
            layer.start_rows(rows)
            otherwise(rows)

        layer.shard, layer.weight = self, nn.Parameter(self.drawn(layer.dim, draw))
        if layer.bias is not None:
            bias = layer.bias.detach()[self.low : self.high]
            behind = bias.new_full((1,), floor_of(accumulate_dtype(bias)))
            layer.bias = nn.Parameter(torch.cat([bias, behind]))


def _first(rank: int, ranks: int, classes: int) -> int:
    """Returns the first class of a rank; for rank = ranks, the number of classes."""
    least, larger = divmod(classes, ranks)
    return rank * least + min(rank, larger)


class _OfAll(torch.autograd.Function):
    """Gathers the hidden rows of all ranks [N, D]; sums their gradients over the ranks."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, ranks: Ranks) -> Tensor:
        ctx.ranks, gathered = ranks, _gathered(ranks, hidden)
        offset = sum(len(part) for part in gathered[: ranks.rank])
        ctx.own = slice(offset, offset + len(hidden))
        return torch.cat(gathered)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        gradient = gradient.contiguous()
        ctx.ranks.sum(gradient)
        return gradient[ctx.own], None


def _gathered(ranks: Ranks, rows: Tensor) -> list[Tensor]:
    flat = rows.detach().cpu().contiguous().view(-1).numpy()
    parts = (torch.from_numpy(part).to(rows.device) for part in ranks.gather(flat))
    return [part.view(-1, *rows.shape[1:]) for part in parts]


def sharded_loss(layer: FullLayer, hidden: Tensor, target: Tensor) -> Tensor:
    """Returns the loss [n] of this rank's hidden [n, D] and target [n]. All ranks must call it and
    differentiate the plain sum; the gradient is that of the sum over all ranks."""
    assert layer.shard is not None
    ranks = layer.shard.ranks
    of_all = _OfAll.apply(hidden, ranks)  # type: ignore[no-untyped-call]
    parts = _gathered(ranks, target)
    with torch.autocast(hidden.device.type, enabled=False):
        shares = layer.shares(of_all, torch.cat(parts))
        of_ranks = _gathered(ranks, shares)
        of_ranks[ranks.rank] = shares  # all values, with the gradient of this rank's
        losses = layer.of_shares(torch.stack(of_ranks))
        offset = sum(len(part) for part in parts[: ranks.rank])
        losses_here = losses[offset : offset + len(target)]
        others = losses.sum() - losses_here.sum()
        first = torch.zeros_like(losses_here)
        first[0] = 1.0
        return losses_here + first * (others - others.detach())


def sums_here(layer: FullLayer, hidden: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
    """Returns (log-sum-exp [N] of this rank's scores, target's score or 0 if not on this rank)."""
    local, mine, operands = local_part(layer, hidden, classes)
    # not ahead: the gradients of the totals are the shares of this rank
    product = product_dtype(accumulate_dtype(hidden))
    only = layer.others_only
    constants = Constants(local, None, others_only=only, product=product, frugal=True)
    total, score, _ = ScoreSums.apply(*operands, constants)  # type: ignore[no-untyped-call]
    return total, torch.where(mine, score, 0.0)


def local_part(
    layer: FullLayer, hidden: Tensor, classes: Tensor
) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor, Tensor]]:
    """Returns (index of each class among this rank's rows, or of the row after them; whether it is
    on this rank; hidden rows, weight and bias for the scores)."""
    shard = layer.shard
    assert shard is not None
    mine = shard.has(classes)
    h, weight, bias = layer.operands(hidden)
    if bias is None:
        bias = weight.new_zeros(len(weight))
        bias[-1] = floor_of(accumulate_dtype(bias))
    return torch.where(mine, classes - shard.low, shard.rows), mine, (h, weight, bias)
