"""Sixteen floats as one Numba value, and the arithmetic that the window kernel needs on them.

LLVM lowers `<16 x float>` to one AVX-512 register, two AVX registers or four NEON registers, so the
same code runs everywhere. Memory is addressed by plain integers (bytes), because the kernel mixes
rows of several arrays. The intrinsics stand at module level: made inside a factory they would be
new objects in every process, and Numba's on-disk cache would never hit.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

LANES = 16
FLOAT = ir.FloatType()
I32 = ir.IntType(32)
I64 = ir.IntType(64)
VECTOR = ir.VectorType(FLOAT, LANES)
INTEGERS = ir.VectorType(I32, LANES)


class F32x16(types.Type):
    """Numba's name for sixteen float32 lanes."""

    def __init__(self) -> None:
        super().__init__(name="f32x16")


@register_model(F32x16)
class F32x16Model(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, VECTOR)


f32x16 = F32x16()


def constant(value: float) -> ir.Constant:
    """All lanes hold `value`."""
    return ir.Constant(VECTOR, [value] * LANES)


def _pointer(builder: Any, address: Any, kind: ir.Type) -> Any:
    return builder.inttoptr(address, kind.as_pointer())


@intrinsic
def load(typing: Any, address: Any) -> Any:
    """Sixteen floats from any address (alignment 4)."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        value = builder.load(_pointer(builder, args[0], VECTOR))
        value.align = 4
        return value

    return f32x16(types.int64), codegen


@intrinsic
def store(typing: Any, address: Any, value: Any) -> Any:
    """Sixteen floats to any address (alignment 4)."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store(args[1], _pointer(builder, args[0], VECTOR)).align = 4
        return context.get_dummy_value()

    return types.void(types.int64, f32x16), codegen


@intrinsic
def spread(typing: Any, x: Any) -> Any:
    """One float in all lanes."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _broadcast(builder, args[0])

    return f32x16(types.float32), codegen


@intrinsic
def load_spread(typing: Any, address: Any) -> Any:
    """The float at `address` in all lanes."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _broadcast(builder, builder.load(_pointer(builder, args[0], FLOAT)))

    return f32x16(types.int64), codegen


def _broadcast(builder: Any, value: Any) -> Any:
    undefined = ir.Constant(VECTOR, ir.Undefined)
    one = builder.insert_element(undefined, value, ir.Constant(I32, 0))
    return builder.shuffle_vector(one, undefined, ir.Constant(INTEGERS, [0] * LANES))


@intrinsic
def fma(typing: Any, x: Any, y: Any, z: Any) -> Any:
    """x·y + z, rounded once."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _call(builder, "llvm.fma.v16f32", args)

    return f32x16(f32x16, f32x16, f32x16), codegen


def _call(builder: Any, name: str, args: Any) -> Any:
    function = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(VECTOR, [VECTOR] * len(args)), name
    )
    return builder.call(function, args)


@intrinsic
def add(typing: Any, x: Any, y: Any) -> Any:
    """x + y."""
    return f32x16(f32x16, f32x16), lambda context, builder, signature, args: builder.fadd(
        args[0], args[1]
    )


@intrinsic
def subtract(typing: Any, x: Any, y: Any) -> Any:
    """x - y."""
    return f32x16(f32x16, f32x16), lambda context, builder, signature, args: builder.fsub(
        args[0], args[1]
    )


@intrinsic
def multiply(typing: Any, x: Any, y: Any) -> Any:
    """x · y."""
    return f32x16(f32x16, f32x16), lambda context, builder, signature, args: builder.fmul(
        args[0], args[1]
    )


@intrinsic
def divide(typing: Any, x: Any, y: Any) -> Any:
    """x / y."""
    return f32x16(f32x16, f32x16), lambda context, builder, signature, args: builder.fdiv(
        args[0], args[1]
    )


@intrinsic
def negative_abs(typing: Any, x: Any) -> Any:
    """-|x|: sets the sign bit."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        bits = builder.or_(
            builder.bitcast(args[0], INTEGERS), ir.Constant(INTEGERS, [1 << 31] * LANES)
        )
        return builder.bitcast(bits, VECTOR)

    return f32x16(f32x16), codegen


