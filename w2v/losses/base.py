"""What every output layer is: which output rows are scored for a target x a link function on those
scores.

    layer = Softmax(dim, counts, options)
    loss = layer(hidden, target)                   # [N] nats, one per target, no reduction
    loss.mean().backward()

Shapes: hidden [U, D], target [N] or [N, T], loss [N]. `row_of` [N] lets N targets share U distinct
hidden rows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

NLL_ROWS = 256  # hidden rows whose scores over all V are held at a time


@dataclass
class Scores:
    """What `score` found out about U hidden rows, for `link` to finish once the targets are known.

    logits: [U, R] of the rows that all targets share (all V, the noise words, the head); None if
    there are none, or if the loss never holds them at once. extra: the loss's own (the drawn
    samples, say).
    """

    hidden: Tensor
    logits: Tensor | None = None
    extra: Any = None


class OutputLayer(nn.Module, ABC):
    """Base class. `weight` [rows, D] and `bias` [rows] or None are owned, or passed in and shared
    (tying).

    Rows of its own start at 0, as in word2vec.c, unless a layer says otherwise.

    Args:
        dim: D, length of a hidden row.
        counts: how often each class occurs, [V]; gives V, the noise distribution, the tree, the
            default cutoffs.
        options: the loss's dataclass from `w2v.losses.options`.
        weight: share this [rows, D] tensor instead of making one.
        bias: True makes one (zeros), False has none, a tensor [rows] is shared.
        ignore_index: targets of this value have loss 0 and no gradient; None: there is no such
            value.

    Raises:
        ValueError: dim or counts cannot be used, or a shared tensor has another shape.
    """

    exact: (
        bool  # whether the training loss is -log P(target | hidden) of the layer's own distribution
    )
    weight: Tensor
    bias: Tensor | None
    counts: Tensor

    def __init__(
        self,
        dim: int,
        counts: Tensor | Sequence[int],
        options: Any,
        *,
        weight: Tensor | None = None,
        bias: Tensor | bool = False,
        ignore_index: int | None = None,
    ) -> None:
        super().__init__()
        counts = torch.as_tensor(counts)
        if dim < 1:
            raise ValueError(f"dim is {dim}, it must be 1 or more")
        if counts.dim() != 1 or len(counts) < 2:
            raise ValueError(
                f"counts has shape {list(counts.shape)}, it must be [V] with V of 2 or more"
            )
        if bool((counts < 0).any()):
            raise ValueError(f"counts holds {counts.min().item()}, it must not be negative")
        self.dim, self.num_classes, self.options, self.ignore_index = (
            dim,
            len(counts),
            options,
            ignore_index,
        )
        self.register_buffer("counts", counts, persistent=False)
        self.weight, self.bias = self.make_rows(self.rows(), weight, bias)

    def rows(self) -> int:
        """How many output rows there are: V, unless the layer has others (inner nodes)."""
        return self.num_classes

    def make_rows(
        self, rows: int, weight: Tensor | None, bias: Tensor | bool
    ) -> tuple[nn.Parameter | Tensor, nn.Parameter | Tensor | None]:
        """Weight [rows, D] and bias [rows] or None: the given ones, else new zeros."""
        if weight is None:
            weight = nn.Parameter(torch.zeros(rows, self.dim))
        elif tuple(weight.shape) != (rows, self.dim):
            raise ValueError(
                f"weight has shape {list(weight.shape)}, this layer needs [{rows}, {self.dim}]"
            )
        if bias is True:
            return weight, nn.Parameter(torch.zeros(rows))
        if bias is False:
            return weight, None
        if tuple(bias.shape) != (rows,):
            raise ValueError(f"bias has shape {list(bias.shape)}, this layer needs [{rows}]")
        return weight, bias

    def unigram_bias(self) -> Tensor | None:
        """The bias with which a hidden row of zeros gives every class its share of the counts, a
        good one to start from; None: such a layer starts from 0 as its reference does."""
        return None

    @torch.no_grad()
    def start_as_unigram(self) -> None:
        """Sets the biases, if there are any, so that a hidden row of zeros gives each class its
        share of counts."""
        if self.bias is not None and (bias := self.unigram_bias()) is not None:
            self.bias.copy_(bias)

    def log_shares(self) -> Tensor:
        """log of the counts' shares [V]; a class that never occurred counts half."""
        counts = self.counts.double().clamp_min(0.5)
        return (counts / counts.sum()).log()

    @abstractmethod
    def score(self, hidden: Tensor, samples: Any = None) -> Scores:
        """Scores what does not depend on the targets. samples: noise words to use instead of
        drawing some."""

    @abstractmethod
    def link(self, scores: Scores, target: Tensor, row_of: Tensor | None = None) -> Tensor:
        """Loss [N] in nats of the targets [N] (or [N, T] where the loss has several per row)."""

    def forward(self, hidden: Tensor, target: Tensor, row_of: Tensor | None = None) -> Tensor:
        """Loss [N] in nats, no reduction: hidden [U, D], target [N], row_of [N] (None: hidden row n
        has target n)."""
        return self.link(self.score(hidden), target, row_of)

    @abstractmethod
    def log_prob(self, hidden: Tensor) -> Tensor:
        """log P(class | hidden) [N, V]; every row's exp sums to 1."""

    def nll(self, hidden: Tensor, target: Tensor) -> Tensor:
        """-log P(target | hidden) [N], what perplexity is computed from: a few hundred rows of [V]
        at a time.

        Differentiable; a layer that can do it without keeping those rows for the backward pass
        does.
        """
        target, valid = self.checked(target)
        parts = [
            -self.log_prob(rows).gather(1, ids[:, None])[:, 0]
            for rows, ids in zip(hidden.split(NLL_ROWS), target.split(NLL_ROWS), strict=True)
        ]
        loss = torch.cat(parts) if parts else hidden.new_zeros(0)
        return loss if valid is None else torch.where(valid, loss, 0)

    @torch.no_grad()
    def predict(self, hidden: Tensor, k: int = 1) -> tuple[Tensor, Tensor]:
        """The k most probable classes: (ids [N, k], log-probabilities [N, k]), best first."""
        k = min(k, self.num_classes)
        tops = [self.log_prob(rows).topk(k, dim=1) for rows in hidden.split(NLL_ROWS)]
        if not tops:
            empty = hidden.new_zeros(0, k)
            return empty.long(), empty
        return torch.cat([top.indices for top in tops]), torch.cat([top.values for top in tops])

    @torch.no_grad()
    def sample(
        self, hidden: Tensor, generator: torch.Generator | None = None, temperature: float = 1.0
    ) -> Tensor:
        """One class [N] per row of hidden [N, D], drawn from P(class | hidden)^(1 / temperature),
        normalised.

        Layers that decide step by step (hsigmoid, adaptive softmax) draw each decision from its own
        probabilities to that power, so that they need not score all classes: at temperature 1 the
        same distribution, else another.

        Args:
            generator: gives the random numbers; it need not be on the device of hidden.
            temperature: above 0.
        """
        parts = [
            draw(self.log_prob(rows), generator, temperature) for rows in hidden.split(NLL_ROWS)
        ]
        return torch.cat(parts) if parts else hidden.new_zeros(0, dtype=torch.int64)

    def checked(self, target: Tensor) -> tuple[Tensor, Tensor | None]:
        """(target with ignored entries replaced by class 0, mask of those that count or None).

        [N, 1] becomes [N].

        Raises:
            ValueError: a class is outside 0 … V - 1.
        """
        if target.dim() == 2 and target.shape[1] == 1:
            target = target[:, 0]
        return checked_classes(target, self.num_classes, self.ignore_index)


