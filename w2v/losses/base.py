"""Base class of the output layers. A layer consists of the output rows that are scored for a target
and a link function on those scores.

    layer = Softmax(dim, counts)
    loss = layer(hidden, target)                  # nats, one per target, no reduction
    loss.mean().backward()

Shapes: hidden [..., D], target [...], loss [...]. With `row_of` [N], N targets share U distinct
hidden rows: hidden [U, D], target [N], loss [N].
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, TypedDict

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from w2v.losses.checks import check_new, check_shared, checked_counts
from w2v.losses.math.numbers import (
    LARGEST,
    accumulate_dtype,
    check_tensors,
    checked_classes,
    checked_integers,
    checked_number,
    eager,
)
from w2v.losses.options import LossOptions
from w2v.sampling.checks import check_kind, checked_whole
from w2v.settings.declare import settings_of

Counts = Tensor | Sequence[int]
Generator = torch.Generator | None
WeightAndBias = tuple[Tensor, Tensor | None]  # parameters or shared tensors
NLL_ROWS = 256  # number of hidden rows whose scores over all V are in memory at a time


class RowArguments(TypedDict, total=False):
    """The keyword arguments about output rows that every layer takes; see `OutputLayer`."""

    weight: Tensor | None
    bias: Tensor | bool
    device: torch.device | str | None
    dtype: torch.dtype | None


class OutputLayer(nn.Module, ABC):
    """Base class of output layers. `weight` [rows, D] and `bias` [rows] or None are the layer's
    own, or are passed in and shared (weight tying).

    A layer's own rows start at 0, as in word2vec.c, unless the layer says otherwise. This class
    checks arguments; subclasses implement `_loss` and `_log_prob` for rows [U, D] and override
    `_nll`, `_predict` and `_sample` where they are faster. torch.compile leaves all these eager.

    Args:
        dim: D, the length of a hidden row.
        counts: occurrences of each class, [V]; they determine V, the noise distribution, the tree
            and the default cutoffs.
        options: the loss's dataclass from `w2v.losses.options`; None: the defaults.
        weight: a tensor [rows, D] to share instead of creating one.
        bias: True creates one (zeros), False means none, a tensor [rows] is shared.
        device, dtype: of the rows created here; None: PyTorch's defaults.

    Raises ValueError for arguments that cannot be used.
    """

    takes: ClassVar[type[LossOptions]]  # the class of `options`
    options: Any
    weight: Tensor
    bias: Tensor | None
    sparse = False  # whether gradients of the rows are sparse tensors of the rows used

    def __init_subclass__(cls, **more: Any) -> None:
        """Sets the signature that torch.nn.utils.skip_init and help() read, with base arguments."""
        super().__init_subclass__(**more)
        parameters: dict[str, inspect.Parameter] = {}
        for kind in cls.__mro__:
            if "__init__" in kind.__dict__ and issubclass(kind, OutputLayer):
                parameters = {**inspect.signature(kind.__init__).parameters, **parameters}
        parameters.pop("self", None)
        named = [p for p in parameters.values() if p.kind != p.VAR_KEYWORD]
        cls.__signature__ = inspect.Signature(sorted(named, key=lambda p: p.kind))  # type: ignore[attr-defined]

    def __init__(
        self,
        dim: int,
        counts: Counts,
        options: LossOptions | None = None,
        *,
        weight: Tensor | None = None,
        bias: Tensor | bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.dim, self.counts = checked_whole(dim, "dim", 1), checked_counts(counts)
        self.num_classes = len(self.counts)
        if options is not None and not isinstance(options, self.takes):
            kind, layer = type(options).__name__, type(self).__name__
            raise ValueError(f"options is a {kind}, {layer} takes {self.takes.__name__}")
        options = self.takes() if options is None else options
        settings = settings_of(self.takes).items()
        chosen = {name: s.convert(getattr(options, name), f"`{name}`") for name, s in settings}
        for name, value in chosen.items():
            if isinstance(value, float):
                checked_number(value, name, -LARGEST)
        self.options = replace(options, **chosen)
        self.new: dict[str, Any] = {"device": device, "dtype": dtype}
        check_new(self.new)
        self.shared = weight is not None, isinstance(bias, Tensor)
        self.weight, self.bias = self.make_rows(self.rows(), weight, bias)
        OutputLayer.reset_parameters(self)

    def rows(self) -> int:
        """Returns the number of output rows: V, or the number of inner nodes."""
        return self.num_classes

    def make_rows(self, rows: int, weight: Tensor | None, bias: Tensor | bool) -> WeightAndBias:
        """Returns weight [rows, D] and bias [rows] or None: the tensors passed in, to be shared, or
        new ones without values."""
        if weight is None:
            weight = nn.Parameter(torch.empty(rows, self.dim, **self.new))
        else:
            check_shared(weight, "weight", [rows, self.dim])
        if bias is True:
            return weight, nn.Parameter(torch.empty(rows, **self.new))
        if bias is False:
            return weight, None
        check_shared(bias, "bias", [rows])
        return weight, bias

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Resets the layer's own rows to their starting values; shared rows stay as they are."""
        if not self.shared[0]:
            self.start_rows(self.weight)
        if self.bias is not None and not self.shared[1]:
            self.bias.zero_()

    def start_rows(self, weight: Tensor) -> None:
        """Initialises new rows [rows, D] in place."""
        weight.zero_()

    def extra_repr(self) -> str:
        return f"{self.dim}, {self.num_classes} classes, {self.options}"

    def unigram_bias(self) -> Tensor:
        """Returns the log of each class's share of the counts [V]. With this bias, a good start,
        a hidden row of zeros predicts these shares. A count of 0 is taken as 0.5."""
        counts = self.counts.double().clamp_min(0.5)
        return (counts / counts.sum()).log()

    @torch.no_grad()
    def start_as_unigram(self) -> None:
        """Sets the biases, if the layer has any, to `unigram_bias`."""
        if self.bias is not None:
            self.bias.copy_(self.unigram_bias())

    @eager
    def forward(self, hidden: Tensor, target: Tensor, row_of: Tensor | None = None) -> Tensor:
        """Returns the loss in nats in the shape of target, without reduction; targets may also be
        a column [N, 1]. Raises ValueError for shapes that do not match or a class out of range."""
        if self.sparse and getattr(DistributedDataParallel, "_active_ddp_module", None) is not None:
            cause = "DistributedDataParallel does not support this layer's sparse gradients"
            raise RuntimeError(f"{cause}: make it with sparse=False")
        rows, classes, row_of = self._checked(hidden, target, row_of)
        if hidden.is_meta:
            return self._without_values(rows, classes.shape)
        return self._loss(rows, classes.view(-1), row_of).view(classes.shape)

    @eager
    def log_prob(self, hidden: Tensor) -> Tensor:
        """Returns log P(class | hidden) [..., V]; each row's probabilities sum to 1."""
        rows, shape = self._hidden_rows(hidden), (*hidden.shape[:-1], self.num_classes)
        if hidden.is_meta:
            return self._without_values(rows, shape)
        return self._log_prob(rows).view(shape)

    @eager
    def nll(self, hidden: Tensor, target: Tensor) -> Tensor:
        """Returns -log P(target | hidden) in nats, the basis of perplexity; differentiable. Scores
        are computed in parts and never held for all rows at once."""
        rows, classes, _ = self._checked(hidden, target, None)
        if hidden.is_meta:
            return self._without_values(rows, classes.shape)
        return self._nll(rows, classes.view(-1)).view(classes.shape)

    @eager
    @torch.no_grad()
    def predict(self, hidden: Tensor, k: int = 1) -> tuple[Tensor, Tensor]:
        """Returns the k most probable classes, best first: (ids, log-probabilities) [..., k]."""
        k = min(checked_whole(k, "k", 1), self.num_classes)
        rows, shape = self._hidden_rows(hidden), (*hidden.shape[:-1], k)
        if hidden.is_meta:
            return rows.new_empty(shape, dtype=torch.int64), self._without_values(rows, shape)
        parts = (self._predict(part, k) for part in rows.split(NLL_ROWS))  # type: ignore[no-untyped-call]
        ids, log_prob = zip(*parts, strict=True)
        return torch.cat(ids).view(shape), torch.cat(log_prob).view(shape)

    @eager
    @torch.no_grad()
    def sample(
        self, hidden: Tensor, generator: Generator = None, temperature: float = 1.0
    ) -> Tensor:
        """Draws one class per row of hidden [..., D] from P(class | hidden)^(1 / temperature),
        normalised; returns them as [...].

        Layers that decide step by step (hsigmoid, adaptive softmax) apply the temperature to each
        decision, so that they need not score all classes; at temperatures other than 1 this is a
        different distribution.

        The generator supplies the random numbers; it need not be on the device of hidden.
        """
        temperature = checked_number(temperature, "temperature", 0, above=True)
        check_kind(generator, "generator", torch.Generator)
        rows, shape = self._hidden_rows(hidden), hidden.shape[:-1]
        if hidden.is_meta:
            return rows.new_empty(shape, dtype=torch.int64)
        return self._sample(rows, generator, temperature).view(shape)

    @abstractmethod
    def _loss(self, hidden: Tensor, target: Tensor, row_of: Tensor | None) -> Tensor:
        """Returns the loss [N] of hidden [U, D], int64 target [N] in 0 … V - 1, row_of [N]|None."""

    @abstractmethod
    def _log_prob(self, hidden: Tensor) -> Tensor:
        """Returns log P(class | hidden) [N, V]."""

    def _nll(self, hidden: Tensor, target: Tensor) -> Tensor:
        """Returns -log P(target | hidden) [N]; by default the loss, for exact losses."""
        return self._loss(hidden, target, None)

    def _predict(self, hidden: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """Returns (ids [N, k], log-probabilities [N, k]) for at most NLL_ROWS rows."""
        top = self._log_prob(hidden).topk(k, dim=1)
        return top.indices, top.values

    def _sample(self, hidden: Tensor, generator: Generator, temperature: float) -> Tensor:
        """Returns one class per row [N]."""
        parts = (self._log_prob(rows) for rows in hidden.split(NLL_ROWS))  # type: ignore[no-untyped-call]
        return torch.cat([draw(log_prob, generator, temperature) for log_prob in parts])

    def _hidden_rows(self, hidden: Tensor) -> Tensor:
        """Returns hidden as [U, D], after checking it."""
        check_tensors(hidden=hidden, **{"the layer": next(self.parameters(), self.weight)})
        if not hidden.is_floating_point() or hidden.dim() < 1 or hidden.shape[-1] != self.dim:
            kind = f"{hidden.dtype} {list(hidden.shape)}"
            raise ValueError(f"hidden is {kind}, it must be floating point and [..., {self.dim}]")
        return hidden.reshape(-1, self.dim)

    def _checked(
        self, hidden: Tensor, target: Tensor, row_of: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Returns hidden as [U, D], target as int64 (a column as [N]), row_of as int64 or None."""
        rows = self._hidden_rows(hidden)
        if target.dim() == hidden.dim() and target.shape[-1] == 1:
            target = target[..., 0]
        shape, classes = list(hidden.shape), list(target.shape)
        if row_of is None and classes != shape[:-1]:
            raise ValueError(
                f"hidden has shape {shape}, so targets must have {shape[:-1]}, not {classes}"
            )
        if row_of is not None:
            if len(shape) != 2 or len(classes) != 1 or row_of.shape != target.shape:
                expected = f"hidden must be [U, {self.dim}] and targets {list(row_of.shape)}"
                raise ValueError(
                    f"with row_of {list(row_of.shape)} {expected}, not {shape} and {classes}"
                )
            row_of = checked_integers(row_of, "row_of")
        if not hidden.is_meta:
            checked_classes(target, self.num_classes)
            row_of = None if row_of is None else checked_classes(row_of, len(rows), "row_of")
        return rows, checked_integers(target).contiguous(), row_of

    def _without_values(self, rows: Tensor, shape: Sequence[int]) -> Tensor:
        """For the meta device: returns a tensor of this shape that depends on all parameters."""
        parts = [part.sum().to(accumulate_dtype(rows)) for part in (rows, *self.parameters())]
        return torch.stack(parts).sum().expand(tuple(shape))


def draw(log_prob: Tensor, generator: Generator = None, temperature: float = 1.0) -> Tensor:
    """Draws one column per row of log_prob [N, C] from the softmax of log_prob / temperature; [N].

    Inverts the cumulative probabilities in float64, with one random number per row that is the
    same on all devices. A column with log-probability -inf is never drawn.
    """
    cumulated = at_temperature(log_prob, temperature).softmax(1).cumsum(1)
    # scaled by the last sum, which differs from 1 by rounding, and kept below it
    u = uniform(len(log_prob), generator, log_prob.device)[:, None] * cumulated[:, -1:]
    u = torch.minimum(u, torch.nextafter(cumulated[:, -1:], torch.zeros_like(u)))
    return torch.searchsorted(cumulated, u, right=True)[:, 0]


def at_temperature(log_prob: Tensor, temperature: float) -> Tensor:
    """Returns log_prob [N, C] / temperature up to a constant, float64; the highest of each row is
    0, so that none overflows at temperatures near 0."""
    log_prob = log_prob.double()
    return (log_prob - log_prob.amax(1, keepdim=True)) / temperature


def uniform(n: int, generator: Generator, device: torch.device) -> Tensor:
    """Returns n float64 random numbers in [0, 1) on the device, drawn on the generator's device."""
    source = generator.device if generator is not None else torch.device("cpu")
    return torch.rand(n, generator=generator, dtype=torch.float64, device=source).to(device)
