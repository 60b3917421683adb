"""The device that `device` names, and what memory it has."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch

from w2v.errors import InputError, RunError
from w2v.system.ranks import place_or_alone

LIBRARY_BYTES = 350 << 20  # PyTorch itself
CUDA_LIBRARY_BYTES = 2 << 30  # with CUDA's libraries, in the memory of the machine
SCORE_BYTES = 256 << 20  # buffers of the losses that score many rows

NUMBERS = torch.float32  # what models are made of; tests compute in float64
_TURNS = threading.RLock()


@contextmanager
def undisturbed(
    device: torch.device, threads: int = 0, *, learns: bool = True, alone: bool = True
) -> Iterator[None]:
    """While the block runs, PyTorch is as training needs it, and then as it was: the random
    numbers, how many `threads` it has on a CPU (0: as many as there are), the type and the place of
    new numbers, and whether gradients are kept. That is the whole process's: unless it is not
    `alone`, the blocks of other threads wait."""
    devices = [device] if device.type == "cuda" else []
    with (
        _TURNS if alone else nullcontext(),
        torch.random.fork_rng(devices),
        torch.inference_mode(False),
        torch.set_grad_enabled(learns),
        # each call takes longer by this
        torch.device("cpu") if torch.get_default_device().type != "cpu" else nullcontext(),
    ):
        before = torch.get_num_threads(), torch.get_default_dtype()
        try:
            torch.set_default_dtype(NUMBERS)
            if threads and device.type == "cpu":
                torch.set_num_threads(threads)
            yield
        finally:
            torch.set_num_threads(before[0])
            torch.set_default_dtype(before[1])


def find_device(name: str) -> torch.device:
    """Returns the device of that name, for auto the first GPU if there is one; refuses what is not
    there. Without a number, every rank of a machine takes another GPU."""
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
    """Returns the bytes that can be allocated on a GPU: what is free, and what PyTorch holds there
    without using it."""
    free: int = torch.cuda.mem_get_info(device)[0]
    return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)


@contextmanager
def enough_memory(device: torch.device, remedy: str) -> Iterator[None]:
    """A GPU's full memory becomes a RunError that says what helps."""
    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        raise RunError(f"the memory of {device} does not suffice; try {remedy}") from error
