"""The gradients of a step, and optimizers that update only the rows that have one. None of them has
momentum, which would move every row in every step.

    sgd          x -= lr g
    adagrad      x -= lr g / sqrt(sum of the row's mean g² so far)      one number per row
    sparse-adam  Adam in which a row's averages change only when the row has a gradient, as in
                 torch.optim.SparseAdam
    adamw        the same, and x -= lr decay x beforehand (Loshchilov and Hutter 2019,
                 arXiv:1711.05101)

g is the gradient of the *sum* over the batch's predictions. Adagrad is Duchi et al. 2011 with one
rate per row instead of one per element (FBGEMM's "exact row-wise adagrad"): the same accuracy with
a hundredth of the state.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from w2v.system.gpu import distant
from w2v.training.rows import counted_rows, summed_rows

TINY = 1e-20  # added to squares: a row whose gradient has been 0 so far stays where it is
HIGHEST_RATE = 1e36  # PyTorch refuses factors beyond float32; training diverges long before
BETAS = (0.9, 0.999)
ADAM_EPSILON = 1e-8


class RowOptimizer(ABC):
    """Updates one table [R, …] in place; keeps its state about the rows in tensors of its own."""

    def __init__(self, table: Tensor) -> None:
        self._table = table if table.dim() else table[None]

    def update(self, gradient: Tensor, lr: float, rows: Tensor | None = None) -> None:
        """Takes one step. gradient: of the whole table, dense or sparse (COO), or of the distinct
        `rows` of it."""
        lr = min(lr, HIGHEST_RATE)
        if gradient.is_sparse:
            assert rows is None
            ids, values = gradient._indices()[0], gradient._values()
            rows, gradient = summed_rows(ids, values, len(self._table))
        if rows is None:
            self._update_all([self], [gradient.reshape(self._table.shape)], lr)
        else:
            self._update_rows(gradient, lr, rows)

    def state(self) -> dict[str, Tensor]:
        """Returns the optimizer's tensors by name, to be read or overwritten."""
        return {}

    @classmethod
    @abstractmethod
    def _update_all(cls, several: list[Any], gradients: list[Tensor], lr: float) -> None:
        """Takes one step on all rows of several optimizers of this class, each with its gradient;
        on a GPU with few kernels, where PyTorch has operators for many tables."""

    @abstractmethod
    def _update_rows(self, gradient: Tensor, lr: float, rows: Tensor) -> None:
        """Takes one step on `rows` with their gradient."""


class Sgd(RowOptimizer):
    @classmethod
    def _update_all(cls, several: list[Any], gradients: list[Tensor], lr: float) -> None:
        torch._foreach_add_([each._table for each in several], gradients, alpha=-lr)

    def _update_rows(self, gradient: Tensor, lr: float, rows: Tensor) -> None:
        self._table.index_add_(0, rows, gradient, alpha=-lr)


class Adagrad(RowOptimizer):
    def __init__(self, table: Tensor) -> None:
        super().__init__(table)
        rows = max(1, len(table)) if table.dim() else 1
        self._squares = torch.full((rows,), TINY, device=table.device)

    def state(self) -> dict[str, Tensor]:
        return {"squares": self._squares}

    @classmethod
    def _update_all(cls, several: list[Any], gradients: list[Tensor], lr: float) -> None:
        torch._foreach_add_([each._squares for each in several], _mean_squares(gradients))
        for optimizer, gradient in zip(several, gradients, strict=True):
            scale = _column(optimizer._squares.rsqrt(), gradient)
            optimizer._table.addcmul_(gradient, scale, value=-lr)

    def _update_rows(self, gradient: Tensor, lr: float, rows: Tensor) -> None:
        self._squares.index_add_(0, rows, _mean_squares([gradient])[0])
        scale = self._squares.index_select(0, rows).rsqrt_()
        self._table.index_add_(0, rows, gradient * _column(scale, gradient), alpha=-lr)


