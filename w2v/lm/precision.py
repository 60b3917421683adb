"""The `precision` of matrix products in training. Weights, sums and updates stay float32."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from w2v.errors import InputError
from w2v.losses.math.products import bfloat16_products

CPU_INFO = Path("/proc/cpuinfo")
CPU_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}  # x86 and Arm


def check_precision(precision: str, device: torch.device) -> None:
    """Raises InputError for bf16 on hardware that would only emulate it."""
    lacking = None
    if precision == "bf16" and device.type == "cuda":
        if not torch.cuda.is_bf16_supported(including_emulation=False):
            lacking = f"{torch.cuda.get_device_name(device)} has no bf16"
    elif precision == "bf16" and not cpu_has_bf16():
        lacking = "this CPU has no bf16 instructions (avx512_bf16, amx_bf16)"
    if lacking is not None:
        raise InputError(f"`precision` bf16: {lacking}; use float32")


def cpu_has_bf16() -> bool:
    """Returns whether /proc/cpuinfo lists bf16 instructions; False if it cannot be read."""
    try:
        text = CPU_INFO.read_text(errors="replace")
    except OSError:
        return False
    flags = re.search(r"^(?:flags|Features)\s*:(.*)", text, re.MULTILINE)
    return flags is not None and not CPU_FLAGS.isdisjoint(flags[1].split())


@contextmanager
def working_precision(precision: str, device: torch.device) -> Iterator[None]:
    """Within the block, forward passes use this precision."""
    if precision != "bf16":
        yield
        return
    with torch.autocast(device.type, torch.bfloat16), bfloat16_products():
        yield
