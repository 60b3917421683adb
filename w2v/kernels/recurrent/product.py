"""Small matrix products out of registers, and the vector functions of the gates.

A panel is 16 columns (units) of a weight matrix, packed so that the kernel reads it from front to
back: for every row k of the matrix `groups` vectors of 16 floats (a GRU's three gates of the same
16 units, say).
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import int64, njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from w2v.kernels.cpu.vector import (
    FLOAT,
    I32,
    I64,
    INTEGERS,
    LANES,
    VECTOR,
    add,
    divide,
    exp,
    f32x16,
    fma,
    multiply,
    negative_abs,
    spread,
    subtract,
    where_positive,
)

MASK = ir.VectorType(ir.IntType(1), LANES)


@intrinsic(prefer_literal=True)
def multiply_rows(
    typing: Any,
    most: Any,
    groups: Any,
    rows: Any,
    x: Any,
    x_stride: Any,
    panel: Any,
    length: Any,
    out: Any,
) -> Any:
    """out[r, g] = Σ_k x[r, k] · panel[k, g] for 1 … `most` rows, all sums held in registers: code
    for every number of rows, chosen when it runs.

    x, panel, out: addresses; row r of x is at x + r · x_stride (bytes); length: the number of k, at
    least 1.
    """
    if not isinstance(most, types.IntegerLiteral) or not isinstance(groups, types.IntegerLiteral):
        return None
    limit, m = most.literal_value, groups.literal_value

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        done = builder.append_basic_block("done")
        cases = [builder.append_basic_block(f"rows{n}") for n in range(1, limit + 1)]
        switch = builder.switch(args[2], cases[-1])
        for n, case in enumerate(cases, 1):
            switch.add_case(I64(n), case)
            builder.position_at_end(case)
            _multiply(builder, n, m, *args[3:])
            builder.branch(done)
        builder.position_at_end(done)
        return context.get_dummy_value()

    return types.void(most, groups, *[types.int64] * 6), codegen


def _multiply(
    builder: Any, n: int, m: int, x: Any, x_stride: Any, panel: Any, length: Any, out: Any
) -> None:
    """The code of multiply_rows for n rows and m groups."""
    zero = ir.Constant(VECTOR, [0.0] * LANES)
    sums = [[cgutils.alloca_once_value(builder, zero) for _ in range(m)] for _ in range(n)]
    starts = [builder.add(x, builder.mul(x_stride, I64(r))) for r in range(n)]
    fma_kind = ir.FunctionType(VECTOR, [VECTOR] * 3)
    multiply_add = cgutils.get_or_insert_function(builder.module, fma_kind, "llvm.fma.v16f32")
    for row in sums:
        for cell in row:
            builder.store(zero, cell)
    with cgutils.for_range(builder, length, intp=I64) as loop:
        weights_at = builder.add(panel, builder.mul(loop.index, I64(64 * m)))
        weights = [_load(builder, builder.add(weights_at, I64(64 * g)), VECTOR) for g in range(m)]
        offset = builder.mul(loop.index, I64(4))
        for r in range(n):
            value = _all_lanes(
                builder, _load(builder, builder.add(starts[r], offset), FLOAT), VECTOR
            )
            for g in range(m):
                total = builder.call(multiply_add, [value, weights[g], builder.load(sums[r][g])])
                builder.store(total, sums[r][g])
    for r in range(n):
        for g in range(m):
            pointer = builder.inttoptr(builder.add(out, I64(64 * (r * m + g))), VECTOR.as_pointer())
            builder.store(builder.load(sums[r][g]), pointer).align = 4


def _load(builder: Any, address: Any, kind: ir.Type) -> Any:
    value = builder.load(builder.inttoptr(address, kind.as_pointer()))
    value.align = 4
    return value


def _all_lanes(builder: Any, value: Any, kind: ir.Type) -> Any:
    undefined = ir.Constant(kind, ir.Undefined)
    one = builder.insert_element(undefined, value, I32(0))
    return builder.shuffle_vector(one, undefined, ir.Constant(INTEGERS, [0] * LANES))


def _mask(builder: Any, count: Any) -> Any:
    """The first `count` lanes."""
    limit = _all_lanes(builder, builder.trunc(count, I32), INTEGERS)
    return builder.icmp_signed("<", ir.Constant(INTEGERS, list(range(LANES))), limit)


@intrinsic
def load_first(typing: Any, address: Any, count: Any) -> Any:
    """The first `count` (1 … 16) of sixteen floats from any address; 0 in the lanes left over,
    whose memory is not touched."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = VECTOR.as_pointer()
        kind = ir.FunctionType(VECTOR, [pointer, I32, MASK, VECTOR])
        function = cgutils.get_or_insert_function(
            builder.module, kind, "llvm.masked.load.v16f32.p0"
        )
        zero = ir.Constant(VECTOR, [0.0] * LANES)
        return builder.call(
            function, [builder.inttoptr(args[0], pointer), I32(4), _mask(builder, args[1]), zero]
        )

    return f32x16(types.int64, types.int64), codegen


@intrinsic
def store_first(typing: Any, address: Any, count: Any, value: Any) -> Any:
    """Writes the first `count` (1 … 16) lanes to any address."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = VECTOR.as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [VECTOR, pointer, I32, MASK])
        function = cgutils.get_or_insert_function(
            builder.module, kind, "llvm.masked.store.v16f32.p0"
        )
        builder.call(
            function, [args[2], builder.inttoptr(args[0], pointer), I32(4), _mask(builder, args[1])]
        )
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, f32x16), codegen


@njit(nogil=True, boundscheck=False, forceinline=True)
def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x)) by lane, without overflow; NaN gives NaN."""
    small = exp(negative_abs(x))
    inverse = divide(spread(1.0), add(spread(1.0), small))
    return where_positive(x, inverse, multiply(small, inverse))


@njit(nogil=True, boundscheck=False, forceinline=True)
def tanh(x: Any) -> Any:
    """tanh by lane (absolute error about 1e-7); NaN gives NaN."""
    magnitude = negative_abs(x)
    small = exp(add(magnitude, magnitude))
    value = divide(subtract(spread(1.0), small), add(spread(1.0), small))
    return where_positive(x, value, subtract(spread(0.0), value))


@njit(nogil=True, boundscheck=False, forceinline=True)
def less_square(x: Any) -> Any:
    """1 - x², the derivative of tanh by its value."""
    return fma(subtract(spread(0.0), x), x, spread(1.0))


@njit(nogil=True, boundscheck=False, forceinline=True)
def less_product(x: Any) -> Any:
    """x · (1 - x), the derivative of the sigmoid by its value."""
    return multiply(x, subtract(spread(1.0), x))


@njit(nogil=True, boundscheck=False)
def tile_end(begin: int, end: int, most: int) -> int:
    """End of the tile at `begin`: begin … end in as few tiles of at most `most` rows as can be, of
    like sizes."""
    tiles = (end - begin + most - int64(1)) // most
    return begin + (end - begin + tiles - int64(1)) // tiles