def draw(
    log_prob: Tensor, generator: torch.Generator | None = None, temperature: float = 1.0
) -> Tensor:
    """One column [N] per row of log_prob [N, C], drawn from the softmax of log_prob / temperature.

    By the inverse of the cumulated probabilities in float64: one random number per row, and the
    same one on all devices. A column of log-probability -inf is never drawn.

    Raises:
        ValueError: the temperature is not above 0.
    """
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}, it must be above 0")
    cumulated = (log_prob.double() / temperature).softmax(1).cumsum(1)
    # scaled by the last sum, which is 1 but for rounding, and kept below it
    u = uniform(len(log_prob), generator, log_prob.device)[:, None] * cumulated[:, -1:]
    u = torch.minimum(u, torch.nextafter(cumulated[:, -1:], torch.zeros_like(u)))
    return torch.searchsorted(cumulated, u, right=True)[:, 0]


def uniform(n: int, generator: torch.Generator | None, device: torch.device) -> Tensor:
    """n random numbers in [0, 1), float64, on the device; drawn where the generator lives."""
    place = generator.device if generator is not None else torch.device("cpu")
    return torch.rand(n, generator=generator, dtype=torch.float64, device=place).to(device)


def checked_classes(
    target: Tensor, num_classes: int, ignore_index: int | None = None
) -> tuple[Tensor, Tensor | None]:
    """(target with ignored entries replaced by class 0, mask of those that count; None when there
    is no such value).

    Raises:
        ValueError: a class is outside 0 … num_classes - 1; the sentence names the smallest and the
            largest.
    """
    if target.is_floating_point() or target.dtype == torch.bool:
        raise ValueError(f"targets are {target.dtype}, they must be integers")
    valid = None if ignore_index is None else target != ignore_index
    kept = target if valid is None else torch.where(valid, target, 0)
    if kept.numel():
        low, high = (int(bound) for bound in kept.aminmax())
        if low < 0 or high >= num_classes:
            raise ValueError(
                f"targets range from {low} to {high}, they must lie in 0 to {num_classes - 1}"
            )
    return kept, valid


def rows_for(hidden: Tensor, row_of: Tensor | None) -> Tensor:
    """The hidden row of every target, [N, D]."""
    return hidden if row_of is None else hidden.index_select(0, row_of)


def accumulate_dtype(tensor: Tensor) -> torch.dtype:
    """float64 stays, everything else (float16, bfloat16 too) is accumulated in float32."""
    return torch.float64 if tensor.dtype == torch.float64 else torch.float32
