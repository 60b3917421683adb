"""The device named by `device`, and its memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from w2v.errors import InputError, RunError
from w2v.system.ranks import place_or_alone

LIBRARY_BYTES = 350 << 20  # PyTorch itself
CUDA_LIBRARY_BYTES = 2 << 30  # PyTorch with CUDA's libraries, in the machine's memory
SCORE_BYTES = 256 << 20  # buffers of the losses that score many rows


def find_device(name: str) -> torch.device:
    """Returns the named device; auto is the first GPU, if any. For cuda without a number, each rank
    of a machine gets another GPU. Raises InputError if there is no such device."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "cpu" or (name == "auto" and not count):
        return torch.device("cpu")
    if not count:
        what = "PyTorch finds no CUDA device on this machine; use `device` cpu"
        raise InputError(f"`device` {name}: {what}")
    index = int(name.partition(":")[2] or place_or_alone().local_rank % count)
    if index >= count:
        what = f"PyTorch finds {count} CUDA devices, the last is cuda:{count - 1}"
        raise InputError(f"`device` {name}: {what}")
    return torch.device("cuda", index)


def free_memory(device: torch.device) -> int:
    """Returns the bytes that can be allocated on a GPU: free memory, and what PyTorch has reserved
    without using it."""
    free: int = torch.cuda.mem_get_info(device)[0]
    return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)


@contextmanager
def enough_memory(device: torch.device, remedy: str) -> Iterator[None]:
    """Turns out-of-memory errors of a GPU into a RunError with the remedy."""
    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        raise RunError(f"{device} has too little memory; try {remedy}") from error
