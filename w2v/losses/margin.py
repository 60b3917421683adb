"""Softmax losses with a margin: during training the target's score is lowered, which makes the task
harder; the other scores stay as they are.

    loss = log(exp z' + sum_{j != t} exp z_j) - z'
    SmSoftmax  z = h @ w.T + b     z' = z_t - m                      Liang et al. 2017 (soft margin)
    AmSoftmax  z = s cos(h, w)     z' = s (cos(h, w_t) - m)       Wang et al. 2018, arXiv:1801.05599
    LSoftmax   z = h @ w.T         z' = |w_t| |h| (psi + lambda cos) / (1 + lambda),
               psi(angle) = (-1)^k cos(m angle) - 2k for an angle in [k pi/m, (k + 1) pi/m]
                                               Liu et al. 2016, arXiv:1612.02295
Probabilities are the softmax of z, without the margin. The scores [N, V] are never held in memory.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from w2v.losses.base import WeightAndBias
from w2v.losses.math.blocks import floor_of
from w2v.losses.math.cross_entropy import score_sums
from w2v.losses.math.numbers import accumulate_dtype, checked_number, log_add, rows_for
from w2v.losses.options import AmSoftmaxOptions, LSoftmaxOptions, SmSoftmaxOptions
from w2v.losses.sharded import local_part, sums_here
from w2v.losses.softmax import FullLayer, Operands

Move = Callable[[Tensor, Tensor | None, Tensor], Tensor]


def moved_cross_entropy(
    operands: Operands, target: Tensor, row_of: Tensor | None, move: Move
) -> Tensor:
    """Returns the softmax cross-entropy [N] of operands (hidden, weight, bias) in which the
    target's score z_t is replaced by z' = move(z_t, rows, classes).

    Targets that share a hidden row are wrong answers to each other, with unmoved scores.
    `move` is called with the scores [P] of the distinct (hidden row, class) pairs, their rows
    (None: 0 … P - 1) and their classes.
    """
    hidden, weight, _ = operands
    with torch.autocast(hidden.device.type, enabled=False):
        if row_of is None:
            total, score, _ = score_sums(*operands, target, others_only=True)
            return -F.logsigmoid(move(score, None, target) - total)
        pairs, pair_of = (row_of * len(weight) + target).unique(return_inverse=True)  # type: ignore[no-untyped-call]
        rows = torch.div(pairs, len(weight), rounding_mode="floor")
        classes = pairs - rows * len(weight)
        total, score, _ = score_sums(*operands, classes, rows, others_only=True)
        others = log_add(total, other_pairs(score, rows, len(hidden)))
        return -F.logsigmoid(move(score, rows, classes) - others).index_select(0, pair_of)


def other_pairs(score: Tensor, rows: Tensor, num_rows: int) -> Tensor:
    """Returns, for each pair, the log of the sum of exp(score) over the *other* pairs of its row:
    [P]; `floor_of` where there are none.

    Avoids cancellation: the sum without a row's largest score is computed separately, and only
    terms smaller than the largest are subtracted from the full sum.
    """
    floor = floor_of(score.dtype)

    def largest(values: Tensor) -> Tensor:
        most = values.new_full((num_rows,), floor)
        return most.scatter_reduce_(0, rows, values, "amax").index_select(0, rows)

    def sum_of(values: Tensor) -> Tensor:
        return values.new_zeros(num_rows).index_add(0, rows, values).index_select(0, rows)

    fixed = score.detach()
    first = largest(fixed)
    number = torch.arange(len(score), device=score.device)
    candidates = number.masked_fill(fixed != first, len(score))
    leader = number.new_full((num_rows,), len(score))
    leader.scatter_reduce_(0, rows, candidates, "amin")
    leads = leader.index_select(0, rows) == number
    second = largest(fixed.masked_fill(leads, floor))
    alone = second == floor
    share = (score - first).exp()
    above = score.masked_fill(leads, floor) - second.masked_fill(alone, 0)
    without_leader = sum_of(above.exp())
    of_leader = without_leader.masked_fill(alone, 1).log() + second
    of_rest = (sum_of(share) - share).masked_fill(leads, 1).log() + first
    return torch.where(leads, of_leader, of_rest)


def unit_rows(x: Tensor) -> Tensor:
    """Returns x with rows of length 1. A row of zeros has no direction: it stays 0, and so does its
    gradient."""
    length = torch.linalg.vector_norm(x, dim=1, keepdim=True)
    none = ~(length > 0)
    inverse: Tensor = (1 / length.masked_fill(none, 1)).masked_fill(none, 0)
    return x * inverse


def am_operands(hidden: Tensor, weight: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """Returns (h, w) with h @ w.T = scale x cosine, in float32 (float64 inputs stay float64)."""
    dtype = accumulate_dtype(hidden)
    return scale * unit_rows(hidden.to(dtype)), unit_rows(weight.to(dtype))


def am_move(scale: float, margin: float) -> Move:
    """Returns the `move` of AM-softmax for `moved_cross_entropy` of its `am_operands`."""
    lowered = checked_number(scale * margin, "scale * margin", 0)
    return lambda z, *_: z - lowered


def angular_score(score: Tensor, length: Tensor, margin: int, annealing: float) -> Tensor:
    """Returns length x (psi(angle) + annealing cos(angle)) / (1 + annealing) with cos(angle) =
    score / length: the z' of L-softmax.

    length [N] = |w_t| |h|. Where it is 0 the angle is undefined and the score is returned.
    """
    some = length > 0
    cosine = score / length.masked_fill(~some, 1)
    k = torch.zeros_like(cosine)
    for i in range(1, margin):
        k = k + (cosine.detach() <= math.cos(i * math.pi / margin))
    multiple = (  # cos(m angle) as a polynomial in cos(angle)
        cosine,
        2 * cosine**2 - 1,
        4 * cosine**3 - 3 * cosine,
        8 * cosine**4 - 8 * cosine**2 + 1,
    )[margin - 1]
    psi = (1 - 2 * (k % 2)) * multiple - 2 * k
    plain = annealing / (1 + annealing)  # a share, because annealing * score may overflow
    return torch.where(some, length * psi / (1 + annealing) + plain * score, score)


def l_operands(hidden: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Returns (hidden, weight) in float32 (float64 inputs stay float64), so that the gradients by
    scores and by lengths are added before they are rounded."""
    dtype = accumulate_dtype(hidden)
    return hidden.to(dtype), weight.to(dtype)