@intrinsic
def where_positive(typing: Any, x: Any, yes: Any, no: Any) -> Any:
    """`yes` in the lanes where x > 0, else `no` (so also where x is NaN)."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered(">", args[0], constant(0.0)), args[1], args[2])

    return f32x16(f32x16, f32x16, f32x16), codegen


@intrinsic
def minimum(typing: Any, x: Any, y: Any) -> Any:
    """The smaller of x and y, lane by lane; y where x is NaN."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered("<", args[0], args[1]), args[0], args[1])

    return f32x16(f32x16, f32x16), codegen


@intrinsic
def exp(typing: Any, x: Any) -> Any:
    """exp(x) for x < 88 to 2 ulp; below -87 it is exp(-87) (about 1.6e-38), so that nothing becomes
    denormal; NaN gives NaN.

    2^n · p(r) with n = round(x / ln 2), r = x - n · ln 2 in two parts, p the Taylor polynomial of
    degree 7 (|r| <= ln 2 / 2: error below 1e-8).
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        floor = constant(-87.0)
        clamped = builder.select(builder.fcmp_ordered("<", args[0], floor), floor, args[0])
        n = _call(
            builder, "llvm.rint.v16f32", [builder.fmul(clamped, constant(1.4426950408889634))]
        )
        r = _call(builder, "llvm.fma.v16f32", [n, constant(-0.693359375), clamped])
        r = _call(builder, "llvm.fma.v16f32", [n, constant(2.12194440e-4), r])
        value = constant(1 / 5040)
        for coefficient in (1 / 720, 1 / 120, 1 / 24, 1 / 6, 1 / 2, 1.0, 1.0):
            value = _call(builder, "llvm.fma.v16f32", [value, r, constant(coefficient)])
        exponent = builder.add(builder.fptosi(n, INTEGERS), ir.Constant(INTEGERS, [127] * LANES))
        scale = builder.bitcast(builder.shl(exponent, ir.Constant(INTEGERS, [23] * LANES)), VECTOR)
        return builder.fmul(value, scale)

    return f32x16(f32x16), codegen


def _scalar_access(kind: Any, ir_kind: ir.Type) -> tuple[Any, Any]:
    """Intrinsics that read and write one number at an address. (Per-window functions get addresses,
    not arrays: Numba counts the references to an array with an atomic instruction at every call,
    which took a third of the time.)
    """

    @intrinsic
    def read(typing: Any, address: Any) -> Any:
        return kind(types.int64), lambda context, builder, signature, args: builder.load(
            _pointer(builder, args[0], ir_kind)
        )

    @intrinsic
    def write(typing: Any, address: Any, value: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            builder.store(args[1], _pointer(builder, args[0], ir_kind))
            return context.get_dummy_value()

        return types.void(types.int64, kind), codegen

    return read, write


read_float, write_float = _scalar_access(types.float32, FLOAT)
read_int, write_int = _scalar_access(types.int32, I32)
read_long, write_long = _scalar_access(types.int64, I64)


@intrinsic(prefer_literal=True)
def zeros(typing: Any, n: Any) -> Any:
    """A tuple of n vectors of zeros."""
    if not isinstance(n, types.IntegerLiteral):
        return None
    kind = types.UniTuple(f32x16, n.literal_value)
    return kind(n), lambda context, builder, signature, args: context.get_constant_null(kind)


@intrinsic(prefer_literal=True)
def int_zeros(typing: Any, n: Any) -> Any:
    """A tuple of n int64 zeros."""
    if not isinstance(n, types.IntegerLiteral):
        return None
    kind = types.UniTuple(types.int64, n.literal_value)
    return kind(n), lambda context, builder, signature, args: context.get_constant_null(kind)


@intrinsic
def prefetch(typing: Any, address: Any) -> Any:
    """Asks for the cache line at `address`, to be written."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        byte = ir.IntType(8)
        kind = ir.FunctionType(ir.VoidType(), [byte.as_pointer(), I32, I32, I32])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(
            function,
            [_pointer(builder, args[0], byte)] + [ir.Constant(I32, flag) for flag in (1, 3, 1)],
        )
        return context.get_dummy_value()

    return types.void(types.int64), codegen


@njit(nogil=True, boundscheck=False, forceinline=True)
def copy_rows(target: int, source: int, size: int) -> None:
    """target = source over `size` bytes (a multiple of 64) at two addresses."""
    for i in range(0, size, 64):
        store(target + i, load(source + i))


@njit(nogil=True, boundscheck=False, forceinline=True)
def prefetch_row(address: int, size: int) -> None:
    """Asks for the row of `size` bytes at `address`."""
    for i in range(0, size, 64):
        prefetch(address + i)
