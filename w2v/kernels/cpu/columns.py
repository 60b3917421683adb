"""Operations on U output rows at once: a part of each, its column, is a vector in a register. They
are emitted without loops, because LLVM unrolls no more than ten turns of one, and a tuple that is
indexed by a variable lies in memory (with twelve rows, three times as slow)."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types

from w2v.kernels.cpu.vector import (
    FLOAT,
    I64,
    VECTOR,
    broadcast,
    constant,
    emits,
    f32x16,
    fused,
    loaded,
    pointer,
    stored,
)

TUPLE = types.UniTuple


def _all(builder: Any, values: list[Any]) -> Any:
    array = ir.Constant(ir.ArrayType(values[0].type, len(values)), ir.Undefined)
    for k, value in enumerate(values):
        array = builder.insert_value(array, value, k)
    return array


def _each(builder: Any, array: Any) -> list[Any]:
    return [builder.extract_value(array, k) for k in range(array.type.count)]


def _after(builder: Any, address: Any, bytes_: int) -> Any:
    return builder.add(address, ir.Constant(I64, bytes_))


@emits(lambda columns, at: TUPLE(types.int64, columns.count), TUPLE, types.int64)
def read_addresses(builder: Any, columns: Any, at: Any) -> Any:
    """Returns U addresses read from address `at`; columns: U vectors of any value."""
    places = [_after(builder, at, 8 * k) for k in range(columns.type.count)]
    return _all(builder, [builder.load(pointer(builder, place, I64)) for place in places])


@emits(lambda rows, d: TUPLE(f32x16, rows.count), TUPLE, types.int64)
def load_columns(builder: Any, rows: Any, d: Any) -> Any:
    """Returns the columns `d` bytes from the start of the rows with these addresses."""
    places = [builder.add(row, d) for row in _each(builder, rows)]
    return _all(builder, [loaded(builder, place) for place in places])


@emits(types.void, TUPLE, types.int64, TUPLE)
def add_columns(builder: Any, rows: Any, d: Any, changes: Any) -> None:
    """Adds the changes to the columns, one after the other: a row that occurs twice gets both."""
    for row, change in zip(_each(builder, rows), _each(builder, changes), strict=True):
        place = builder.add(row, d)
        stored(builder, place, builder.fadd(loaded(builder, place), change))


def _residuals(builder: Any, at: Any, stride: Any, tile: Any, count: int) -> list[Any]:
    """Returns for each of `count` rows its residual in all lanes."""
    spread = []
    for k in range(count):
        turn, lane = divmod(k, tile.type.count)
        start = builder.add(at, builder.mul(stride, ir.Constant(I64, turn)))
        number = builder.load(pointer(builder, _after(builder, start, 4 * lane), FLOAT))
        spread.append(broadcast(builder, number))
    return spread


@emits(
    lambda columns, gradients, *_: types.Tuple((f32x16, gradients)),
    TUPLE, TUPLE, TUPLE, types.int64, types.int64, f32x16, f32x16,
)  # fmt: skip
def change(
    builder: Any, columns: Any, gradients: Any, tile: Any, at: Any, stride: Any, x: Any, y: Any
) -> Any:
    """Returns (y + Σ_k g[k] · columns[k], gradients + g · x) for a hidden row.

    tile: a tuple of length T. at: the address of the residuals g of the hidden row and the first
    tile; those of the next tile are `stride` bytes later.
    """
    kept, sums = _each(builder, gradients), [constant(0.0), y]
    residuals = _residuals(builder, at, stride, tile, len(kept))
    for k, (g, column) in enumerate(zip(residuals, _each(builder, columns), strict=True)):
        # two accumulators, because each addition waits for the one before
        sums[k % 2] = fused(builder, g, column, sums[k % 2])
        kept[k] = fused(builder, g, x, kept[k])
    total = builder.fadd(sums[1], sums[0])
    pair = ir.Constant(ir.LiteralStructType([VECTOR, gradients.type]), ir.Undefined)
    pair = builder.insert_value(pair, total, 0)
    return builder.insert_value(pair, _all(builder, kept), 1)
