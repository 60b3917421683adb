"""Sums gradients over ranks: dense ones in place, row gradients over all rows that any rank has
used. The result is bit-identical on all ranks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from w2v.training.optimizers import Gradient
from w2v.training.rows import summed_rows
from w2v.training.world import World

SMALL = 1 << 16  # numbers; smaller gradients are sent together
NONE, DENSE = -2, -1  # instead of a number of rows: no gradient, a dense gradient


def summed_over(
    world: World, gradients: list[Gradient], parameters: Mapping[str, Tensor]
) -> list[Gradient]:
    """Returns the sums over all ranks of the gradients of named parameters. A parameter may have a
    gradient on some ranks only; the sum of row gradients is dense if any of them is."""
    if world.size == 1:
        return gradients
    by_name = {gradient.name: gradient for gradient in gradients}
    table = world.agree([_rows_of(by_name.get(name)) for name in parameters]).astype(int)
    dense: dict[str, Tensor] = {}
    summed: dict[str, Gradient] = {}
    for (name, parameter), counts in zip(parameters.items(), table.T.tolist(), strict=True):
        if max(counts) == NONE:
            continue
        if DENSE in counts:
            dense[name] = _dense(by_name.get(name), parameter)
        else:
            empty = torch.zeros((0, *parameter.shape[1:]), dtype=parameter.dtype)
            ids = torch.zeros(0, dtype=torch.int64)
            local = by_name.get(name, Gradient(name, empty, ids))
            summed[name] = _summed_rows(world, local, parameter)
    _sum_dense(world, list(dense.values()))
    summed |= {name: Gradient(name, values, None) for name, values in dense.items()}
    return [summed[name] for name in parameters if name in summed]


def _rows_of(gradient: Gradient | None) -> int:
    if gradient is None:
        return NONE
    return DENSE if gradient.rows is None else len(gradient.rows)


def _dense(gradient: Gradient | None, parameter: Tensor) -> Tensor:
    if gradient is not None and gradient.rows is None:
        return gradient.values.contiguous()
    values = torch.zeros_like(parameter, memory_format=torch.contiguous_format)
    if gradient is not None and gradient.rows is not None:
        values.index_add_(0, gradient.rows, gradient.values)
    return values


def _sum_dense(world: World, tensors: list[Tensor]) -> None:
    """Sums in place; small tensors of the same dtype are sent as one message."""
    small = [tensor for tensor in tensors if tensor.numel() < SMALL]
    started = [world.start_sum(tensor) for tensor in tensors if tensor.numel() >= SMALL]
    for dtype in sorted({tensor.dtype for tensor in small}, key=str):
        alike = [tensor for tensor in small if tensor.dtype == dtype]
        together = torch.cat([tensor.reshape(-1) for tensor in alike])
        world.sum(together)
        sizes = [tensor.numel() for tensor in alike]
        parts = together.split(sizes)  # type: ignore[no-untyped-call]
        for tensor, part in zip(alike, parts, strict=True):
            tensor.copy_(part.view_as(tensor))
    for started_sum in started:
        started_sum.wait()


def _summed_rows(world: World, gradient: Gradient, parameter: Tensor) -> Gradient:
    """Returns the sum of row gradients, added on the CPU in rank order: an order chosen by the
    hardware would let ranks drift apart."""
    assert gradient.rows is not None
    rows = np.concatenate(world.gather(gradient.rows.cpu().numpy()))
    values = np.concatenate(world.gather(gradient.values.cpu().reshape(-1).numpy()))
    gathered = torch.from_numpy(values).view(len(rows), *parameter.shape[1:])
    distinct, sums = summed_rows(torch.from_numpy(rows), gathered, len(parameter))
    return Gradient(gradient.name, sums.to(parameter.device), distinct.to(parameter.device))
