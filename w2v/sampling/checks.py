"""Checks the arguments of samplers and of the interfaces of other systems: integers, class ids,
tensors of weights."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

MOST = 2**63 - 1


class Refused(ValueError, TypeError, RuntimeError):
    """Raised for an argument that cannot be used. It is a ValueError, as elsewhere in w2v, and also
    a TypeError and a RuntimeError, which code written for PyTorch or Paddle may catch."""


def checked_whole(value: Any, name: str, low: int = -(2**63)) -> int:
    """Returns the value as an int. Raises Refused unless it is an integer of 64 bits ≥ `low`."""
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise Refused(f"{name} is {short(value)}, it must be a whole number") from None
    if not low <= number <= MOST:
        bound = f"at most {MOST}" if number > MOST else f"{low} or more"
        raise Refused(f"{name} is {number}, it must be {bound}")
    return number


def checked_floats(value: Any, name: str, *forms: Sequence[int | str]) -> Tensor:
    """Returns the value. Raises Refused unless it is a dense floating-point tensor with a shape of
    one of these forms, in which names stand for any size."""
    if not isinstance(value, Tensor):
        raise Refused(f"{name} is a {type(value).__name__}, it must be a tensor")
    if value.is_meta or value.layout != torch.strided:
        kind = "meta" if value.is_meta else value.layout
        raise Refused(f"{name} is {kind}, it must be a dense tensor with its values")
    if not value.is_floating_point():
        raise Refused(f"{name} is {value.dtype}, it must be floating point")
    shape = tuple(value.shape)
    for form in forms:
        if len(form) == len(shape) and all(
            isinstance(size, str) or size == n for size, n in zip(form, shape, strict=True)
        ):
            return value
    expected = " or ".join(f"[{', '.join(map(str, form))}]" for form in forms)
    raise Refused(f"{name} has shape {list(shape)}, it must be {expected}")


def checked_ids(
    values: Any, num_classes: int, name: str, *, cast: bool = True, least: int = 0
) -> Tensor:
    """Returns classes, given as a tensor, an array or lists, as int64. With `cast`, floating-point
    numbers with integer values are accepted too. Raises Refused if one is not in
    `least` … num_classes - 1, or is a float so large that it may have been rounded."""
    try:
        tensor = torch.as_tensor(values)
    except (TypeError, ValueError, RuntimeError):
        kind = type(values).__name__
        raise Refused(f"{name} is a {kind}, it must be a tensor of classes") from None
    floats = tensor.is_floating_point()
    if tensor.is_complex() or tensor.dtype == torch.bool or tensor.is_meta or (floats and not cast):
        described = "on the meta device, without values" if tensor.is_meta else tensor.dtype
        raise Refused(f"{name} is {described}, it must hold integers")
    ids = tensor.long()
    if not ids.numel():
        return ids
    low, high = (int(bound) for bound in ids.aminmax())
    if floats:
        exact = int(2 / torch.finfo(tensor.dtype).eps)  # larger integers may have been rounded
        if bool((ids != tensor).any()) or (high >= exact and num_classes > exact + 1):
            problem = f"{name} is {tensor.dtype} and holds fractions or rounded numbers"
            raise Refused(f"{problem}: give integers")
    if low < least or high >= num_classes:
        last = num_classes - 1
        raise Refused(f"{name} range from {low} to {high}, they must lie in {least} to {last}")
    return ids


def device_of_draws(generator: torch.Generator | None, device: torch.device | str) -> torch.device:
    """Returns the device on which draws are made: that of the generator, if given, or `device`."""
    if generator is None:
        return torch.device(device)
    if not isinstance(generator, torch.Generator):
        raise Refused(f"generator is {short(generator)}, it must be a torch.Generator")
    return generator.device


def short(value: object) -> str:
    """Formats a value for a message, on one line of at most 60 characters."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else text[:57] + "..."
