"""The device that `device` names, and what memory it has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from w2v.errors import InputError, RunError
from w2v.system.ranks import place_or_alone

LIBRARY_BYTES = 350 << 20  # PyTorch itself
CUDA_LIBRARY_BYTES = 2 << 30  # with CUDA's libraries, in the memory of the machine
SCORE_BYTES = 256 << 20  # buffers of the losses that score many rows
DRIVERS = "CUDA error", "CUDA driver error", "cuDNN error", "Triton Error [CUDA]"


def find_device(name: str) -> torch.device:
    """Returns the device of that name, for auto the first GPU if there is one; refuses what is not
    there. Without a number, every rank of a machine takes another GPU."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "cpu" or (name == "auto" and not count):
        return torch.device("cpu")
    if not count:
        raise InputError(f"`device` {name}: {no_gpu()}; use `device` cpu")
    index = int(name.partition(":")[2] or place_or_alone().local_rank % count)
    if index >= count:
        what = f"PyTorch finds {count} CUDA devices, the last is cuda:{count - 1}"
        raise InputError(f"`device` {name}: {what}")
    return torch.device("cuda", index)


def no_gpu() -> str:
    """Returns a clause that says so, and why."""
    without = torch.version.cuda is None and torch.version.hip is None
    why = f"PyTorch {torch.__version__} is built without CUDA" if without else "does nvidia-smi?"
    return f"PyTorch finds no CUDA device on this machine ({why})"


def free_memory(device: torch.device) -> int:
    """Returns the bytes that can be allocated on a GPU: what is free, and what PyTorch holds there
    without using it."""
    with enough_memory(device, "`device` cpu"):
        free: int = torch.cuda.mem_get_info(device)[0]
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)


@contextmanager
def enough_memory(device: torch.device, remedy: str) -> Iterator[None]:
    """A GPU's full memory, and other errors of its driver, become RunErrors that say what helps."""
    try:
        yield
    except RuntimeError as error:
        why = str(error).partition("\n")[0]
        if isinstance(error, torch.cuda.OutOfMemoryError) or why.endswith("out of memory"):
            raise RunError(f"the memory of {device} does not suffice; try {remedy}") from error
        if not why.startswith(DRIVERS):
            raise
        what = f"{device} failed ({why}): see whether others use it (nvidia-smi)"
        raise RunError(
            f"{what}, go on from a checkpoint with `resume`, or use `device` cpu"
        ) from error