class SparseAdam(RowOptimizer):
    """Counts steps per table, not per row."""

    def __init__(self, table: Tensor) -> None:
        super().__init__(table)
        self._mean, self._square = torch.zeros_like(self._table), torch.zeros_like(self._table)
        self._steps = torch.zeros((), dtype=torch.int64)
        self._counted = self._steps.numpy()  # the same number

    def state(self) -> dict[str, Tensor]:
        return {"mean": self._mean, "square": self._square, "steps": self._steps}

    @classmethod
    def _update_all(cls, several: list[Any], gradients: list[Tensor], lr: float) -> None:
        corrections = [each._next_step() for each in several]
        means, squares = [each._mean for each in several], [each._square for each in several]
        torch._foreach_lerp_(means, gradients, 1 - BETAS[0])
        torch._foreach_mul_(squares, BETAS[1])
        torch._foreach_addcmul_(squares, gradients, gradients, value=1 - BETAS[1])
        # (mean / first) / (sqrt(square / second) + epsilon), with fewer passes over the table
        roots = torch._foreach_sqrt(squares)
        torch._foreach_add_(roots, [ADAM_EPSILON * second for _, second in corrections])
        rates = [-lr * second / first for first, second in corrections]
        torch._foreach_addcdiv_([each._table for each in several], means, roots, rates)

    def _update_rows(self, gradient: Tensor, lr: float, rows: Tensor) -> None:
        first, second = self._next_step()
        mean, square = (part.index_select(0, rows) for part in (self._mean, self._square))
        mean.lerp_(gradient, 1 - BETAS[0])
        square.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
        root = square.sqrt().add_(ADAM_EPSILON * second)
        self._table.index_add_(0, rows, mean / root, alpha=-lr * second / first)
        self._mean.index_copy_(0, rows, mean)
        self._square.index_copy_(0, rows, square)

    def _next_step(self) -> tuple[float, float]:
        """Counts a step; returns (1 - beta1^n, sqrt(1 - beta2^n)) for the n-th step."""
        self._counted += 1
        first, second = (1 - beta ** int(self._counted) for beta in BETAS)
        return first, second**0.5


class AdamW(SparseAdam):
    def __init__(self, table: Tensor, decay: float = 0.0) -> None:
        super().__init__(table)
        self._decay = decay

    @classmethod
    def _update_all(cls, several: list[Any], gradients: list[Tensor], lr: float) -> None:
        decaying = [each for each in several if each._decay]
        if decaying:
            factors = [1 - lr * each._decay for each in decaying]
            torch._foreach_mul_([each._table for each in decaying], factors)
        super()._update_all(several, gradients, lr)

    def _update_rows(self, gradient: Tensor, lr: float, rows: Tensor) -> None:
        if self._decay:
            table = self._table
            table.index_add_(0, rows, table.index_select(0, rows), alpha=-lr * self._decay)
        super()._update_rows(gradient, lr, rows)


OPTIMIZERS: dict[str, type[RowOptimizer]]
OPTIMIZERS = {"sgd": Sgd, "adagrad": Adagrad, "sparse-adam": SparseAdam, "adamw": AdamW}
# tables of the size of the one that is trained
STATE_ROWS = {"sgd": 0, "adagrad": 0, "sparse-adam": 2, "adamw": 2}


@dataclass
class Gradient:
    """The gradient of one parameter; `values` are those of the distinct `rows`, or all (None)."""

    name: str
    values: Tensor
    rows: Tensor | None


def take_gradients(parameters: Iterable[tuple[str, Tensor]]) -> list[Gradient]:
    """Removes and returns the gradients of named parameters, with one entry per row if sparse."""
    return take_gradients_and_value(parameters, None)[0]