def l_move(hidden: Tensor, weight: Tensor, margin: int, annealing: float) -> Move:
    """Returns the `move` of L-softmax for `moved_cross_entropy` of these `l_operands`."""

    def move(score: Tensor, rows: Tensor | None, classes: Tensor) -> Tensor:
        h = torch.linalg.vector_norm(hidden, dim=1)
        w = torch.linalg.vector_norm(weight.index_select(0, classes), dim=1)
        return angular_score(score, rows_for(h, rows) * w, margin, annealing)

    return move


class MarginLayer(FullLayer):
    """Base of layers that move the target's score in training; subclasses implement `_move`."""

    others_only = True

    def of_sums(self, total: Tensor, score: Tensor, *more: Tensor) -> Tensor:
        moved = self._move(score, score)(score, None, score)  # these moves ignore h and w
        return -F.logsigmoid(moved - total)

    def _loss(self, hidden: Tensor, target: Tensor, row_of: Tensor | None) -> Tensor:
        with torch.autocast(hidden.device.type, enabled=False):
            operands = self.operands(hidden)
        return moved_cross_entropy(operands, target, row_of, self._move(*operands[:2]))

    @abstractmethod
    def _move(self, hidden: Tensor, weight: Tensor) -> Move:
        """Returns the function that moves the target's score."""


class SmSoftmax(MarginLayer):
    """Soft margin: z_target - sm_margin while training."""

    takes = SmSoftmaxOptions
    options: SmSoftmaxOptions

    def _move(self, hidden: Tensor, weight: Tensor) -> Move:
        return lambda z, *_: z - self.options.sm_margin


class DirectedLayer(MarginLayer):
    """Base of margin layers without a bias. Their own output rows start as random directions of
    length about 1, because rows of zeros have no angle. Shared rows should not be 0 either."""

    def make_rows(self, rows: int, weight: Tensor | None, bias: Tensor | bool) -> WeightAndBias:
        if bias is not False:
            raise ValueError(f"{type(self).__name__} scores angles and takes no bias")
        return super().make_rows(rows, weight, False)

    def start_rows(self, weight: Tensor) -> None:
        nn.init.normal_(weight, std=1 / math.sqrt(self.dim))


class AmSoftmax(DirectedLayer):
    """Additive margin: scale x cosine, the target's cosine lowered by am_margin while training."""

    takes = AmSoftmaxOptions
    options: AmSoftmaxOptions

    def operands(self, hidden: Tensor) -> Operands:
        """Returns (scale x unit rows of hidden, unit rows of weight, None)."""
        return *am_operands(hidden, self.weight, self.options.scale), None

    def _move(self, hidden: Tensor, weight: Tensor) -> Move:
        return am_move(self.options.scale, self.options.am_margin)


class LSoftmax(DirectedLayer):
    """Large margin: the target's angle is multiplied by angular_margin (1 … 4) while training."""

    takes = LSoftmaxOptions
    options: LSoftmaxOptions

    def operands(self, hidden: Tensor) -> Operands:
        return *l_operands(hidden, self.weight), None

    def _move(self, hidden: Tensor, weight: Tensor) -> Move:
        return l_move(hidden, weight, self.options.angular_margin, self.options.annealing)

    def shares(self, hidden: Tensor, classes: Tensor) -> Tensor:
        """Returns the sums of `sums_here` and |h| |w_t| where this rank has the target, [N, 3]."""
        assert self.shard is not None
        local, mine, (h, weight, _) = local_part(self, hidden, classes)
        total, score = sums_here(self, hidden, classes)
        rows = weight.index_select(0, local)
        lengths = [torch.linalg.vector_norm(x, dim=1) for x in (h, rows)]
        length = torch.where(mine, lengths[0] * lengths[1], 0.0)
        return torch.stack([total, score, length], 1)

    def of_sums(self, total: Tensor, score: Tensor, *more: Tensor) -> Tensor:
        options, (length,) = self.options, more
        moved = angular_score(score, length, options.angular_margin, options.annealing)
        return -F.logsigmoid(moved - total)
