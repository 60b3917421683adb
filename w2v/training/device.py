"""The device named by `device`, and its memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch

from w2v.errors import InputError, RunError
from w2v.system.ranks import rank_or_single

LIBRARY_BYTES = 350 << 20  # PyTorch itself
CUDA_LIBRARY_BYTES = 2 << 30  # PyTorch with CUDA's libraries, in the machine's memory
SCORE_BYTES = 256 << 20  # buffers of the losses that score many rows
DRIVER_ERRORS = "CUDA error", "CUDA driver error", "cuDNN error", "Triton Error [CUDA]"

ON_CPU = "`device` cpu"  # what to use instead of a GPU

ONE_THREAD = 1  # until an engine trains: see `isolated_settings`
DTYPE = torch.float32  # of all parameters; tests set float64
_LOCK = threading.RLock()


@contextmanager
def isolated_settings(
    device: torch.device, threads: int = 0, *, learns: bool = True, alone: bool = True
) -> Iterator[None]:
    """Within the block, PyTorch has the settings that training needs; afterwards those of the
    process are restored. They are the random state, the number of `threads` on a CPU (0:
    unchanged), the default dtype and device, and whether gradients are computed (`learns`). Since
    they are global, `alone` makes other threads that call this function wait.

    Every thread that has computed with several `threads` keeps a team of them, and with more of
    them than cores, none waits actively for the others any more: training an LSTM with 2 threads
    then takes up to a third longer, scoring a text twice as long. So engines compute with
    ONE_THREAD until they train.
    """
    devices = [device] if device.type == "cuda" else []
    with (
        _LOCK if alone else nullcontext(),
        torch.random.fork_rng(devices),
        torch.inference_mode(False),
        torch.set_grad_enabled(learns),
        # only where needed, because it slows every call
        torch.device("cpu") if torch.get_default_device().type != "cpu" else nullcontext(),
    ):
        before = torch.get_num_threads(), torch.get_default_dtype()
        try:
            torch.set_default_dtype(DTYPE)
            if threads and device.type == "cpu":
                torch.set_num_threads(threads)
            yield
        finally:
            torch.set_num_threads(before[0])
            torch.set_default_dtype(before[1])


def find_device(name: str, instead: str = ON_CPU) -> torch.device:
    """Returns the named device; auto is the first GPU, if any. For cuda without a number, each rank
    of a machine gets another GPU. Raises InputError, which advises what to use `instead`, if there
    is no such device."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "cpu" or (name == "auto" and not count):
        return torch.device("cpu")
    if not count:
        raise InputError(f"`device` {name}: {no_gpu()}; use {instead}")
    index = int(name.partition(":")[2] or rank_or_single().local_rank % count)
    if index >= count:
        problem = f"PyTorch finds {count} CUDA devices, the last is cuda:{count - 1}"
        raise InputError(f"`device` {name}: {problem}")
    return torch.device("cuda", index)


def no_gpu() -> str:
    """Returns a message that PyTorch finds no GPU, with the likely reason."""
    without = torch.version.cuda is None and torch.version.hip is None
    why = (
        f"PyTorch {torch.__version__} is built without CUDA"
        if without
        else "does nvidia-smi list one?"
    )
    return f"PyTorch finds no CUDA device on this machine ({why})"


def free_memory(device: torch.device) -> int:
    """Returns the bytes that can be allocated on a GPU: free memory, and what PyTorch has reserved
    without using it."""
    with enough_memory(device, ON_CPU):
        free: int = torch.cuda.mem_get_info(device)[0]
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)


@contextmanager
def enough_memory(device: torch.device, remedy: str, instead: str = ON_CPU) -> Iterator[None]:
    """Turns out-of-memory errors of a GPU's driver into a RunError with a remedy, and others into
    one that advises what to use `instead`."""
    try:
        yield
    except RuntimeError as error:
        why = str(error).partition("\n")[0]
        if isinstance(error, torch.cuda.OutOfMemoryError) or why.endswith("out of memory"):
            raise RunError(f"{device} has too little memory; try {remedy}") from error
        if not why.startswith(DRIVER_ERRORS):
            raise
        remedies = f"resume from a checkpoint with `resume`, or use {instead}"
        raise RunError(
            f"{device} failed ({why}): check whether others use it (nvidia-smi), {remedies}"
        ) from error
