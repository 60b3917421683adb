"""The constants that are compiled into a kernel, derived from a configuration. Imports neither
torch nor Triton."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from w2v.errors import InputError
from w2v.kernels.plan import (
    CROSS_ENTROPY,
    LOG_Z_BIAS,
    NOISE,
    PATH,
    SMALLEST_TILE,
    WORD_BIAS,
    widest_window,
)

if TYPE_CHECKING:
    from w2v.settings.config import Config

VECTOR = 16  # rows are padded to a multiple of this many floats, as on the CPU
REGISTERS = 1 << 16  # per multiprocessor
WARP_FLOATS = 512  # floats of the ring that a warp holds without spilling registers
MOST_WARPS = 16  # per program


class Variant(NamedTuple):
    """The kernel that a configuration needs.

    dim: length of a row in floats; stride: the same with padding. window: distance of the farthest
    context word. rows to negatives: as in FusedPlan. cbow: 1 for CBOW, with one hidden row per
    window, 0 for skip-gram. mean: 1 if CBOW's hidden row is the mean of the context rows, 0 if it
    is their sum. share: 1 if each context row gets its share of the hidden row's gradient, 0 if it
    gets all of it.
    """

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
    """The constants of a kernel in the form in which it uses them; the fields of the same name are
    explained in `Variant`.

    width: floats per row of a tile, a power of two >= stride. ring: slots of the ring buffer, a
    power of two >= 2 · window + 1. hidden: hidden rows of a window: `ring`, or 1 for CBOW. tile:
    output rows that are scored together. tiles: number of such tiles for the target and its noise
    words. path, noise: 1 if inner nodes, or words, are scored. cross_entropy: 1 for that link, 0
    for the logistic one. word_bias, log_z: 1 if biases of words, or log Z, are trained. precision:
    of matrix products, in Triton's terms. updates: 0 computes the loss and writes to no row.
    scratch: floats of global memory that each program needs for itself.
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
    updates: int
    scratch: int


def variant_of(config: Config) -> Variant:
    """Returns the kernel that a configuration needs.

    Raises:
        InputError: no kernel supports the loss, the n-grams, or this combination of `dim` and
            `window`.
    """
    model, plan = config.model, config.loss.plan()
    if plan is None:
        raise InputError(
            f"there is no GPU kernel for `loss` {config.training.loss}: use `engine` autograd"
        )
    if model.ngram_lengths is not None:
        raise InputError(
            f"there is no GPU kernel for `subwords` (now {model.subwords}): use `engine` autograd"
        )
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


def shape_of(variant: Variant, precision: str, *, updates: bool) -> Shape:
    """Returns the constants of the kernel for a variant."""
    ring, width, tiles = _sizes(variant)
    hidden = 1 if variant.cbow else ring
    return Shape(
        stride=variant.stride,
        width=width,
        window=variant.window,
        ring=ring,
        hidden=hidden,
        tile=SMALLEST_TILE,
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
        updates=int(updates),
        scratch=ring * width + tiles * hidden * SMALLEST_TILE,
    )


def warps_needed(variant: Variant) -> int:
    """Returns how many warps a program needs to hold its ring of context rows in registers."""
    ring, width, tiles = _sizes(variant)
    floats = WARP_FLOATS if variant.cbow or tiles == 1 else WARP_FLOATS // 2
    return max(1, ring * width // floats)


def warps_of(variant: Variant) -> int:
    """Returns how many warps a program gets: `warps_needed`, at most MOST_WARPS."""
    return min(MOST_WARPS, warps_needed(variant))


def registers_of(warps: int, precision: str) -> int:
    """Returns the limit on the registers of a thread. It lets a multiprocessor run 16 warps at a
    time, or, for precisions whose products take several passes, only one program."""
    resident_warps = MOST_WARPS if precision == "tf32" else warps
    return min(255, REGISTERS // (32 * resident_warps))


def _sizes(variant: Variant) -> tuple[int, int, int]:
    """Returns (slots of the ring, floats per row of a tile, tiles of words)."""
    ring, width = _power_of_two(2 * variant.window + 1), _power_of_two(variant.stride)
    scored = variant.negatives + 1 if variant.rows & NOISE else 1
    return ring, width, -(-scored // SMALLEST_TILE)


def _power_of_two(number: int) -> int:
    """Returns the smallest power of two >= number and >= SMALLEST_TILE."""
    return max(SMALLEST_TILE, 1 << (number - 1).bit_length())
