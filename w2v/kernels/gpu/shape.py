"""What is frozen into a kernel's machine code: plain integers, from a configuration. Free of torch
and Triton."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from w2v.errors import InputError
from w2v.kernels.plan import (
    CROSS_ENTROPY,
    LOG_Z_BIAS,
    NOISE,
    PATH,
    SMALLEST,
    WORD_BIAS,
    widest_window,
)

if TYPE_CHECKING:
    from w2v.settings.config import Config

VECTOR = 16  # floats: a row is padded to a multiple, as on the CPU
REGISTERS = 1 << 16  # of a multiprocessor
WARP_FLOATS, MOST_WARPS = 512, 16  # floats of the ring that a warp holds without spilling registers


class Variant(NamedTuple):
    """What a configuration asks of a kernel. dim: floats of a row, stride: with padding; window:
    the farthest context word; from rows to negatives: as in FusedPlan; cbow: 1 for one hidden row
    per window; mean: it is the mean of the context rows, else their sum; share: a context row gets
    its share of the mean's gradient, else all of it."""

    dim: int
    stride: int
    window: int
    rows: int
    link: int
    offsets: int
    skip_hits: int
    bias: int
    negatives: int
    cbow: int
    mean: int
    share: int


class Shape(NamedTuple):
    """The same, as the kernel needs it.

    width: floats of a tile's row, a power of two >= stride. ring: places for context rows, a power
    of two above 2 · window. hidden: hidden rows of a window, ring or (CBOW) 1. tile: output rows
    scored together; tiles: how many such tiles the target and its noise words take. precision: of
    products, a word of Triton's. learns: 0 finds the loss and writes to no row. scratch: floats of
    memory that a program has to itself.
    """

    stride: int
    width: int
    window: int
    ring: int
    hidden: int
    tile: int
    tiles: int
    path: int
    noise: int
    cross_entropy: int
    offsets: int
    skip_hits: int
    word_bias: int
    log_z: int
    negatives: int
    cbow: int
    mean: int
    share: int
    precision: str
    learns: int
    scratch: int


def variant_of(config: Config) -> Variant:
    """Returns what a configuration asks of a kernel.

    Raises:
        InputError: there is no kernel for it.
    """
    model, plan = config.model, config.loss.plan()
    if plan is None:
        raise InputError(f"no kernel for GPUs has the `loss` {config.training.loss}")
    if model.ngram_lengths is not None:
        raise InputError(f"no kernel for GPUs has `subwords` (now {model.subwords})")
    stride = -(-model.dim // VECTOR) * VECTOR
    if model.window > (widest := widest_window(model.dim)):
        raise InputError(
            f"a GPU's registers do not hold the context rows of `dim` {model.dim} and `window`"
            f" {model.window} (at most {widest})"
        )
    mean = model.cbow_hidden == "mean"
    return Variant(
        model.dim,
        stride,
        model.window,
        plan.rows,
        plan.link,
        plan.offsets,
        plan.skip_hits,
        plan.bias,
        plan.negatives,
        int(model.model == "cbow"),
        int(mean),
        int(mean and model.cbow_grad == "mean"),
    )


def shape_of(variant: Variant, precision: str, *, learns: bool) -> Shape:
    """Returns what is frozen into the kernel of a variant."""
    ring, width, tiles = _sizes(variant)
    hidden = 1 if variant.cbow else ring
    return Shape(
        stride=variant.stride,
        width=width,
        window=variant.window,
        ring=ring,
        hidden=hidden,
        tile=SMALLEST,
        tiles=tiles,
        path=int(variant.rows & PATH > 0),
        noise=int(variant.rows & NOISE > 0),
        cross_entropy=int(variant.link == CROSS_ENTROPY),
        offsets=variant.offsets,
        skip_hits=variant.skip_hits,
        word_bias=int(variant.bias & WORD_BIAS > 0),
        log_z=int(variant.bias & LOG_Z_BIAS > 0),
        negatives=variant.negatives,
        cbow=variant.cbow,
        mean=variant.mean,
        share=variant.share,
        precision=precision,
        learns=int(learns),
        scratch=ring * width + tiles * hidden * SMALLEST,
    )


def warps_needed(variant: Variant) -> int:
    """Returns how many warps a program needs to hold its context rows without spilling any."""
    ring, width, tiles = _sizes(variant)
    floats = WARP_FLOATS if variant.cbow or tiles == 1 else WARP_FLOATS // 2
    return max(1, ring * width // floats)


def warps_of(variant: Variant) -> int:
    """Returns how many warps work on a program."""
    return min(MOST_WARPS, warps_needed(variant))


def registers_of(warps: int, precision: str) -> int:
    """Returns how many registers a thread may have: such that programs with 16 warps together share
    a multiprocessor's; all there are for products in more than one pass."""
    at_a_time = MOST_WARPS if precision == "tf32" else warps
    return min(255, REGISTERS // (32 * at_a_time))


def _sizes(variant: Variant) -> tuple[int, int, int]:
    """(places of the ring, floats of a tile's row, tiles of words)."""
    ring, width = _power(2 * variant.window + 1), _power(variant.stride)
    scored = variant.negatives + 1 if variant.rows & NOISE else 1
    return ring, width, -(-scored // SMALLEST)


def _power(number: int) -> int:
    """The smallest power of two >= number, and >= SMALLEST."""
    return max(SMALLEST, 1 << (number - 1).bit_length())
