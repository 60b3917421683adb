"""Sixteen floats as one Numba value, and the arithmetic on them that the window kernel needs.

LLVM compiles `<16 x float>` to one AVX-512 register, two AVX registers or four NEON registers, so
the same code runs everywhere. Memory is addressed by plain integers (bytes), because the kernel
mixes rows of several arrays. (Functions called per window get addresses instead of arrays: Numba
updates an array's reference count atomically at every call, which took a third of the time.)
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

from w2v.kernels.cpu.parts import inlined

LANES = 16
FLOAT = ir.FloatType()
I32 = ir.IntType(32)
I64 = ir.IntType(64)
VECTOR = ir.VectorType(FLOAT, LANES)
INTEGERS = ir.VectorType(I32, LANES)


class F32x16(types.Type):
    """The Numba type of sixteen float32 lanes."""

    def __init__(self) -> None:
        super().__init__(name="f32x16")


@register_model(F32x16)
class F32x16Model(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, VECTOR)


f32x16 = F32x16()


def constant(value: float) -> ir.Constant:
    """Returns a constant vector with `value` in all lanes."""
    return ir.Constant(VECTOR, [value] * LANES)


def pointer(builder: Any, address: Any, kind: ir.Type) -> Any:
    """Emits an address as a pointer."""
    return builder.inttoptr(address, kind.as_pointer())


def broadcast(builder: Any, value: Any) -> Any:
    """Emits a vector with `value` in all lanes."""
    undefined = ir.Constant(VECTOR, ir.Undefined)
    one = builder.insert_element(undefined, value, ir.Constant(I32, 0))
    return builder.shuffle_vector(one, undefined, ir.Constant(INTEGERS, [0] * LANES))


def _call(builder: Any, name: str, *args: Any) -> Any:
    kind = ir.FunctionType(VECTOR, [VECTOR] * len(args))
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), args)


def emits(result: Any, *arguments: Any) -> Callable[[Callable[..., Any]], Any]:
    """Makes an intrinsic from a function that emits LLVM code. The function is called with the
    builder and the values of arguments of these types, and returns the result, or None for `void`.
    An argument whose type is a class, `UniTuple`, may have any type of that class. result: its
    type, or a function of the arguments' types that returns it."""

    def decorate(emit: Callable[..., Any]) -> Any:
        @wraps(emit)
        def typed(typing: Any, *actual: Any) -> Any:
            kinds = []
            for kind, own in zip(arguments, actual, strict=True):
                if isinstance(kind, type) and not isinstance(own, kind):
                    return None
                kinds.append(own if isinstance(kind, type) else kind)

            def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
                value = emit(builder, *args)
                return context.get_dummy_value() if value is None else value

            returned = result if isinstance(result, types.Type) else result(*kinds)
            return returned(*kinds), codegen

        return intrinsic(typed)

    return decorate


def loaded(builder: Any, address: Any) -> Any:
    """Emits the load of sixteen floats from any address (alignment 4)."""
    value = builder.load(pointer(builder, address, VECTOR))
    value.align = 4
    return value


def stored(builder: Any, address: Any, value: Any) -> None:
    """Emits the store of sixteen floats at any address (alignment 4)."""
    builder.store(value, pointer(builder, address, VECTOR)).align = 4


load = emits(f32x16, types.int64)(loaded)
store = emits(types.void, types.int64, f32x16)(stored)


@emits(f32x16, types.float32)
def spread(builder: Any, x: Any) -> Any:
    """Returns a vector with x in all lanes."""
    return broadcast(builder, x)


@emits(f32x16, types.int64)
def load_spread(builder: Any, address: Any) -> Any:
    """Returns a vector with the float at `address` in all lanes."""
    return broadcast(builder, builder.load(pointer(builder, address, FLOAT)))


def _arithmetic(instruction: str) -> Any:
    @emits(f32x16, f32x16, f32x16)
    def lane_by_lane(builder: Any, x: Any, y: Any) -> Any:
        return getattr(builder, instruction)(x, y)

    return lane_by_lane


add, subtract, multiply, divide = map(_arithmetic, ("fadd", "fsub", "fmul", "fdiv"))


def fused(builder: Any, x: Any, y: Any, z: Any) -> Any:
    """Emits x·y + z, rounded once."""
    return _call(builder, "llvm.fma.v16f32", x, y, z)


