"""Counts what would make the program wait for a GPU, without one: everything that hands a value of
a tensor to Python, or that must know values before it knows a size; and copies of pageable memory
to a device, which wait as well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from w2v.system import gpu

aten = torch.ops.aten
# bincount asks for the least and the greatest number
VALUES = {
    aten._local_scalar_dense,
    aten.nonzero,
    aten.masked_select,
    aten._unique,
    aten._unique2,
    aten.unique_dim,
    aten.unique_consecutive,
    aten.unique_dim_consecutive,
    aten.bincount,
    aten.histc,
    aten.equal,
    aten.is_nonzero,
    aten._to_cpu,
}
# what makes a tensor of Python's numbers, or takes one's values away, without an operator that says
# so on a CPU
HOST_CALLS = {
    torch.tensor,
    torch.as_tensor,
    torch.from_numpy,
    torch.where,
    Tensor.new_tensor,
    Tensor.tolist,
    Tensor.numpy,
    Tensor.cpu,
}


class _Operators(TorchDispatchMode):
    def __init__(self, found: Counter[str]) -> None:
        super().__init__()
        self.found = found

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        packet, more = func.overloadpacket, kwargs or {}
        indexes = packet in (aten.index, aten.index_put, aten.index_put_, aten._index_put_impl_)
        masks = indexes and any(
            each is not None and each.dtype in (torch.bool, torch.uint8) for each in args[1]
        )
        unsized = packet is aten.repeat_interleave and more.get("output_size") is None
        if packet in VALUES or masks or unsized:
            self.found[packet.__name__] += 1
        return func(*args, **more)


class _Calls(TorchFunctionMode):
    def __init__(self, found: Counter[str]) -> None:
        super().__init__()
        self.found = found

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        more = kwargs or {}
        if func is Tensor.backward:  # what it calls is to be seen too
            with self:
                torch.autograd.backward(args[0])
            return None
        plain = func is torch.where and all(isinstance(each, Tensor) for each in args)
        if func in HOST_CALLS and not plain:
            self.found[func.__name__] += 1
        return func(*args, **more)


@contextmanager
def waits() -> Iterator[Counter[str]]:
    """Inside, code takes the ways it takes on a GPU; yields how often each thing has waited."""
    found: Counter[str] = Counter()
    with pytest.MonkeyPatch.context() as patch, _Operators(found), _Calls(found):
        patch.setattr(gpu, "HOST", "no device")
        yield found
