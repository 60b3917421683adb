"""The gradients of a step: sparse ones as their distinct rows, and the norm of all of them
together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from w2v.training.rows import summed_rows


@dataclass
class Gradient:
    """Of one parameter: `values` are those of its distinct `rows`, or of all (None)."""

    name: str
    values: Tensor
    rows: Tensor | None


def gathered(parameters: Iterable[tuple[str, Tensor]]) -> list[Gradient]:
    """Takes the gradients away from named parameters; entries of the same row of a sparse one are
    added up."""
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
