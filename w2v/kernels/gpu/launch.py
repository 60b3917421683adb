"""Launches the training kernel on the windows of a block.

    variant = variant_of(config)                                  # once
    damping_at = damping_by_rate(variant, selection, counts, …)   # once
    damping = damping_at(lr)                                      # for each learning rate
    train_windows(variant, parameters, selection, damping, windows, lr, seed)    # for each block

The tables `parameters` are updated in place. For tensors on a CPU, Triton's interpreter runs the
kernel; that requires the environment variable TRITON_INTERPRET=1 before Triton is imported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from w2v.kernels.gpu.block import DampedTable, NoiseArrays, PathArrays, WindowArrays, train_runs
from w2v.kernels.gpu.damping import Damping
from w2v.kernels.gpu.shape import REGISTERS, Variant, registers_of, warps_of
from w2v.kernels.gpu.tables import Parameters, RowSelection

if TYPE_CHECKING:
    from w2v.words.windows import Windows

LONGEST_RUN, SHORTEST_RUN = 512, 64  # targets per program
WORDS_PER_COPY = 8  # fewest words of the vocabulary per input row of which a program has a copy
SCRATCH_BYTES = 1 << 27  # limit on the scratch memory of all programs together


class Tuning(NamedTuple):
    """Settings that change the speed and the rounding of a kernel, but not what it computes.

    warps: warps per program. precision: of matrix products, one of Triton's "ieee", "tf32x3" and
    "tf32".
    """

    warps: int
    precision: str


def default_tuning(variant: Variant, device: torch.device) -> Tuning:
    """Returns the tuning that training uses on this device."""
    return Tuning(warps_of(variant), "tf32" if device.type == "cuda" else "ieee")


def resident_programs(variant: Variant, device: torch.device) -> int:
    """Returns how many programs a device can run at the same time, which is the number of windows
    in flight; 1 on a CPU."""
    if device.type != "cuda":
        return 1
    multiprocessors = torch.cuda.get_device_properties(device).multi_processor_count
    tuning = default_tuning(variant, device)
    return multiprocessors * (REGISTERS // (32 * tuning.warps * registers_of(*tuning)))


def train_windows(
    variant: Variant, parameters: Parameters, selection: RowSelection, damping: Damping,
    windows: Windows, lr: float, seed: int, programs: int | None = None,
    tuning: Tuning | None = None,
) -> Tensor:  # fmt: skip
    """Trains the targets of `windows` and updates `parameters` in place. Returns (summed loss in
    nats, number of predictions) as float64 [2] on the device, without waiting for the device.

    Noise word j of target i is determined by the seed and by i · negatives + j, where targets are
    counted from windows.first. With lr = 0 the kernel computes the loss and writes to no row.

    programs: the number of runs into which the targets are cut. The runs are trained at the same
    time, or one after the other in the interpreter; 1 trains window by window, in order; None
    chooses the number. tuning: None for `default_tuning`.
    """
    device, targets = parameters.input.device, windows.last - windows.first
    tally = torch.zeros(2, dtype=torch.float64, device=device)
    if targets == 0:
        return tally
    tuning = default_tuning(variant, device) if tuning is None else tuning
    shape = variant._replace(precision=tuning.precision, updates=int(lr != 0))
    if programs is None:
        programs = program_count(variant, device, len(parameters.input), targets)
    programs = min(programs, max(1, SCRATCH_BYTES // (4 * shape.scratch)))
    targets_each = -(-targets // programs)
    programs = -(-targets // targets_each)
    scratch = torch.empty(programs * shape.scratch, dtype=torch.float32, device=device)
    noise = NoiseArrays(*selection[:3], parameters.bias, parameters.log_z, damping.log_z)
    train_runs[(programs,)](
        WindowArrays(windows.words, windows.sentences, windows.reach),
        len(windows.words), windows.first, windows.last, targets_each,
        DampedTable(parameters.input, damping.input), DampedTable(parameters.path, damping.path),
        PathArrays(selection.starts, selection.steps),
        DampedTable(parameters.noise, damping.noise), noise,
        len(damping.input), shape.tiles, scratch, tally, lr, _signed(int(seed)), shape,
        num_warps=tuning.warps, maxnreg=registers_of(*tuning), num_stages=1,
    )  # fmt: skip
    return tally


def program_count(variant: Variant, device: torch.device, vocabulary: int, targets: int) -> int:
    """Returns the number of programs into which so many targets are best cut, for V = vocabulary.

    There are enough programs to keep the device busy to the end, but no more, because each program
    loads the rows of a whole window before it begins. If the vocabulary is small, fewer programs
    than the device has room for are used: each holds copies of 2 · window + 1 input rows, and if
    the copies are a large part of all rows, damping no longer compensates for them.
    """
    most, copies = resident_programs(variant, device), 2 * variant.window + 1
    if most == 1:
        return 1
    most_for_vocabulary = max(1, vocabulary // (WORDS_PER_COPY * copies))
    longest = LONGEST_RUN if most_for_vocabulary >= most else targets
    most = min(most, most_for_vocabulary)
    return -(-targets // max(SHORTEST_RUN, min(longest, -(-targets // most))))


def _signed(seed: int) -> int:
    """Returns the signed 64-bit integer with the same bits as the unsigned `seed`."""
    return (seed + 2**63) % 2**64 - 2**63
