"""Helpers of the losses: argument checks, dtypes, second derivatives, and support for torch.compile
and torch.func."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.nn import functional as F

from w2v.errors import shown
from w2v.sampling.checks import check_dense

Tensors = Sequence[Tensor | None]
# error messages of PyTorch for operations that vmap does not support
VMAP_ERRORS = re.compile(
    "vmap|batching rule|data pointer|storage|setup_context|broadcast shape", re.I
)
LARGEST = torch.finfo(torch.float32).max
Function = TypeVar("Function", bound=Callable[..., Any])
_trusted: ContextVar[bool] = ContextVar("trusted_targets", default=False)


def eager(function: Function) -> Function:
    """Decorates a public function. Keeps torch.compile out (the graph breaks there and the function
    runs eagerly), because the function branches on values and calls libraries that the compiler
    does not know. Raises ValueError if an argument annotated as Tensor is not a dense tensor or is
    on another device than the others, or for operations that torch.func.vmap does not support."""
    declared, empty = inspect.signature(function).parameters.values(), inspect.Parameter.empty
    tensors = [
        (index, parameter.name, parameter.annotation == "Tensor | None")
        for index, parameter in enumerate(declared)
        if parameter.annotation in ("Tensor", "Tensor | None")
    ]

    def checked(*args: Any, **kwargs: Any) -> Any:
        values = {}
        for index, name, optional in tensors:
            value = args[index] if index < len(args) else kwargs.get(name, empty)
            # Python itself reports a missing argument
            if value is not empty and not (value is None and optional):
                values[name] = value
        check_tensors(**values)
        if not transformed():
            return function(*args, **kwargs)
        try:
            return function(*args, **kwargs)
        except RuntimeError as error:
            if not (under_vmap() and VMAP_ERRORS.search(str(error))):
                raise
            cause = f"{function.__qualname__} branches on values, which torch.func.vmap hides"
            raise ValueError(f"{cause}: call it with the whole batch, outside of vmap") from error

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if torch.compiler.is_compiling():
            return torch.compiler.disable(checked)(*args, **kwargs)  # type: ignore[no-untyped-call]
        return checked(*args, **kwargs)

    return call  # type: ignore[return-value]


def check_tensors(**values: object) -> None:
    """Raises ValueError unless each named value is a dense tensor, all on the same device."""
    first: tuple[str, torch.device] | None = None
    for name, value in values.items():
        if not isinstance(value, Tensor):
            raise ValueError(f"{name} is a {type(value).__name__}, it must be a tensor")
        check_dense(value, name)
        first = first or (name, value.device)
        if value.device != first[1]:
            devices = f"{first[0]} is on {first[1]} and {name} on {value.device}"
            raise ValueError(f"{devices}, they must be on one device")


def check_floating(**tensors: Tensor | None) -> None:
    """Raises ValueError unless each named tensor is floating point or None."""
    for name, tensor in tensors.items():
        if tensor is not None and not tensor.is_floating_point():
            raise ValueError(f"{name} is {tensor.dtype}, it must be floating point")


def checked_integers(target: Tensor, name: str = "targets") -> Tensor:
    """Returns the target as int64. Raises ValueError unless it holds integers."""
    if target.is_floating_point() or target.is_complex() or target.dtype == torch.bool:
        raise ValueError(f"{name} are {target.dtype}, they must be integers")
    return target.long()


def checked_classes(target: Tensor, num_classes: int, name: str = "targets") -> Tensor:
    """Returns the target as int64. Raises ValueError unless it holds integers in 0 … num_classes -
    1."""
    target = checked_integers(target, name)
    if target.is_meta:
        raise ValueError(f"{name} are on the meta device, where they have no values")
    if target.numel() and not are_trusted():
        low, high = (int(bound) for bound in whole_batch(target)[0].aminmax())
        if low < 0 or high >= num_classes:
            raise ValueError(
                f"{name} range from {low} to {high}, they must lie in 0 to {num_classes - 1}"
            )
    return target


def checked_number(
    value: Any, name: str, low: float, high: float = LARGEST, *, above: bool = False
) -> float:
    """Returns the value as a float. Raises ValueError unless it is a number in `low` … `high`
    (above: and not equal to `low`), by default a finite one in float32 too."""
    kind = isinstance(value, (int, float, Tensor)) or hasattr(value, "__float__")
    try:
        number = float(value) if kind and not isinstance(value, bool) else float("nan")
    except (TypeError, ValueError, RuntimeError, OverflowError):
        number = float("nan")
    if not low <= number <= high or (above and number == low):
        least = f"above {low:g}" if above else f"{low:g} or more"
        expected = f"a number, {low:g} to {high:g}"
        if high == LARGEST:
            expected = f"a number {least}, finite in float32"
        raise ValueError(f"{name} is {shown(value)}, it must be {expected}")
    return number


@contextmanager
def trusted_targets() -> Iterator[None]:
    """Within the block, checks are skipped: the caller guarantees that all targets are valid
    classes and that it will differentiate the plain sum of the losses."""
    token = _trusted.set(True)
    try:
        yield
    finally:
        _trusted.reset(token)


def are_trusted() -> bool:
    """Returns whether the code runs within `trusted_targets`."""
    return _trusted.get()


def transformed() -> bool:
    """Returns whether torch.func or forward-mode differentiation is active; they can differentiate
    only PyTorch's own operators, not a custom autograd Function."""
    return (
        torch._C._functorch.peek_interpreter_stack() is not None or forward_ad._current_level >= 0
    )


