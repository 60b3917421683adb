"""Adaptive softmax: tied rows and biases, cutoffs from a cost model, and what is refused."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch

from w2v.compat.torch import adaptive_log_softmax_with_loss
from w2v.losses import adaptive
from w2v.losses.adaptive import AdaptiveSoftmax, default_cutoffs
from w2v.losses.options import AdaptiveOptions

from .adaptive_cases import D, V, batch_for, close, counts_of, layer_for


def test_tied_rows_are_the_heads_words():
    tied = torch.nn.Parameter(torch.randn(V, D, dtype=torch.float64))
    layer = layer_for(weight=tied)
    assert layer.weight is tied
    assert sorted(layer.state_dict()) == sorted(
        [
            "weight",
            "head.weight",
            "head.bias",
            *(f"tail.{i}.{j}.weight" for i in range(2) for j in range(2)),
        ]
    )
    plain = layer_for()
    with torch.no_grad():
        plain.head.weight.copy_(torch.cat([tied[:20], layer.head.weight]))
        plain.head.bias.copy_(layer.head.bias)
        for ours, other in zip(plain.tail.parameters(), layer.tail.parameters(), strict=True):
            ours.copy_(other)
    hidden, target = batch_for(30)
    loss, right = layer(hidden, target), plain(hidden, target)
    close(loss.detach(), right.detach(), torch.float64)
    close(layer.log_prob(hidden).detach(), plain.log_prob(hidden).detach(), torch.float64)
    assert layer.predict(hidden, 5)[0].tolist() == plain.predict(hidden, 5)[0].tolist()
    loss.sum().backward()
    right.sum().backward()
    close(tied.grad[:20], plain.head.weight.grad[:20], torch.float64)
    assert not tied.grad[20:].any()
    close(layer.head.weight.grad, plain.head.weight.grad[20:], torch.float64)
    with pytest.raises(
        ValueError, match=r"weight has shape \[20, 16\], this layer needs \[60, 16\]"
    ):
        layer_for(weight=torch.zeros(20, D))


def test_a_shared_bias():
    bias = torch.nn.Parameter(torch.zeros(22))
    assert layer_for(bias=bias, dtype=torch.float32).head.bias is bias
    plain = torch.randn(22, dtype=torch.float64)
    layer = layer_for(bias=plain)
    assert layer.head.bias is plain and "head.bias" not in layer.state_dict()
    assert layer.log_prob(torch.zeros(1, D, dtype=torch.float64))[0, :20].tolist() == pytest.approx(
        torch.log_softmax(plain, 0)[:20].tolist()
    )
    with pytest.raises(ValueError, match=r"bias has shape \[60\], this layer needs \[22\]"):
        layer_for(bias=torch.zeros(60))


def expected_cost(counts: np.ndarray, dim: int, div: float, cutoffs: tuple[int, ...]) -> float:
    """The cost model as its docstring states it."""
    edges, share, K = [*cutoffs, len(counts)], counts / counts.sum(), len(cutoffs)
    cost = (cutoffs[0] + K) * (dim + adaptive.LOGIT_COST) + K * adaptive.CLUSTER_COST
    for i in range(K):
        d, words = int(dim // div ** (i + 1)), edges[i + 1] - edges[i]
        cost += share[edges[i] : edges[i + 1]].sum() * (d * dim + words * (d + adaptive.LOGIT_COST))
    return cost


@pytest.mark.parametrize(("V", "dim"), [(2, 8), (3, 100), (40, 8), (50, 300), (60, 64)])
@pytest.mark.parametrize("overhead", [0.0, 4000.0])
def test_default_cutoffs_are_the_cheapest(V, dim, overhead, monkeypatch):
    monkeypatch.setattr(adaptive, "CLUSTER_COST", overhead)
    counts = counts_of(V).numpy()
    grid = np.unique(np.geomspace(1, V - 1, adaptive.CANDIDATES).round().astype(int)).tolist()
    most = max([1] + [K for K in (1, 2, 3) if dim // 4.0**K >= adaptive.SHORTEST])
    plans = [plan for K in range(1, most + 1) for plan in combinations(grid, K)]
    best = min(plans, key=lambda plan: expected_cost(counts, dim, 4.0, plan))
    chosen = default_cutoffs(counts, dim, 4.0)
    assert expected_cost(counts, dim, 4.0, tuple(chosen)) == pytest.approx(
        expected_cost(counts, dim, 4.0, best)
    )


def test_default_cutoffs_of_large_vocabularies():
    for classes in (10_000, 50_000, 500_000):
        counts = counts_of(classes).numpy() + 1
        cutoffs = default_cutoffs(counts, 100, 4.0)
        assert len(cutoffs) == 2 and 100 < cutoffs[0] < cutoffs[1] < classes
        full = classes * (100 + adaptive.LOGIT_COST)
        assert expected_cost(counts, 100, 4.0, tuple(cutoffs)) < full / 10
        assert expected_cost(counts, 100, 4.0, tuple(cutoffs)) < expected_cost(
            counts, 100, 4.0, (2000, 9000)
        )
    assert AdaptiveSoftmax(100, counts_of(10_000)).cutoffs == default_cutoffs(
        counts_of(10_000).numpy(), 100, 4.0
    )
    assert default_cutoffs(np.zeros(50, np.int64), 100, 4.0)  # nothing was counted


@pytest.mark.parametrize(
    ("cutoffs", "message"),
    [
        (("20", "70"), "cutoffs: 70 is not below the number of classes, 60"),
        (("60",), "cutoffs: 60 is not below the number of classes, 60"),
        (("0", "20"), "0, 20, they must ascend from 1"),
        (("-3",), "-3, they must ascend from 1"),
        (("20", "20"), "20, 20, they must ascend"),
        (("30", "20"), "30, 20, they must ascend"),
        (("20", "many"), "20, many, they must be whole numbers"),
        (("2.5",), "2.5, they must be whole numbers"),
        (("5", "10", "20"), r"dim 16 // div_value 4\^3 is 0: cluster 3"),
    ],
)
def test_refuses_cutoffs(cutoffs, message):
    with pytest.raises(ValueError, match=message):
        AdaptiveSoftmax(D, counts_of(V), AdaptiveOptions(cutoffs))


def test_refuses():
    with pytest.raises(
        ValueError, match="ids are not sorted by frequency: class 2 has count 7, but class 3 has 8"
    ):
        AdaptiveSoftmax(D, [9, 8, 7, 8, 9])
    with pytest.raises(ValueError, match=r"dim 3 // div_value 4\^1 is 0: cluster 1"):
        AdaptiveSoftmax(3, counts_of(V))
    layer = layer_for()
    for target in ([0, 60], [-1, 5]):
        with pytest.raises(
            ValueError, match=f"targets range from {min(target)} to {max(target)}.* 0 to 59"
        ):
            layer(torch.zeros(2, D, dtype=torch.float64), torch.tensor(target))
    for face in (layer, layer.nll):
        with pytest.raises(
            ValueError, match=r"hidden has shape \[3, 16\], so targets must have \[3\], not \[2\]"
        ):
            face(torch.zeros(3, D, dtype=torch.float64), torch.tensor([0, 1]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target": torch.tensor([0, 30])}, "targets range from 0 to 30, they must lie in 0 to 29"),
        ({"target": torch.tensor([0])}, r"input has shape \[2, 8\] and target \[1\]"),
        ({"target": torch.tensor(0)}, r"input has shape \[2, 8\] and target \[\]"),
        ({"cutoffs": [5, 10, 20]}, "3 cutoffs and 1 tails"),
        ({"cutoffs": [10, 40]}, "the last cutoff is 40, but the tails end at class 30"),
        ({"cutoffs": [0]}, "must ascend from 1"),
        ({"cutoffs": [11]}, r"head_weight has shape \[11, 8\], it must be \[12, 8\]"),
        ({"head_bias": torch.zeros(10)}, r"head_bias has shape \[10\], it must be \[11\]"),
        ({"tail_weights": [(torch.zeros(2, 7), torch.zeros(20, 2))]}, r"tail 0 .* \[2, 7\]"),
        ({"tail_weights": [(torch.zeros(2, 8), torch.zeros(20, 3))]}, r"tail 0 .*\[20, 3\]"),
        ({"tail_weights": []}, "1 cutoffs and 0 tails"),
    ],
)
def test_the_function_refuses(change, message):
    arguments = {
        "input": torch.zeros(2, 8),
        "target": torch.tensor([0, 29]),
        "head_weight": torch.zeros(11, 8),
        "tail_weights": [(torch.zeros(2, 8), torch.zeros(20, 2))],
        "cutoffs": [10],
        **change,
    }
    with pytest.raises(ValueError, match=message):
        adaptive_log_softmax_with_loss(**arguments)


def test_the_function_names_its_results_and_of_nothing_there_is_no_mean():
    result = adaptive_log_softmax_with_loss(
        torch.zeros(0, 8),
        torch.zeros(0).long(),
        torch.zeros(11, 8),
        [(torch.zeros(2, 8), torch.zeros(20, 2))],
        [10],
    )
    assert result.output.shape == (0,) and result.loss.isnan()
