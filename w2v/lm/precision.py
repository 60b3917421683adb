"""`precision`: in what the matrix products of training are made. Weights, sums and updates stay
float32."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from w2v.errors import InputError
from w2v.losses.math.products import bfloat16_products

CPU_INFO = Path("/proc/cpuinfo")
CPU_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}  # x86 and Arm


def check_precision(precision: str, device: torch.device) -> None:
    """Refuses a precision that the device does not have.

    Raises:
        InputError: bf16 on hardware that would only imitate it.
    """
    if precision != "bf16":
        return
    if device.type == "cuda":
        if not torch.cuda.is_bf16_supported(including_emulation=False):
            raise InputError(
                f"`precision` bf16: {torch.cuda.get_device_name(device)} has no bf16; use float32"
            )
    elif not cpu_has_bf16():
        raise InputError(
            "`precision` bf16: this CPU has no bf16 instructions (avx512_bf16, amx_bf16); use"
            " float32"
        )


def cpu_has_bf16() -> bool:
    """Whether the CPU multiplies bf16, as far as that can be found out."""
    try:
        lines = CPU_INFO.read_text(errors="replace").splitlines()
    except OSError:
        return False
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return bool(CPU_FLAGS & set(value.split()))
    return False


@contextmanager
def working_precision(precision: str, device: torch.device) -> Iterator[None]:
    """Runs what is inside with the precision of a forward pass."""
    if precision != "bf16":
        yield
        return
    with torch.autocast(device.type, torch.bfloat16), bfloat16_products():
        yield
