"""Across the lanes of a vector: sums, products, and tiles of scores.

A tile of Q hidden x T output rows has its scores in lanes q·T + k; the T lanes of one hidden row
are a segment. T and T·Q arrive as the lengths of tuples of vectors (`columns`, `sums`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from w2v.kernels.cpu.vector import (
    FLOAT,
    I32,
    INTEGERS,
    LANES,
    VECTOR,
    broadcast,
    constant,
    emitted,
    f32x16,
    integers,
)

EIGHT = ir.VectorType(FLOAT, 8)


def _tiled(kind: Any) -> Callable[[Callable[..., Any]], Any]:
    """Decorator: makes an intrinsic of what emits its code from a value of that kind, the width of
    a segment, and the number of lanes used."""

    def decorate(emit: Callable[..., Any]) -> Any:
        @intrinsic
        def typed(typing: Any, x: Any, columns: Any, sums: Any) -> Any:
            if not isinstance(columns, types.UniTuple) or not isinstance(sums, types.UniTuple):
                return None

            def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
                return emit(builder, args[0], columns.count, sums.count)

            return f32x16(kind, columns, sums), codegen

        return typed

    return decorate


@_tiled(types.int64)
def load_tile(builder: Any, address: Any, width: int, used: int) -> Any:
    """T floats from `address`, once for each segment; the lanes left over are 0. Eight floats must
    be readable."""
    value = builder.load(builder.inttoptr(address, EIGHT.as_pointer()))
    value.align = 4
    lanes = [lane % width if lane < used else 8 for lane in range(LANES)]
    zeros = ir.Constant(EIGHT, [0.0] * 8)
    return builder.shuffle_vector(value, zeros, ir.Constant(INTEGERS, lanes))


@emitted(types.boolean, f32x16, types.float32)
def any_outside(builder: Any, x: Any, limit: Any) -> Any:
    """Whether a lane of x is not within ±limit (NaN is not)."""
    size = builder.bitcast(builder.and_(builder.bitcast(x, INTEGERS), integers(0x7FFFFFFF)), VECTOR)
    outside = builder.fcmp_unordered(">", size, broadcast(builder, limit))
    bits = builder.bitcast(outside, ir.IntType(LANES))
    return builder.icmp_unsigned("!=", bits, ir.Constant(ir.IntType(LANES), 0))


def _picked(builder: Any, x: Any, lanes: list[int]) -> Any:
    return builder.shuffle_vector(x, x, ir.Constant(INTEGERS, lanes))


def _turned(lane: int, turn: int, width: int, used: int) -> int:
    """The lane that comes `turn` places after `lane` in its segment, going round; unused lanes
    stay."""
    first = lane // width * width
    return first + (lane + turn - first) % width if lane < used else lane


@_tiled(f32x16)
def segment_sum(builder: Any, x: Any, width: int, used: int) -> Any:
    """Every lane gets the sum of its segment; unused lanes get width times theirs."""
    turned = [x]
    for turn in range(1, width):
        lanes = [_turned(lane, turn, width, used) for lane in range(LANES)]
        turned.append(_picked(builder, x, lanes))
    while len(turned) > 1:  # in pairs: few results wait for each other
        pairs = [builder.fadd(a, b) for a, b in zip(turned[::2], turned[1::2], strict=False)]
        turned = pairs + (turned[-1:] if len(turned) % 2 else [])
    return turned[0]


@_tiled(f32x16)
def segment_first(builder: Any, x: Any, width: int, used: int) -> Any:
    """Every lane gets the first lane of its segment."""
    lanes = [lane // width * width if lane < used else lane for lane in range(LANES)]
    return _picked(builder, x, lanes)


# Lane order of the transposed sum. Level by level two vectors become one that holds half as many
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


@intrinsic
def transposed_sum(typing: Any, vectors: Any) -> Any:
    """Lane i holds the sum over the lanes of vectors[i] (up to 16 vectors; further lanes are 0): 3
    instructions a sum instead of 9."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        count = signature.args[0].count
        level: list[Any] = [builder.extract_value(args[0], k) for k in range(count)]
        level += [None] * (LANES - count)
        for orders in _SHUFFLES:
            low, high = (ir.Constant(INTEGERS, order) for order in orders)
            merged: list[Any] = []
            for a, b in zip(level[::2], level[1::2], strict=True):
                if a is None:
                    merged.append(None)
                    continue
                b = constant(0.0) if b is None else b
                parts = [builder.shuffle_vector(a, b, order) for order in (low, high)]
                merged.append(builder.fadd(*parts))
            level = merged
        return level[0]

    if not isinstance(vectors, types.UniTuple) or not 0 < vectors.count <= LANES:
        return None
    return f32x16(vectors), codegen


@emitted(types.float64, f32x16)
def lane_product(builder: Any, x: Any) -> Any:
    """The product of the lanes, in float64 (no overflow while each lane is below 2^63)."""
    return _folded(builder, builder.fmul, x, 1.0)


@emitted(types.float64, f32x16)
def lane_sum(builder: Any, x: Any) -> Any:
    """The sum of the lanes, in float64."""
    return _folded(builder, builder.fadd, x, 0.0)


def _folded(builder: Any, operation: Callable[..., Any], x: Any, start: float) -> Any:
    value = ir.Constant(ir.DoubleType(), start)
    for lane in range(LANES):
        one = builder.extract_element(x, ir.Constant(I32, lane))
        value = operation(value, builder.fpext(one, ir.DoubleType()))
    return value
