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

from w2v.kernels.cpu import vector as v

MASK = ir.VectorType(ir.IntType(1), v.LANES)


@intrinsic(prefer_literal=True)
def multiply_rows(typing, most, groups, rows, x, x_stride, panel, length, out):  # type: ignore[no-untyped-def]
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
            switch.add_case(v.I64(n), case)
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
    zero = v.constant(0.0)
    sums = [[cgutils.alloca_once_value(builder, zero) for _ in range(m)] for _ in range(n)]
    starts = [builder.add(x, builder.mul(x_stride, v.I64(r))) for r in range(n)]
    fma_kind = ir.FunctionType(v.VECTOR, [v.VECTOR] * 3)
    multiply_add = cgutils.get_or_insert_function(builder.module, fma_kind, "llvm.fma.v16f32")
    for row in sums:
        for cell in row:
            builder.store(zero, cell)
    with cgutils.for_range(builder, length, intp=v.I64) as loop:
        weights_at = builder.add(panel, builder.mul(loop.index, v.I64(64 * m)))
        at = [builder.add(weights_at, v.I64(64 * g)) for g in range(m)]
        weights = [_load(builder, each, v.VECTOR) for each in at]
        offset = builder.mul(loop.index, v.I64(4))
        for r in range(n):
            number = _load(builder, builder.add(starts[r], offset), v.FLOAT)
            value = _all_lanes(builder, number, v.VECTOR)
            for g in range(m):
                total = builder.call(multiply_add, [value, weights[g], builder.load(sums[r][g])])
                builder.store(total, sums[r][g])
    for r in range(n):
        for g in range(m):
            place = builder.add(out, v.I64(64 * (r * m + g)))
            pointer = builder.inttoptr(place, v.VECTOR.as_pointer())
            builder.store(builder.load(sums[r][g]), pointer).align = 4


def _load(builder: Any, address: Any, kind: ir.Type) -> Any:
    value = builder.load(builder.inttoptr(address, kind.as_pointer()))
    value.align = 4
    return value


def _all_lanes(builder: Any, value: Any, kind: ir.Type) -> Any:
    undefined = ir.Constant(kind, ir.Undefined)
    one = builder.insert_element(undefined, value, v.I32(0))
    return builder.shuffle_vector(one, undefined, ir.Constant(v.INTEGERS, [0] * v.LANES))


def _mask(builder: Any, count: Any) -> Any:
    """The first `count` lanes."""
    limit = _all_lanes(builder, builder.trunc(count, v.I32), v.INTEGERS)
    return builder.icmp_signed("<", ir.Constant(v.INTEGERS, list(range(v.LANES))), limit)


@intrinsic
def load_first(typing: Any, address: Any, count: Any) -> Any:
    """The first `count` (1 … 16) of sixteen floats from any address; 0 in the lanes left over,
    whose memory is not touched."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(v.VECTOR, [v.VECTOR.as_pointer(), v.I32, MASK, v.VECTOR])
        name = "llvm.masked.load.v16f32.p0"
        function = cgutils.get_or_insert_function(builder.module, kind, name)
        place = builder.inttoptr(args[0], v.VECTOR.as_pointer())
        return builder.call(function, [place, v.I32(4), _mask(builder, args[1]), v.constant(0.0)])

    return v.f32x16(types.int64, types.int64), codegen


@intrinsic
def store_first(typing: Any, address: Any, count: Any, value: Any) -> Any:
    """Writes the first `count` (1 … 16) lanes to any address."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(ir.VoidType(), [v.VECTOR, v.VECTOR.as_pointer(), v.I32, MASK])
        name = "llvm.masked.store.v16f32.p0"
        function = cgutils.get_or_insert_function(builder.module, kind, name)
        place = builder.inttoptr(args[0], v.VECTOR.as_pointer())
        builder.call(function, [args[2], place, v.I32(4), _mask(builder, args[1])])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, v.f32x16), codegen


@njit(nogil=True, boundscheck=False, forceinline=True)
def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x)) by lane, without overflow; NaN gives NaN."""
    small = v.exp(v.negative_abs(x))
    inverse = v.divide(v.spread(1.0), v.add(v.spread(1.0), small))
    return v.where_positive(x, inverse, v.multiply(small, inverse))


@njit(nogil=True, boundscheck=False, forceinline=True)
def tanh(x: Any) -> Any:
    """tanh by lane (absolute error about 1e-7); NaN gives NaN."""
    magnitude = v.negative_abs(x)
    small = v.exp(v.add(magnitude, magnitude))
    value = v.divide(v.subtract(v.spread(1.0), small), v.add(v.spread(1.0), small))
    return v.where_positive(x, value, v.subtract(v.spread(0.0), value))


@njit(nogil=True, boundscheck=False, forceinline=True)
def less_square(x: Any) -> Any:
    """1 - x², the derivative of tanh by its value."""
    return v.fma(v.subtract(v.spread(0.0), x), x, v.spread(1.0))


@njit(nogil=True, boundscheck=False, forceinline=True)
def less_product(x: Any) -> Any:
    """x · (1 - x), the derivative of the sigmoid by its value."""
    return v.multiply(x, v.subtract(v.spread(1.0), x))


@njit(nogil=True, boundscheck=False)
def tile_end(begin: int, end: int, most: int) -> int:
    """End of the tile at `begin`: begin … end in as few tiles of at most `most` rows as can be, of
    like sizes."""
    tiles = (end - begin + most - int64(1)) // most
    return begin + (end - begin + tiles - int64(1)) // tiles
