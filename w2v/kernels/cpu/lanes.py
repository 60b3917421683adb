"""Operations across the lanes of a vector: sums, products, and tiles of scores.

The scores of a tile of Q hidden x T output rows are in lanes q·T + k; the T lanes of one hidden row
are a segment. T and T·Q are passed as the lengths of tuples of vectors (`columns`, `sums`).
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types

from w2v.kernels.cpu.vector import FLOAT, I32, INTEGERS, LANES, VECTOR, constant, emits, f32x16

EIGHT = ir.VectorType(FLOAT, 8)
DOUBLE = ir.DoubleType()


def _shuffled(builder: Any, x: Any, y: Any, lanes: list[int]) -> Any:
    """Returns the lanes with these numbers, counted through x (0 … 15 if it has 16), then y."""
    return builder.shuffle_vector(x, y, ir.Constant(INTEGERS, lanes))


@emits(f32x16, types.int64, types.UniTuple, types.UniTuple)
def load_tile(builder: Any, address: Any, columns: Any, sums: Any) -> Any:
    """Returns T floats loaded from `address`, repeated for each segment; unused lanes are 0. Eight
    floats must be readable."""
    width, used = columns.type.count, sums.type.count
    value = builder.load(builder.inttoptr(address, EIGHT.as_pointer()))
    value.align = 4
    lanes = [lane % width if lane < used else 8 for lane in range(LANES)]
    return _shuffled(builder, value, ir.Constant(EIGHT, [0.0] * 8), lanes)


@emits(types.boolean, f32x16, types.float32)
def any_outside(builder: Any, x: Any, limit: Any) -> Any:
    """Returns whether a lane of x is not within ±limit (NaN is not)."""
    unsigned = ir.Constant(INTEGERS, [0x7FFFFFFF] * LANES)
    size = builder.bitcast(builder.and_(builder.bitcast(x, INTEGERS), unsigned), VECTOR)
    undefined = ir.Constant(VECTOR, ir.Undefined)
    bounds = builder.insert_element(undefined, limit, ir.Constant(I32, 0))
    outside = builder.fcmp_unordered(">", size, _shuffled(builder, bounds, bounds, [0] * LANES))
    bits = builder.bitcast(outside, ir.IntType(LANES))
    return builder.icmp_unsigned("!=", bits, ir.Constant(ir.IntType(LANES), 0))


@emits(f32x16, f32x16, types.UniTuple, types.UniTuple)
def segment_sum(builder: Any, x: Any, columns: Any, sums: Any) -> Any:
    """Returns in every lane the sum of its segment; unused lanes hold width times their value."""
    width, used = columns.type.count, sums.type.count
    turned = [x]
    for turn in range(1, width):  # rotates each segment by `turn` lanes
        ahead = [lane - lane % width + (lane + turn) % width for lane in range(used)]
        turned.append(_shuffled(builder, x, x, ahead + list(range(used, LANES))))
    while len(turned) > 1:  # in pairs, which shortens the chain of dependent additions
        pairs = [builder.fadd(x, y) for x, y in zip(turned[::2], turned[1::2], strict=False)]
        turned = pairs + (turned[-1:] if len(turned) % 2 else [])
    return turned[0]


@emits(f32x16, f32x16, types.UniTuple, types.UniTuple)
def segment_first(builder: Any, x: Any, columns: Any, sums: Any) -> Any:
    """Returns in every lane the first lane of its segment."""
    width, used = columns.type.count, sums.type.count
    lanes = [lane // width * width if lane < used else lane for lane in range(LANES)]
    return _shuffled(builder, x, x, lanes)


# Lane order of the transposed sum. At each level two vectors are merged into one with half as many
# partial sums of each: pairs of lanes, quads, then 128-bit groups.
_LEVELS = (([0, 16, 1, 17], [2, 18, 3, 19]), ([0, 1, 16, 17], [2, 3, 18, 19]))


def _within_quads(pattern: list[int]) -> list[int]:
    return [4 * quad + lane for quad in range(4) for lane in pattern]


def _quads(pattern: list[int]) -> list[int]:
    return [4 * quad + lane for quad in pattern for lane in range(4)]


_SHUFFLES = [(_within_quads(low), _within_quads(high)) for low, high in _LEVELS] + [
    (_quads([0, 1, 4, 5]), _quads([2, 3, 6, 7])),
    (_quads([0, 2, 4, 6]), _quads([1, 3, 5, 7])),
]


@emits(f32x16, types.UniTuple)
def transposed_sum(builder: Any, vectors: Any) -> Any:
    """Returns in lane i the sum over the lanes of vectors[i] (up to 16 vectors; further lanes are
    0). Takes 3 instructions per sum instead of 9."""
    count = vectors.type.count
    level: list[Any] = [builder.extract_value(vectors, k) for k in range(count)]
    level += [None] * (LANES - count)
    for low, high in _SHUFFLES:
        merged: list[Any] = []
        for a, b in zip(level[::2], level[1::2], strict=True):
            if a is None:
                merged.append(None)
                continue
            b = constant(0.0) if b is None else b
            parts = [_shuffled(builder, a, b, order) for order in (low, high)]
            merged.append(builder.fadd(*parts))
        level = merged
    return level[0]


def _folded(start: float, instruction: str) -> Any:
    """Makes an intrinsic that combines the lanes one by one in float64."""

    @emits(types.float64, f32x16)
    def fold(builder: Any, x: Any) -> Any:
        value = ir.Constant(DOUBLE, start)
        for lane in range(LANES):
            element = builder.extract_element(x, ir.Constant(I32, lane))
            value = getattr(builder, instruction)(value, builder.fpext(element, DOUBLE))
        return value

    return fold


lane_sum = _folded(0.0, "fadd")
lane_product = _folded(1.0, "fmul")  # no overflow while each lane is below 2^63
