"""What the losses' functions share: checked indices, dtypes, second derivatives, and how
torch.compile meets them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor

Given = Sequence[Tensor | None]
Function = TypeVar("Function", bound=Callable[..., object])


def eager(function: Function) -> Function:
    """Keeps torch.compile out of a function: the graph breaks there, and the function runs as it
    is. What is inside chooses by values and calls libraries that the compiler does not know."""

    @functools.wraps(function)
    def call(*args: object, **more: object) -> object:
        if torch.compiler.is_compiling():
            return torch.compiler.disable(function)(*args, **more)  # type: ignore[no-untyped-call]
        return function(*args, **more)

    return call  # type: ignore[return-value]


def checked_classes(target: Tensor, num_classes: int, name: str = "targets") -> Tensor:
    """The target as int64. ValueError: it does not hold integers, or one is outside 0 … num_classes
    - 1."""
    if target.is_floating_point() or target.is_complex() or target.dtype == torch.bool:
        raise ValueError(f"{name} are {target.dtype}, they must be integers")
    target = target.long()
    if target.numel() and not target.is_meta:
        low, high = (int(bound) for bound in target.aminmax())
        if low < 0 or high >= num_classes:
            raise ValueError(
                f"{name} range from {low} to {high}, they must lie in 0 to {num_classes - 1}"
            )
    return target


def rows_for(hidden: Tensor, row_of: Tensor | None) -> Tensor:
    """The hidden row of every target, [N, D]."""
    return hidden if row_of is None else hidden.index_select(0, row_of)


def row_numbers(hidden: Tensor, row_of: Tensor | None) -> Tensor:
    """row_of [N]; if it is None, 0 … U - 1."""
    return torch.arange(len(hidden), device=hidden.device) if row_of is None else row_of


def accumulate_dtype(tensor: Tensor) -> torch.dtype:
    """float64 stays, everything else (float16, bfloat16 too) is accumulated in float32."""
    return torch.float64 if tensor.dtype == torch.float64 else torch.float32


def gradients_again(
    plain: Callable[..., Given], inputs: Given, wanted: Sequence[bool], gradients: Given
) -> list[Tensor | None]:
    """Gradients that can be differentiated in turn: for the backward pass of a Function under
    create_graph=True.

    plain: of the inputs, what the Function gives, by PyTorch's own operators.
    gradients: of its results; None where there is none.
    """
    # views, so that a tensor that is two of the inputs gets each one's gradient once
    inputs = [None if x is None else x.view_as(x) for x in inputs]
    pairs = [pair for pair in zip(plain(*inputs), gradients, strict=True) if pair[1] is not None]
    results, given = zip(*pairs, strict=True)
    chosen = [x for x, want in zip(inputs, wanted, strict=True) if x is not None and want]
    made = torch.autograd.grad(results, chosen, given, create_graph=True, allow_unused=True)
    found = iter(made)
    return [next(found) if want else None for want in wanted]
