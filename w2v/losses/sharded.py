"""Output layers whose V rows are dealt out to ranks, a contiguous part each; the first V mod n have
one row more (TensorFlow's `div` partition). Those that score all rows or noise words can be,
hsigmoid and adaptive softmax cannot.

    own = layer.shares(hidden, classes)      # [N, K], what a rank's rows say of all ranks' tokens
    loss = layer.of_shares(found)            # [N], of what all have found [ranks, N, K]

    softmax    total_r = log sum_{j on r} exp z_j [N],    score_r = the target's z, if r has it
               loss = log sum_r exp total_r - sum_r score_r

What travels is the hidden rows and their gradients, 3 N D numbers a step, instead of the gradient
of all rows, 2 V D, or of the used ones. The gradient of its own rows a rank finds by itself.

Behind a rank's rows stands one of zeros with the score -infinity, nearly: the target of those whose
class another rank has.
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
from w2v.losses.math.blocks import Asked, floor_of
from w2v.losses.math.numbers import accumulate_dtype
from w2v.losses.math.products import product_dtype
from w2v.losses.math.score_sums import ScoreSums

if TYPE_CHECKING:
    from w2v.losses.softmax import FullLayer

PIECE_ROWS = 1 << 14  # that travel at a time
STEP = 1024  # rows that are drawn at a time, a multiple of 16: see `Shard.drawn`


class Ranks(Protocol):
    """The processes: see `w2v.training.world`."""

    rank: int
    size: int

    def sum(self, array: Any) -> None: ...

    def gather(self, array: np.ndarray) -> list[np.ndarray]: ...

    def deal(self, parts: Sequence[np.ndarray]) -> list[np.ndarray]: ...


@dataclass(frozen=True)
class Shard:
    """The rows of one rank: low … high - 1 of `classes`."""

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
        """Whether each of them is here."""
        return (classes >= self.low) & (classes < self.high)

    def drawn(self, dim: int, draw: Callable[[Tensor], None]) -> Tensor:
        """Returns this rank's part of rows [V, dim] that `draw` fills with random numbers, and a
        row of zeros: the numbers that it would fill all of them with, which are never held."""
        found = torch.zeros(self.rows + 1, dim)
        # normal numbers come in sixteens, and otherwise where there are fewer
        edges = [*range(0, max(1, self.classes - STEP + 1), STEP), self.classes]
        for start, stop in pairwise(edges):
            piece = torch.empty(stop - start, dim)
            draw(piece)
            low, high = max(start, self.low), min(stop, self.high)
            if low < high:
                found[low - self.low : high - self.low] = piece[low - start : high - start]
        return found

    def on_first(self, own: Tensor) -> np.ndarray:
        """Returns the rows of all ranks on the first, from each one's own [rows, …], and none on
        others. They travel a few at a time into a nameless temporary file, which is mapped, so that
        nobody holds them all. RunError: it cannot be written."""
        size, shape = self.ranks.size, (self.classes, *own.shape[1:])
        each, file, problem = own[:1].nbytes, None, ""
        with ExitStack() as stack:
            for start in range(0, -(-self.classes // size), PIECE_ROWS):
                piece = own[start : start + PIECE_ROWS].reshape(-1).numpy()
                found = self.ranks.deal([piece, *[piece[:0]] * (size - 1)])
                try:
                    for rank, part in enumerate([] if self.ranks.rank or problem else found):
                        file = file or stack.enter_context(TemporaryFile())
                        file.seek((_first(rank, size, self.classes) + start) * each)
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
        """Gives a layer, whatever rows it has, those of this rank alone, with the starting values
        of `start_rows` and then `otherwise`, which are called with some of all rows."""

        def draw(rows: Tensor) -> None:
            layer.start_rows(rows)
            otherwise(rows)

        layer.shard, layer.weight = self, nn.Parameter(self.drawn(layer.dim, draw))
        if layer.bias is not None:
            own = layer.bias.detach()[self.low : self.high]
            behind = own.new_full((1,), floor_of(accumulate_dtype(own)))
            layer.bias = nn.Parameter(torch.cat([own, behind]))


def _first(rank: int, ranks: int, classes: int) -> int:
    """The first class of a rank, or, of the one behind the last, how many there are."""
    each, more = divmod(classes, ranks)
    return rank * each + min(rank, more)


class _OfAll(torch.autograd.Function):
    """The hidden rows of all ranks [N, D] from this one's; the gradient is summed over them."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, ranks: Ranks) -> Tensor:
        ctx.ranks, found = ranks, _gathered(ranks, hidden)
        before = sum(len(part) for part in found[: ranks.rank])
        ctx.own = slice(before, before + len(hidden))
        return torch.cat(found)

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
    """Loss [n] of this rank's hidden [n, D] and target [n]. All ranks must ask at once, and take
    the gradient of the plain sum: it is that of the sum over all ranks."""
    assert layer.shard is not None
    ranks = layer.shard.ranks
    of_all = _OfAll.apply(hidden, ranks)  # type: ignore[no-untyped-call]
    parts = _gathered(ranks, target)
    with torch.autocast(hidden.device.type, enabled=False):
        own = layer.shares(of_all, torch.cat(parts))
        found = _gathered(ranks, own)
        found[ranks.rank] = own  # the values of all, the gradient of what is here
        losses = layer.of_shares(torch.stack(found))
        before = sum(len(part) for part in parts[: ranks.rank])
        found_here = losses[before : before + len(target)]
        others = losses.sum() - found_here.sum()
        first = torch.zeros_like(found_here)
        first[0] = 1.0
        return found_here + first * (others - others.detach())


def sums_here(layer: FullLayer, hidden: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
    """(the log-sum-exp [N] of a rank's scores, the target's score where it has that, else 0)."""
    local, mine, operands = local_part(layer, hidden, classes)
    # no guess: the gradients of the totals are the shares of this rank
    product = product_dtype(accumulate_dtype(hidden))
    asked = Asked(local, None, False, False, layer.others_only, product)
    total, score, _ = ScoreSums.apply(*operands, asked)  # type: ignore[no-untyped-call]
    return total, torch.where(mine, score, 0.0)


def local_part(
    layer: FullLayer, hidden: Tensor, classes: Tensor
) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor, Tensor]]:
    """(the place of each class among a rank's rows, behind them if it has that not; whether it has
    it; what makes the scores)."""
    shard = layer.shard
    assert shard is not None
    mine = shard.has(classes)
    h, weight, bias = layer.operands(hidden)
    if bias is None:
        bias = weight.new_zeros(len(weight))
        bias[-1] = floor_of(accumulate_dtype(bias))
    return torch.where(mine, classes - shard.low, shard.rows), mine, (h, weight, bias)
