"""What the adaptive softmax refuses, as PyTorch does: by the same kinds of errors."""

from __future__ import annotations

import pytest
import torch

from tests.losses.sampled_cases import normal
from w2v.compat.torch import AdaptiveLogSoftmaxWithLoss, adaptive_log_softmax_with_loss

TARGET = torch.tensor([0, 20, 40])


@pytest.fixture
def module() -> AdaptiveLogSoftmaxWithLoss:
    return AdaptiveLogSoftmaxWithLoss(6, 60, [20, 40])


@pytest.mark.parametrize("kind", [ValueError, RuntimeError])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target": TARGET[:2]}, r"same size.*\[3, 6\].*\[2\]"),
        ({"target": TARGET[:, None]}, "same size"),
        ({"input": torch.ones(6)}, r"same size.*\[6\].*\[3\]"),
        ({"target": torch.tensor([0, 60, 1])}, r"should be in \[0, 59\].*0 to 60"),
        ({"target": torch.tensor([0, -1, 1])}, r"should be in \[0, 59\].*-1 to 1"),
        ({"target": TARGET.float()}, "torch.float32.*integers"),
        ({"target": TARGET.bool()}, "torch.bool.*integers"),
        ({"input": torch.ones(3, 6).int()}, "input is torch.int32.*floating"),
        ({"input": torch.ones(3, 6) * 1j}, "input is torch.complex64"),
        ({"input": torch.ones(3, 1, 6)}, r"input has shape \[3, 1, 6\]"),
        ({"input": torch.ones(3, 5)}, r"head_weight has shape \[22, 6\].*\[22, 5\]"),
    ],
)
def test_inputs_and_targets(module, change, message, kind):
    given = {"input": torch.ones(3, 6), "target": TARGET, **change}
    with pytest.raises(kind, match=message):
        module(given["input"], given["target"])


@pytest.mark.parametrize("method", ["log_prob", "predict"])
def test_rows_of_another_length(module, method):
    """Neither cut anew ([4, 12] is no eight rows of six) nor left to the library's own words."""
    for shape in ((4, 12), (8, 3), (4, 5), (4, 0), (), (1, 2, 2, 6)):
        with pytest.raises(ValueError, match=r"input has shape .*\[N, 6\]"):
            getattr(module, method)(torch.ones(shape))
    with pytest.raises(ValueError, match=r"input is torch\.int64"):
        getattr(module, method)(torch.ones(4, 6).long())
    assert getattr(module, method)(torch.ones(2, 3, 6)).shape[:2] == (2, 3)


@pytest.mark.parametrize(
    "change",
    [
        {"div_value": 0.0},
        {"div_value": -1.0},
        {"div_value": "2"},
        {"in_features": -1},
        {"in_features": 2.5},
        {"n_classes": "60"},
        {"cutoffs": None},
        {"cutoffs": ["5"]},
        {"cutoffs": []},
        {"cutoffs": [40, 20]},
        {"dtype": torch.int32},
    ],
)
def test_the_constructor_refuses(change):
    with pytest.raises(ValueError, match=r"cutoffs|dtype"):
        AdaptiveLogSoftmaxWithLoss(**{"in_features": 6, "n_classes": 60, "cutoffs": [5], **change})


def test_the_function_refuses_what_is_no_pair():
    head, tail = normal(6, 4), (normal(2, 4), normal(7, 2))
    good = normal(3, 4), torch.tensor([0, 5, 11]), head
    assert adaptive_log_softmax_with_loss(*good, [tail], [5]).output.shape == (3,)
    for tails, cutoffs in (([tail[:1]], [5]), ([tail + tail], [5]), (None, [5]), ([tail], None)):
        with pytest.raises(ValueError, match="pairs"):
            adaptive_log_softmax_with_loss(*good, tails, cutoffs)
    for change in ((normal(3, 4), normal(7, 2)), (normal(2, 4), normal(6, 2).long())):
        with pytest.raises(ValueError, match="tail 0 output"):
            adaptive_log_softmax_with_loss(*good, [change], [5])