def take_gradients_and_value(
    parameters: Iterable[tuple[str, Tensor]], number: Tensor | None
) -> tuple[list[Gradient], float]:
    """As `take_gradients`; also returns the value of `number` (0 for None), so that the program
    waits for a GPU only once."""
    gradients, counts = [], [] if number is None else [number.double()]
    repeated: list[tuple[Gradient, Tensor]] = []
    for name, parameter in parameters:
        gradient, parameter.grad = parameter.grad, None
        if gradient is None:
            continue
        gradients.append(Gradient(name, gradient, None))
        if gradient.is_sparse:
            rows, values = gradient._indices()[0], gradient._values()
            if not gradient.is_coalesced() and distant(values):
                rows, index, count = counted_rows(rows)
                counts.append(count.double())
                repeated.append((gradients[-1], index))
            elif not gradient.is_coalesced():
                rows, values = summed_rows(rows, values, len(parameter))
            gradients[-1].rows, gradients[-1].values = rows, values
    numbers: list[float] = torch.stack(counts).tolist() if counts else []
    value = 0.0 if number is None else numbers.pop(0)
    for (summed, index), length in zip(repeated, numbers, strict=True):
        assert summed.rows is not None
        summed.rows = summed.rows[: int(length)]
        sums = summed.values.new_zeros(int(length), *summed.values.shape[1:])
        summed.values = sums.index_add_(0, index, summed.values)
    return gradients, value


def norm(gradients: list[Gradient]) -> Tensor:
    """Returns the Euclidean norm of all gradients as one vector."""
    if not gradients:
        return torch.zeros(())
    norms = torch._foreach_norm([gradient.values for gradient in gradients])
    total: Tensor = torch.linalg.vector_norm(torch.stack([*norms]))
    return total


def clip_factor(length: Tensor, most: float) -> float | Tensor:
    """Returns the factor that limits a vector of this length (float64) to `most`; on a GPU it stays
    there. A NaN length has no effect here and shows in the next loss."""
    if distant(length):
        factor: Tensor = most / length.nan_to_num(0.0).clamp_min(most)
        return factor.float()
    value = length.item()
    return min(1.0, most / value) if value > 0 else 1.0


def update_all(
    optimizers: Mapping[str, RowOptimizer], gradients: list[Gradient], lr: float
) -> None:
    """Takes one step with the optimizers of named tables. On a GPU dense gradients are processed
    together, because otherwise most kernels would be for small tables."""
    together: dict[type[RowOptimizer], list[Gradient]] = {}
    for gradient in gradients:
        optimizer = optimizers[gradient.name]
        if gradient.rows is None and distant(gradient.values):
            together.setdefault(type(optimizer), []).append(gradient)
        else:
            optimizer.update(gradient.values, lr, gradient.rows)
    for kind, of_kind in together.items():
        tables = [optimizers[gradient.name] for gradient in of_kind]
        values = [
            gradient.values.reshape(table._table.shape)
            for gradient, table in zip(of_kind, tables, strict=True)
        ]
        kind._update_all(tables, values, min(lr, HIGHEST_RATE))


def states(optimizers: Mapping[str, RowOptimizer]) -> dict[str, Tensor]:
    """Returns the state of the optimizers of named tables, as `optimizer.TABLE.NAME`."""
    return {
        f"optimizer.{table}.{name}": tensor
        for table, optimizer in optimizers.items()
        for name, tensor in optimizer.state().items()
    }


def _mean_squares(gradients: list[Tensor]) -> list[Tensor]:
    """Returns the mean square of each row of the gradients [R, …]: [R] each."""
    # also of no rows: all may be frozen
    flat = [each.reshape(len(each), each.shape[1:].numel()) for each in gradients]
    squares: list[Tensor] = [torch.linalg.vector_norm(each, dim=1) for each in flat]
    torch._foreach_mul_(squares, squares)
    torch._foreach_div_(squares, [float(each.shape[1]) for each in flat])
    return squares


def _column(numbers: Tensor, like: Tensor) -> Tensor:
    """Returns numbers [R] in a shape that multiplies the rows of `like` [R, …]."""
    return numbers.view(-1, *[1] * (like.dim() - 1))