fma = emits(f32x16, f32x16, f32x16, f32x16)(fused)


@emits(f32x16, f32x16)
def negative_abs(builder: Any, x: Any) -> Any:
    """Returns -|x| by setting the sign bit."""
    signs = ir.Constant(INTEGERS, [1 << 31] * LANES)
    return builder.bitcast(builder.or_(builder.bitcast(x, INTEGERS), signs), VECTOR)


@emits(f32x16, f32x16, f32x16, f32x16)
def where_positive(builder: Any, x: Any, yes: Any, no: Any) -> Any:
    """Returns `yes` in the lanes where x > 0, else `no` (also where x is NaN)."""
    return builder.select(builder.fcmp_ordered(">", x, constant(0.0)), yes, no)


@emits(f32x16, f32x16, f32x16)
def minimum(builder: Any, x: Any, y: Any) -> Any:
    """Returns the smaller of x and y, lane by lane; y where x is NaN."""
    return builder.select(builder.fcmp_ordered("<", x, y), x, y)


@emits(f32x16, f32x16)
def exp(builder: Any, x: Any) -> Any:
    """Returns exp(x) for x < 88 to 2 ulp; below -87, exp(-87) (about 1.6e-38), to avoid denormal
    numbers; NaN for NaN.

    2^n · p(r) with n = round(x / ln 2), r = x - n · ln 2 in two parts, and p the Taylor polynomial
    of degree 7 (|r| <= ln 2 / 2: error below 1e-8).
    """
    floor = constant(-87.0)
    clamped = builder.select(builder.fcmp_ordered("<", x, floor), floor, x)
    n = _call(builder, "llvm.rint.v16f32", builder.fmul(clamped, constant(1.4426950408889634)))
    r = fused(builder, n, constant(-0.693359375), clamped)
    r = fused(builder, n, constant(2.12194440e-4), r)
    value = constant(1 / 5040)
    for coefficient in (1 / 720, 1 / 120, 1 / 24, 1 / 6, 1 / 2, 1.0, 1.0):
        value = fused(builder, value, r, constant(coefficient))
    exponent = builder.add(builder.fptosi(n, INTEGERS), ir.Constant(INTEGERS, [127] * LANES))
    scale = builder.bitcast(builder.shl(exponent, ir.Constant(INTEGERS, [23] * LANES)), VECTOR)
    return builder.fmul(value, scale)


def _scalar_access(kind: Any, ir_kind: ir.Type) -> tuple[Any, Any]:
    """Returns intrinsics that read and write one number at an address."""

    @emits(kind, types.int64)
    def read(builder: Any, address: Any) -> Any:
        return builder.load(pointer(builder, address, ir_kind))

    @emits(types.void, types.int64, kind)
    def write(builder: Any, address: Any, value: Any) -> None:
        builder.store(value, pointer(builder, address, ir_kind))

    return read, write


read_float, write_float = _scalar_access(types.float32, FLOAT)
read_int, write_int = _scalar_access(types.int32, I32)
read_long, write_long = _scalar_access(types.int64, I64)


@intrinsic(prefer_literal=True)
def zeros(typing: Any, n: Any) -> Any:
    """Returns a tuple of n vectors of zeros; n is a constant."""
    if not isinstance(n, types.IntegerLiteral):
        return None
    kind = types.UniTuple(f32x16, n.literal_value)
    return kind(n), lambda context, builder, signature, args: context.get_constant_null(kind)


@emits(types.void, types.int64)
def prefetch(builder: Any, address: Any) -> None:
    """Prefetches the cache line at `address` into the second-level cache. The first level would be
    too small: a word's n-grams fill a quarter of it, and push out the rows that are in use."""
    byte = ir.IntType(8)
    kind = ir.FunctionType(ir.VoidType(), [byte.as_pointer(), I32, I32, I32])
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    flags = [ir.Constant(I32, flag) for flag in (0, 2, 1)]  # read, second level, data
    builder.call(function, [pointer(builder, address, byte), *flags])


@inlined
def copy_rows(target: int, source: int, size: int) -> None:
    """Copies `size` bytes (a multiple of 64) from address `source` to `target`."""
    for i in range(0, size, 64):
        store(target + i, load(source + i))


@inlined
def prefetch_row(address: int, size: int) -> None:
    """Prefetches the row of `size` bytes at `address`."""
    for i in range(0, size, 64):
        prefetch(address + i)
