"""Values that no argument, or no argument of a kind, can have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

N, V, D = 4, 7, 3  # targets, classes, length of a vector
TARGET = torch.tensor([0, 1, 5, 6])
UNUSUAL = [
    *(torch.zeros(N, D).to(kind) for kind in (torch.float8_e4m3fn, torch.float8_e5m2)),
    torch.zeros(V, D).to(torch.float8_e5m2),
    *(torch.ones(shape).to_sparse() for shape in [(N, D), (V, D), (N, 1), (N,), (V,)]),
    torch.ones(V, D).to_sparse_csr(),
    torch.nested.nested_tensor([torch.zeros(2, D), torch.zeros(1, D)]),
    torch.nested.nested_tensor([TARGET, TARGET]),
    torch.zeros(N, D).to_mkldnn(),
    torch.quantize_per_tensor(torch.zeros(N, D), 1.0, 0, torch.qint8),
]
NO_FLAGS = ["False", "", None, 2, -1, 0.0, [], torch.zeros(3), torch.tensor([]), np.zeros(2)]

HUGE = [1e39, float("inf"), float("nan"), -float("inf"), 10**400]

CUTOFFS: list[Any] = [
    *([3.7, 6.2], [2.5, 4], [2, float("inf")], [None, 4], [[2], 4], [2, float("nan")]),
    torch.zeros(2, device="meta").long(),
]


def refuses(call: Callable[[], Any], kind: type[Exception] = ValueError) -> None:
    with pytest.raises(kind) as caught:
        call()
    message = str(caught.value)
    assert 10 < len(message) < 250 and "\n" not in message
