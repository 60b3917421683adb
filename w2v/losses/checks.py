"""Checks of the arguments that an output layer is constructed from."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from w2v.errors import shown
from w2v.losses.math.numbers import check_floating
from w2v.sampling.checks import FLOATS, Refused, check_dense


def checked_counts(counts: Any) -> Tensor:
    """Returns counts [V] as a CPU tensor. Raises ValueError unless they are at least two finite
    numbers of 0 or more with a sum below 2^63."""
    if isinstance(counts, Tensor):
        check_dense(counts, "counts")
    try:
        with torch.device("cpu"):  # because layers may be constructed on the "meta" device
            tensor = counts if isinstance(counts, Tensor) else torch.as_tensor(np.array(counts))
            tensor = tensor.cpu()
    except (TypeError, ValueError, RuntimeError) as error:
        problem = "on the meta device" if isinstance(counts, Tensor) else shown(counts)
        raise ValueError(f"counts is {problem}, it must hold V numbers") from error
    if tensor.dtype == torch.bool or tensor.is_complex():
        raise ValueError(f"counts are {tensor.dtype}, they must be numbers")
    tensor = tensor if tensor.is_floating_point() else tensor.long()
    if tensor.dim() != 1 or len(tensor) < 2:
        given = f"has shape {list(tensor.shape)}" if tensor.dim() else f"is {shown(counts)}"
        expected = "it must be [V], the occurrences of each of 2 or more classes"
        raise ValueError(f"counts {given}, {expected}; torch.ones(V) if they are unknown")
    if bool((tensor < 0).any()):
        raise ValueError(f"counts holds {tensor.min().item()}, it must not be negative")
    total = tensor.double().sum().item()
    if not total < 2.0**63:
        raise ValueError(f"counts sum to {total:g}, which must be a number below 2^63")
    return tensor


def check_new(new: dict[str, Any]) -> None:
    """Raises Refused if PyTorch cannot create tensors with this device and dtype, or calculate
    with them."""
    dtype = new["dtype"]
    if dtype is not None and not isinstance(dtype, torch.dtype):
        raise Refused(f"dtype is {shown(dtype)}, it must be a type of PyTorch: torch.float64, …")
    if dtype is not None and dtype not in FLOATS:
        raise Refused(f"dtype is {dtype}, it must be floating point of 16 to 64 bits")
    try:
        torch.empty(0, **new)
    except (TypeError, ValueError, RuntimeError, AssertionError) as error:
        choice = f"device {shown(new['device'])} and dtype {shown(dtype)}"
        raise Refused(f"PyTorch cannot create a tensor with {choice} here") from error


def check_shared(tensor: Any, name: str, shape: list[int]) -> None:
    """Raises ValueError unless `tensor`, to be shared, is a floating-point tensor of this shape."""
    if not isinstance(tensor, Tensor):
        expected = "a tensor" if name == "weight" else "True, False or a tensor"
        raise ValueError(f"{name} is {shown(tensor)}, it must be {expected}")
    check_dense(tensor, name)
    if list(tensor.shape) != shape:
        raise ValueError(f"{name} has shape {list(tensor.shape)}, this layer needs {shape}")
    check_floating(**{name: tensor})
