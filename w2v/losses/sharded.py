"""Output layers over all V classes whose rows are dealt out to ranks, a contiguous part each: the
first V mod n ranks have one row more (TensorFlow's `div` partition).

    every rank scores the hidden rows of all ranks [N] against its own rows:
        total_r = log sum_{j on r} exp z_j [N],    score_r = the target's z, where it is on r
    total = log sum_r exp total_r,                 score = sum_r score_r

What travels is the hidden rows and their gradients, 3 N D numbers a step, instead of the gradient
of all rows, 2 V D. The gradient of its own rows a rank finds by itself.

Behind a rank's rows stands one of zeros with the score -infinity, nearly: the target of those whose
class another rank has.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from w2v.losses.math.blocks import Asked, floor_of
from w2v.losses.math.numbers import accumulate_dtype
from w2v.losses.math.products import product_dtype
from w2v.losses.math.score_sums import ScoreSums

if TYPE_CHECKING:
    from w2v.losses.softmax import FullLayer

# what a loss is of total, score and mean [N]
OfSums = Callable[[Tensor, Tensor, Tensor], Tensor]


class Ranks(Protocol):
    """The processes: see `w2v.training.world`."""

    rank: int
    size: int

    def sum(self, array: Any) -> None: ...

    def gather(self, array: np.ndarray) -> list[np.ndarray]: ...


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
        each, more = divmod(classes, ranks.size)
        low = ranks.rank * each + min(ranks.rank, more)
        return cls(ranks, low, low + each + (ranks.rank < more), classes)

    def part(self, rows: Tensor, behind: float) -> Tensor:
        """Returns a copy of this rank's part of `rows` [V, …], and one row more."""
        own = rows[self.low : self.high]
        return torch.cat([own, torch.full_like(rows[:1], behind)])

    def deal(self, layer: FullLayer) -> None:
        """Leaves a layer its own rows alone."""
        with torch.no_grad():
            layer.weight = nn.Parameter(self.part(layer.weight, 0.0))
            if layer.bias is not None:
                floor = floor_of(accumulate_dtype(layer.bias))
                layer.bias = nn.Parameter(self.part(layer.bias, floor))
        layer.shard = self


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


def sharded_loss(layer: FullLayer, hidden: Tensor, target: Tensor, of_sums: OfSums) -> Tensor:
    """Loss [n] of this rank's hidden [n, D] and target [n]. All ranks must ask at once, and take
    the gradient of the plain sum: it is that of the sum over all ranks."""
    shard = layer.shard
    assert shard is not None
    ranks, rows = shard.ranks, shard.high - shard.low
    of_all = _OfAll.apply(hidden, ranks)  # type: ignore[no-untyped-call]
    parts = _gathered(ranks, target)
    classes = torch.cat(parts)
    mine = (classes >= shard.low) & (classes < shard.high)
    local = torch.where(mine, classes - shard.low, rows)
    with torch.autocast(hidden.device.type, enabled=False):
        h, weight, bias = layer.operands(of_all)
        if bias is None:
            bias = weight.new_zeros(rows + 1)
            bias[rows] = floor_of(accumulate_dtype(bias))
        # no guess: the gradients of the totals are the shares of this rank
        product = product_dtype(accumulate_dtype(h))
        asked = Asked(local, None, False, False, layer.others_only, product)
        total, score, _ = ScoreSums.apply(h, weight, bias, asked)  # type: ignore[no-untyped-call]
        score = torch.where(mine, score, 0.0)
        mean = torch.zeros_like(total)
        if layer.with_mean:
            mean = h.to(total.dtype) @ weight[:rows].sum(0, dtype=total.dtype) + bias[:rows].sum()
        own = torch.stack([total, score, mean / shard.classes], 1)
        found = torch.stack(_gathered(ranks, own))  # [ranks, N, 3]
        lse = found[:, :, 0].logsumexp(0)
        share = (own[:, 0].detach() - lse).exp()
        values = torch.stack([lse, found[:, :, 1].sum(0), found[:, :, 2].sum(0)], 1)
        # the values of all, the gradient of what is here
        of_here = torch.stack([share * own[:, 0], own[:, 1], own[:, 2]], 1)
        losses = of_sums(*(values + (of_here - of_here.detach())).unbind(1))
        before = sum(len(part) for part in parts[: ranks.rank])
        found_here = losses[before : before + len(target)]
        others = losses.sum() - found_here.sum()
        first = torch.zeros_like(found_here)
        first[0] = 1.0
        return found_here + first * (others - others.detach())