def under_vmap() -> bool:
    """Returns whether torch.func.vmap is one of the active transformations."""
    kinds = torch._C._functorch.TransformType
    stack = torch._C._functorch.get_interpreter_stack() or ()
    return any(level.key() == kinds.Vmap for level in stack)


def whole_batch(tensor: Tensor) -> tuple[Tensor, bool]:
    """Returns (the tensor with all rows that torch.func.vmap maps over, whether it does)."""
    wrapped, batched = torch._C._functorch, False
    while wrapped.is_functorch_wrapped_tensor(tensor):
        batched = batched or wrapped.is_batchedtensor(tensor)
        tensor = wrapped.get_unwrapped(tensor)
    return tensor, batched


def rows_for(hidden: Tensor, row_of: Tensor | None) -> Tensor:
    """Returns the hidden row of every target, [N, D]."""
    return hidden if row_of is None else hidden.index_select(0, row_of)


def row_numbers(hidden: Tensor, row_of: Tensor | None) -> Tensor:
    """Returns row_of [N], or 0 … U - 1 if it is None."""
    return torch.arange(len(hidden), device=hidden.device) if row_of is None else row_of


def accumulate_dtype(tensor: Tensor) -> torch.dtype:
    """Returns the dtype to accumulate in: float64 for float64, otherwise float32."""
    return torch.float64 if tensor.dtype == torch.float64 else torch.float32


def log_add(a: Tensor, b: Tensor) -> Tensor:
    """Returns log(exp a + exp b). The second derivative of torch.logaddexp is NaN where one is far
    above the other."""
    higher = a >= b
    most, least = torch.where(higher, a, b), torch.where(higher, b, a)
    return most - F.logsigmoid(most - least)


def gradients_again(
    plain: Callable[..., Tensors], inputs: Tensors, needed: Sequence[bool], gradients: Tensors
) -> list[Tensor | None]:
    """Returns gradients that can be differentiated again, for the backward pass of a Function with
    create_graph=True or with batched gradients.

    plain: computes the same results from the inputs with PyTorch's own operators.
    gradients: the incoming gradient of each result, or None.
    """
    with torch.enable_grad():
        # views, so that a tensor passed as two of the inputs gets each gradient once
        inputs = [None if x is None else x.view_as(x) for x in inputs]
        results = plain(*inputs)
    pairs = [pair for pair in zip(results, gradients, strict=True) if pair[1] is not None]
    results, d_results = zip(*pairs, strict=True)
    chosen = [x for x, want in zip(inputs, needed, strict=True) if x is not None and want]
    options: Any = {"create_graph": torch.is_grad_enabled(), "allow_unused": True}
    computed = iter(torch.autograd.grad(results, chosen, d_results, **options))
    return [next(computed) if want else None for want in needed]


def nested(gradients: Tensors) -> bool:
    """Returns whether a backward pass with these gradients must use `gradients_again`, because it
    will itself be differentiated or the gradients are batched."""
    batched = torch._C._functorch.is_legacy_batchedtensor
    many = any(gradient is not None and batched(gradient) for gradient in gradients)
    return many or torch.is_grad_enabled() or transformed()
