"""Checks the arguments of samplers and of the interfaces of other systems: integers, class ids,
tensors of weights."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from w2v.errors import shown

MOST = 2**63 - 1
FLOATS = torch.float16, torch.bfloat16, torch.float32, torch.float64


class Refused(ValueError, TypeError, RuntimeError):
    """Raised for an argument that cannot be used. It is a ValueError, as elsewhere in w2v, and also
    a TypeError and a RuntimeError, which code written for PyTorch or Paddle may catch."""


def checked_whole(value: Any, name: str, low: int = -(2**63)) -> int:
    """Returns the value as an int. Raises Refused unless it is an integer of 64 bits ≥ `low`."""
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except (TypeError, RuntimeError):
        raise Refused(f"{name} is {shown(value)}, it must be a whole number") from None
    if not low <= number <= MOST:
        bound = f"at most {MOST}" if number > MOST else f"{low} or more"
        raise Refused(f"{name} is {number}, it must be {bound}")
    return number


def checked_flag(value: Any, name: str) -> bool:
    """Returns the value as a bool. Raises Refused unless it is True, False, 0 or 1."""
    if not isinstance(value, (bool, np.bool_, int, np.integer)) or value not in (0, 1):
        raise Refused(f"{name} is {shown(value)}, it must be True or False")
    return bool(value)


def checked_choice(value: Any, name: str, choices: Sequence[str]) -> str:
    """Returns the value. Raises Refused unless it is one of these strings."""
    if not isinstance(value, str) or value not in choices:
        raise Refused(f"{name} is {shown(value)}, it must be one of {', '.join(choices)}")
    return value


def check_kind(value: Any, name: str, kind: type) -> None:
    """Raises Refused unless the value is None or an instance of `kind`."""
    if value is not None and not isinstance(value, kind):
        raise Refused(f"{name} is {shown(value)}, it must be a {kind.__name__} or None")


def check_dense(tensor: Tensor, name: str) -> None:
    """Raises Refused unless the tensor is a dense one of numbers that PyTorch calculates with,
    which it does not with those of 8 bits and fewer."""
    kind = "nested" if tensor.is_nested else "quantized" if tensor.is_quantized else ""
    if kind or tensor.layout != torch.strided:
        kind = kind or str(tensor.layout).removeprefix("torch.").strip("_")
        raise Refused(f"{name} is a {kind} tensor, it must be a dense one")
    if tensor.is_floating_point() and tensor.dtype not in FLOATS:
        raise Refused(f"{name} is {tensor.dtype}, which has no arithmetic: convert it to float32")


def checked_floats(value: Any, name: str, *forms: Sequence[int | str]) -> Tensor:
    """Returns the value. Raises Refused unless it is a dense floating-point tensor with a shape of
    one of these forms, in which names stand for any size."""
    if not isinstance(value, Tensor):
        raise Refused(f"{name} is a {type(value).__name__}, it must be a tensor")
    check_dense(value, name)
    if value.is_meta:
        raise Refused(f"{name} is on the meta device, it must have values")
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
    except (TypeError, ValueError, RuntimeError, OverflowError):
        kind = type(values).__name__
        raise Refused(f"{name} is a {kind}, it must be a tensor of classes") from None
    check_dense(tensor, name)
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


def checked_expected(value: Any, name: str, classes: Tensor) -> Tensor:
    """Returns expected counts as float64, broadcast to the shape of `classes`. Raises ValueError
    unless they are finite and not negative."""
    shape = list(classes.shape)
    if value is None:
        remedy = "sample with the labels as true_classes"
        raise ValueError(f"sampled_values has no {name}: {remedy}")
    try:
        counts = torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        raise ValueError(f"{name} is a {type(value).__name__}, it must be a tensor") from None
    check_dense(counts, name)
    if counts.is_complex() or counts.is_meta:
        raise ValueError(f"{name} is {counts.dtype} on {counts.device}, it must hold numbers")
    counts = counts.detach().to(classes.device).double()
    if counts.dim() == 1 and shape[1:] == [1]:
        counts = counts[:, None]
    wrong = counts[~(counts >= 0) | counts.isinf()]
    if len(wrong):
        problem = f"{name} holds {float(wrong[0]):g}"
        raise ValueError(f"{problem}, it must be finite and not negative")
    try:
        return counts.broadcast_to(shape)
    except RuntimeError:
        problem = f"{name} has shape {list(counts.shape)}"
        raise ValueError(f"{problem}, it must be {shape}") from None


def device_of_draws(generator: torch.Generator | None, device: torch.device | str) -> torch.device:
    """Returns the device on which draws are made: that of the generator, if given, or `device`."""
    check_kind(generator, "generator", torch.Generator)
    return torch.device(device) if generator is None else generator.device
