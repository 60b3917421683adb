"""The gradients of a step, and optimizers that touch only the rows that have one. Momentum is not
among them: it moves every row every step.

    sgd          x -= lr g
    adagrad      x -= lr g / sqrt(sum of the row's mean g² so far)      one number per row
    sparse-adam  Adam whose averages of a row only move when the row has a gradient, as in
                 torch.optim.SparseAdam
    adamw        the same, and x -= lr decay x beforehand (Loshchilov and Hutter 2019,
                 arXiv:1711.05101)

g is the gradient of the *sum* over the batch's predictions. Adagrad is Duchi et al. 2011 with one
rate per row instead of one per element (FBGEMM's "exact row-wise adagrad"): the same accuracy at a
hundredth of the state.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from w2v.training.rows import summed_rows

TINY = 1e-20  # added to squares: a row whose gradient has been 0 so far stays where it is
HIGHEST_RATE = 1e36  # PyTorch refuses factors beyond float32; training diverges long before
BETAS = (0.9, 0.999)
ADAM_EPSILON = 1e-8


class RowOptimizer(ABC):
    """Updates one table [R, …] in place; what it remembers of the rows is in tensors of its own."""

    def __init__(self, table: Tensor) -> None:
        self._table = table

    def update(self, gradient: Tensor, lr: float, rows: Tensor | None = None) -> None:
        """One step. gradient: of the whole table, dense or sparse (COO), or of the distinct `rows`
        of it."""
        lr = min(lr, HIGHEST_RATE)
        if gradient.is_sparse:
            assert rows is None
            ids, values = gradient._indices()[0], gradient._values()
            rows, gradient = summed_rows(ids, values, len(self._table))
        if rows is None and self._table.dim() == 0:
            self._step(self._table[None], gradient[None], lr, None)
        else:
            self._step(self._table, gradient, lr, rows)

    def state(self) -> dict[str, Tensor]:
        """Returns what it remembers, by name: the tensors themselves, to be read or overwritten."""
        return {}

    @abstractmethod
    def _step(self, table: Tensor, gradient: Tensor, lr: float, rows: Tensor | None) -> None:
        """One step of `rows` (None: all) with their gradient."""


class Sgd(RowOptimizer):
    def _step(self, table: Tensor, gradient: Tensor, lr: float, rows: Tensor | None) -> None:
        if rows is None:
            table.add_(gradient, alpha=-lr)
        else:
            table.index_add_(0, rows, gradient, alpha=-lr)


class Adagrad(RowOptimizer):
    def __init__(self, table: Tensor) -> None:
        super().__init__(table)
        rows = max(1, len(table)) if table.dim() else 1
        self._squares = torch.full((rows,), TINY, device=table.device)

    def state(self) -> dict[str, Tensor]:
        return {"squares": self._squares}

    def _step(self, table: Tensor, gradient: Tensor, lr: float, rows: Tensor | None) -> None:
        # also of no rows: all may be frozen
        flat = gradient.reshape(len(gradient), gradient.shape[1:].numel())
        squares = torch.linalg.vector_norm(flat, dim=1).square_() / flat.shape[1]
        if rows is None:
            total = self._squares.add_(squares)
            table.addcmul_(gradient, _column(total.rsqrt(), gradient), value=-lr)
            return
        self._squares.index_add_(0, rows, squares)
        scale = self._squares.index_select(0, rows).rsqrt_()
        table.index_add_(0, rows, gradient * _column(scale, gradient), alpha=-lr)


class SparseAdam(RowOptimizer):
    """The number of steps is that of the table, not of a row."""

    def __init__(self, table: Tensor) -> None:
        super().__init__(table)
        shape = table.shape if table.dim() else (1,)
        self._mean = torch.zeros(shape, device=table.device)
        self._square = torch.zeros(shape, device=table.device)
        self._steps = torch.zeros((), dtype=torch.int64)

    def state(self) -> dict[str, Tensor]:
        return {"mean": self._mean, "square": self._square, "steps": self._steps}

    def _step(self, table: Tensor, gradient: Tensor, lr: float, rows: Tensor | None) -> None:
        self._steps += 1
        mean, square = (
            part if rows is None else part.index_select(0, rows)
            for part in (self._mean, self._square)
        )
        mean.lerp_(gradient, 1 - BETAS[0])
        square.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
        first, second = (1 - beta ** int(self._steps) for beta in BETAS)
        # (mean / first) / (sqrt(square / second) + epsilon), with fewer passes over the table
        root, rate = square.sqrt().add_(ADAM_EPSILON * second**0.5), lr * second**0.5 / first
        if rows is None:
            table.addcdiv_(mean, root, value=-rate)
            return
        table.index_add_(0, rows, mean / root, alpha=-rate)
        self._mean.index_copy_(0, rows, mean)
        self._square.index_copy_(0, rows, square)


class AdamW(SparseAdam):
    def __init__(self, table: Tensor, decay: float = 0.0) -> None:
        super().__init__(table)
        self._decay = decay

    def _step(self, table: Tensor, gradient: Tensor, lr: float, rows: Tensor | None) -> None:
        if self._decay and rows is None:
            table.mul_(1 - lr * self._decay)
        elif self._decay and rows is not None:
            table.index_add_(0, rows, table.index_select(0, rows), alpha=-lr * self._decay)
        super()._step(table, gradient, lr, rows)


OPTIMIZERS: dict[str, type[RowOptimizer]]
OPTIMIZERS = {"sgd": Sgd, "adagrad": Adagrad, "sparse-adam": SparseAdam, "adamw": AdamW}
# tables of the size of the one that is trained
STATE_ROWS = {"sgd": 0, "adagrad": 0, "sparse-adam": 2, "adamw": 2}


@dataclass
class Gradient:
    """Of one parameter: `values` are those of its distinct `rows`, or of all (None)."""

    name: str
    values: Tensor
    rows: Tensor | None


def gathered(parameters: Iterable[tuple[str, Tensor]]) -> list[Gradient]:
    """Takes the gradients away from named parameters, with one entry per row of a sparse one."""
    found = []
    for name, parameter in parameters:
        gradient, parameter.grad = parameter.grad, None
        if gradient is not None and gradient.is_sparse:
            rows, values = gradient._indices()[0], gradient._values()
            if not gradient.is_coalesced():
                rows, values = summed_rows(rows, values, len(parameter))
            found.append(Gradient(name, values, rows))
        elif gradient is not None:
            found.append(Gradient(name, gradient, None))
    return found


def norm(gradients: list[Gradient]) -> Tensor:
    """The Euclidean norm of all gradients as one vector."""
    norms = [torch.linalg.vector_norm(gradient.values) for gradient in gradients]
    return torch.linalg.vector_norm(torch.stack(norms)) if norms else torch.zeros(())


def states(optimizers: Mapping[str, RowOptimizer]) -> dict[str, Tensor]:
    """Returns what the optimizers of named tables remember, as `optimizer.TABLE.NAME`."""
    return {
        f"optimizer.{table}.{name}": tensor
        for table, optimizer in optimizers.items()
        for name, tensor in optimizer.state().items()
    }


def _column(numbers: Tensor, like: Tensor) -> Tensor:
    """numbers [R] shaped so that they multiply the rows of `like` [R, …]."""
    return numbers.view(-1, *[1] * (like.dim() - 1))
