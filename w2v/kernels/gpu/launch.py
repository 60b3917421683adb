"""The way into the kernels: tables on a device and the windows of a block -> trained tables, loss.

    variant = variant_of(config)                                once
    pulls(variant, chosen, ...)  ->  .at(lr): damping           once; for every learning rate
    train_windows(variant, rows, chosen, damping, windows, lr, seed) -> [loss, predictions]

On CPU tensors this runs in Triton's interpreter (TRITON_INTERPRET=1 before triton is imported).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from w2v.kernels.gpu.block import Noise, Table, Text, Tree, train_runs
from w2v.kernels.gpu.damping import Damping, pulls
from w2v.kernels.gpu.shape import REGISTERS, Variant, registers_of, shape_of, variant_of, warps_of
from w2v.kernels.gpu.tables import Chosen, Rows

if TYPE_CHECKING:
    from w2v.words.windows import Windows

__all__ = [
    "Chosen", "Damping", "Rows", "Tuning", "Variant", "pulls", "resident", "train_windows",
    "tuning_of", "variant_of",
]  # fmt: skip

LONGEST_RUN, SHORTEST_RUN = 512, 64  # targets of a program
WORDS_PER_COPY = 8  # of the vocabulary, for each row that programs hold
SCRATCH_BYTES = 1 << 27  # of all programs


class Tuning(NamedTuple):
    """What changes a kernel's speed and rounding, but nothing else. precision: of the products,
    "ieee", "tf32x3" or "tf32"."""

    warps: int
    precision: str


def tuning_of(variant: Variant, device: torch.device) -> Tuning:
    """Returns what is taken by default."""
    return Tuning(warps_of(variant), "tf32" if device.type == "cuda" else "ieee")


def resident(variant: Variant, device: torch.device) -> int:
    """Returns how many programs a device works on at the same time: the windows in flight."""
    if device.type != "cuda":
        return 1
    units = torch.cuda.get_device_properties(device).multi_processor_count
    tuning = tuning_of(variant, device)
    return units * (REGISTERS // (32 * tuning.warps * registers_of(*tuning)))


def train_windows(
    variant: Variant, rows: Rows, chosen: Chosen, damping: Damping, windows: Windows, lr: float,
    seed: int, programs: int | None = None, tuning: Tuning | None = None,
) -> Tensor:  # fmt: skip
    """Trains the targets of `windows`; returns (summed loss in nats, predictions), float64 [2] on
    the device, without waiting for it.

    Number j of target number i's noise words comes from seed and i · negatives + j. lr 0: no row is
    written to. programs: how many runs the targets are cut into, which train at the same time (in
    the interpreter one after the other); 1: window by window, in order.
    """
    device, targets = rows.input.device, windows.last - windows.first
    tally = torch.zeros(2, dtype=torch.float64, device=device)
    if targets == 0:
        return tally
    tuning = tuning_of(variant, device) if tuning is None else tuning
    shape = shape_of(variant, tuning.precision, learns=lr != 0)
    if programs is None:
        programs = suitable(variant, device, len(rows.input), targets)
    programs = min(programs, max(1, SCRATCH_BYTES // (4 * shape.scratch)))
    each = -(-targets // programs)
    programs = -(-targets // each)
    scratch = torch.empty(programs * shape.scratch, dtype=torch.float32, device=device)
    noise = Noise(*chosen[:3], rows.bias, rows.log_z, damping.log_z)
    train_runs[(programs,)](
        Text(windows.words, windows.sentences, windows.reach),
        len(windows.words), windows.first, windows.last, each,
        Table(rows.input, damping.input), Table(rows.path, damping.path),
        Tree(chosen.starts, chosen.steps), Table(rows.noise, damping.noise), noise,
        len(damping.input), scratch, tally, lr, _signed(int(seed)), shape,
        num_warps=tuning.warps, maxnreg=registers_of(*tuning), num_stages=1,
    )  # fmt: skip
    return tally


def suitable(variant: Variant, device: torch.device, vocabulary: int, targets: int) -> int:
    """Returns how many programs that many targets are cut into: enough to keep the device busy to
    the end, and no more, for each reads a window's rows before it begins. Where the vocabulary is
    small, fewer than the device has room for: those in flight hold copies of 2 · window + 1 context
    rows each, and when these are many of all there are, damping no longer makes up for it."""
    most, held = resident(variant, device), 2 * variant.window + 1
    if most == 1:
        return 1
    few = max(1, vocabulary // (WORDS_PER_COPY * held))
    longest = LONGEST_RUN if few >= most else targets
    most = min(most, few)
    return -(-targets // max(SHORTEST_RUN, min(longest, -(-targets // most))))


def _signed(seed: int) -> int:
    """The int64 with the seed's 64 bits."""
    return (seed + 2**63) % 2**64 - 2**63
