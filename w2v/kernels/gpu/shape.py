"""The constants that are compiled into a kernel, derived from a configuration. Imports neither
torch nor Triton."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from w2v.kernels.plan import CROSS_ENTROPY, LOG_Z_BIAS, NOISE, PATH, SMALLEST_TILE, WORD_BIAS

if TYPE_CHECKING:
    from w2v.settings.config import Config

VECTOR = 16  # rows are padded to a multiple of this many floats, as on the CPU
REGISTERS = 1 << 16  # per multiprocessor
WARP_FLOATS = 512  # floats of the ring that a warp holds without spilling registers
MOST_WARPS = 16  # per program


class Variant(NamedTuple):
    """The constants that are compiled into a kernel.

    stride: floats per row of a table, with padding; width: floats per row of a tile, a power of two
    >= stride. window: distance of the farthest context word; ring: slots of the ring buffer, a
    power of two >= 2 · window + 1. hidden: hidden rows of a window: `ring`, or 1 for CBOW. tile:
    output rows that are scored together; tiles: number of such tiles for the target and its noise
    words.

    path, noise: 1 if inner nodes, or words, are scored. cross_entropy: 1 for that link, 0 for the
    logistic one. offsets, skip_hits, negatives: as in FusedPlan. word_bias, log_z: 1 if biases of
    words, or log Z, are trained. cbow: 1 for CBOW, 0 for skip-gram. mean: 1 if CBOW's hidden row is
    the mean of the context rows, 0 if it is their sum. share: 1 if each context row gets its share
    of the hidden row's gradient, 0 if it gets all of it.

    scratch: floats of global memory that each program needs for itself. precision: of matrix
    products, in Triton's terms. updates: 0 computes the loss and writes to no row.
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
    negatives: int
    word_bias: int
    log_z: int
    cbow: int
    mean: int
    share: int
    scratch: int
    precision: str = "ieee"
    updates: int = 1


def variant_of(config: Config) -> Variant:
    """Returns the kernel that a configuration needs. The settings have refused losses, n-grams and
    windows for which there is none."""
    model, plan = config.model, config.loss.plan()
    assert plan is not None
    stride = -(-model.dim // VECTOR) * VECTOR
    ring, width = _power_of_two(2 * model.window + 1), _power_of_two(stride)
    cbow, mean = model.model == "cbow", model.cbow_hidden == "mean"
    hidden, tiles = 1 if cbow else ring, max(1, -(-plan.noise_rows // SMALLEST_TILE))
    return Variant(
        stride=stride,
        width=width,
        window=model.window,
        ring=ring,
        hidden=hidden,
        tile=SMALLEST_TILE,
        tiles=tiles,
        path=int(plan.rows & PATH > 0),
        noise=int(plan.rows & NOISE > 0),
        cross_entropy=int(plan.link == CROSS_ENTROPY),
        offsets=plan.offsets,
        skip_hits=plan.skip_hits,
        negatives=plan.negatives,
        word_bias=int(plan.bias & WORD_BIAS > 0),
        log_z=int(plan.bias & LOG_Z_BIAS > 0),
        cbow=int(cbow),
        mean=int(mean),
        share=int(mean and model.cbow_grad == "mean"),
        scratch=ring * width + tiles * hidden * SMALLEST_TILE,
    )


def warps_needed(variant: Variant) -> int:
    """Returns how many warps a program needs to hold its ring of context rows in registers."""
    floats = WARP_FLOATS if variant.cbow or variant.tiles == 1 else WARP_FLOATS // 2
    return max(1, variant.ring * variant.width // floats)


def warps_of(variant: Variant) -> int:
    """Returns how many warps a program gets: `warps_needed`, at most MOST_WARPS."""
    return min(MOST_WARPS, warps_needed(variant))


def registers_of(warps: int, precision: str) -> int:
    """Returns the limit on the registers of a thread. It lets a multiprocessor run 16 warps at a
    time, or, for precisions whose products take several passes, only one program."""
    resident_warps = MOST_WARPS if precision == "tf32" else warps
    return min(255, REGISTERS // (32 * resident_warps))


def _power_of_two(number: int) -> int:
    """Returns the smallest power of two >= number and >= SMALLEST_TILE."""
    return max(SMALLEST_TILE, 1 << (number - 1).bit_length())
