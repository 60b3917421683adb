"""What it means for the program that a tensor is on a GPU. Imports no torch."""

from __future__ import annotations

from typing import Any

HOST = "cpu"  # the kind of device whose values the program sees at once


def distant(holder: Any) -> bool:
    """Whether to see a value of a tensor, or on a device, is to wait for a GPU until it has done
    all it was told. What is chosen by values elsewhere is arranged then so that none need be
    seen."""
    kind: str = getattr(holder, "device", holder).type
    return kind != HOST


def moved(tensor: Any, device: Any) -> Any:
    """Returns the tensor on a device. Nobody waits until a GPU has taken it."""
    if str(device).startswith("cuda") and tensor.device.type == "cpu":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)
