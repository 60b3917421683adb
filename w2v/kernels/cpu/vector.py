"""Sixteen floats as one Numba value, and the arithmetic that the window kernel needs on them.

LLVM lowers `<16 x float>` to one AVX-512 register, two AVX registers or four NEON registers, so the
same code runs everywhere. Memory is addressed by plain integers (bytes), because the kernel mixes
rows of several arrays. What is made here are globals of this module: in a kernel's closure they
would be new objects in every process, and Numba's on-disk cache would never hit.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
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


def integers(value: int) -> ir.Constant:
    """All lanes hold the 32 bits `value`."""
    return ir.Constant(INTEGERS, [value] * LANES)


def _pointer(builder: Any, address: Any, kind: ir.Type) -> Any:
    return builder.inttoptr(address, kind.as_pointer())


def emitted(result: Any, *kinds: Any) -> Callable[[Callable[..., Any]], Any]:
    """Decorator: makes an intrinsic of what emits its code from values of `kinds`."""

    def decorate(emit: Callable[..., Any]) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            value = emit(builder, *args)
            return context.get_dummy_value() if result is types.void else value

        @intrinsic
        @wraps(emit)
        def typed(typing: Any, *given: Any) -> Any:
            return result(*kinds), codegen

        return typed

    return decorate


@emitted(f32x16, types.int64)
def load(builder: Any, address: Any) -> Any:
    """Sixteen floats from any address (alignment 4)."""
    value = builder.load(_pointer(builder, address, VECTOR))
    value.align = 4
    return value


@emitted(types.void, types.int64, f32x16)
def store(builder: Any, address: Any, value: Any) -> None:
    """Sixteen floats to any address (alignment 4)."""
    builder.store(value, _pointer(builder, address, VECTOR)).align = 4


@emitted(f32x16, types.float32)
def spread(builder: Any, x: Any) -> Any:
    """One float in all lanes."""
    return broadcast(builder, x)


@emitted(f32x16, types.int64)
def load_spread(builder: Any, address: Any) -> Any:
    """The float at `address` in all lanes."""
    return broadcast(builder, builder.load(_pointer(builder, address, FLOAT)))


def broadcast(builder: Any, value: Any) -> Any:
    """Emits a vector of `value` in all lanes."""
    undefined = ir.Constant(VECTOR, ir.Undefined)
    one = builder.insert_element(undefined, value, ir.Constant(I32, 0))
    return builder.shuffle_vector(one, undefined, integers(0))


@emitted(f32x16, f32x16, f32x16, f32x16)
def fma(builder: Any, x: Any, y: Any, z: Any) -> Any:
    """x·y + z, rounded once."""
    return _call(builder, "llvm.fma.v16f32", x, y, z)


def _call(builder: Any, name: str, *args: Any) -> Any:
    kind = ir.FunctionType(VECTOR, [VECTOR] * len(args))
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), args)


@emitted(f32x16, f32x16, f32x16)
def add(builder: Any, x: Any, y: Any) -> Any:
    """x + y."""
    return builder.fadd(x, y)


@emitted(f32x16, f32x16, f32x16)
def subtract(builder: Any, x: Any, y: Any) -> Any:
    """x - y."""
    return builder.fsub(x, y)


@emitted(f32x16, f32x16, f32x16)
def multiply(builder: Any, x: Any, y: Any) -> Any:
    """x · y."""
    return builder.fmul(x, y)


@emitted(f32x16, f32x16, f32x16)
def divide(builder: Any, x: Any, y: Any) -> Any:
    """x / y."""
    return builder.fdiv(x, y)


@emitted(f32x16, f32x16)
def negative_abs(builder: Any, x: Any) -> Any:
    """-|x|: sets the sign bit."""
    bits = builder.or_(builder.bitcast(x, INTEGERS), integers(1 << 31))
    return builder.bitcast(bits, VECTOR)


@emitted(f32x16, f32x16, f32x16, f32x16)
def where_positive(builder: Any, x: Any, yes: Any, no: Any) -> Any:
    """`yes` in the lanes where x > 0, else `no` (so also where x is NaN)."""
    return builder.select(builder.fcmp_ordered(">", x, constant(0.0)), yes, no)


@emitted(f32x16, f32x16, f32x16)
def minimum(builder: Any, x: Any, y: Any) -> Any:
    """The smaller of x and y, lane by lane; y where x is NaN."""
    return builder.select(builder.fcmp_ordered("<", x, y), x, y)


@emitted(f32x16, f32x16)
def exp(builder: Any, x: Any) -> Any:
    """exp(x) for x < 88 to 2 ulp; below -87 it is exp(-87) (about 1.6e-38), so that nothing becomes
    denormal; NaN gives NaN.

    2^n · p(r) with n = round(x / ln 2), r = x - n · ln 2 in two parts, p the Taylor polynomial of
    degree 7 (|r| <= ln 2 / 2: error below 1e-8).
    """
    floor = constant(-87.0)
    clamped = builder.select(builder.fcmp_ordered("<", x, floor), floor, x)
    n = _call(builder, "llvm.rint.v16f32", builder.fmul(clamped, constant(1.4426950408889634)))
    r = _call(builder, "llvm.fma.v16f32", n, constant(-0.693359375), clamped)
    r = _call(builder, "llvm.fma.v16f32", n, constant(2.12194440e-4), r)
    value = constant(1 / 5040)
    for coefficient in (1 / 720, 1 / 120, 1 / 24, 1 / 6, 1 / 2, 1.0, 1.0):
        value = _call(builder, "llvm.fma.v16f32", value, r, constant(coefficient))
    exponent = builder.add(builder.fptosi(n, INTEGERS), integers(127))
    return builder.fmul(value, builder.bitcast(builder.shl(exponent, integers(23)), VECTOR))


def _scalar_access(kind: Any, of: ir.Type) -> tuple[Any, Any]:
    """Intrinsics that read and write one number at an address. (Per-window functions get addresses,
    not arrays, whose references Numba counts by an atomic instruction at every call.)"""

    def read(builder: Any, address: Any) -> Any:
        return builder.load(_pointer(builder, address, of))

    def write(builder: Any, address: Any, value: Any) -> None:
        builder.store(value, _pointer(builder, address, of))

    return emitted(kind, types.int64)(read), emitted(types.void, types.int64, kind)(write)


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


@emitted(types.void, types.int64)
def prefetch(builder: Any, address: Any) -> None:
    """Asks for the cache line at `address`, to be written."""
    byte = ir.IntType(8)
    kind = ir.FunctionType(ir.VoidType(), [byte.as_pointer(), I32, I32, I32])
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    flags = [ir.Constant(I32, flag) for flag in (1, 3, 1)]
    builder.call(function, [_pointer(builder, address, byte), *flags])


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
