"""Adaptive softmax against torch's module, and what its users ask for beyond it."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch

from w2v.losses import adaptive
from w2v.losses.adaptive import AdaptiveSoftmax, default_cutoffs
from w2v.losses.functional.adaptive import adaptive_log_softmax_with_loss
from w2v.losses.options import AdaptiveOptions

GOLDEN = {f.stem: f for f in sorted((Path(__file__).parent.parent / "golden" / "torch_adaptive_softmax").glob("*.npz"))}
D, V, CUTOFFS = 16, 60, (20, 40)
DTYPES = [torch.float64, torch.float32]


def counts_of(V: int) -> torch.Tensor:
    return (10**6 / torch.arange(1, V + 1)).long()


def layer_for(V: int = V, dim: int = D, cutoffs=CUTOFFS, div: float = 2.0, dtype=torch.float64, **more):
    """A layer with random weights, a head bias unless told otherwise."""
    options = AdaptiveOptions(cutoffs=tuple(map(str, cutoffs)), div_value=div)
    layer = AdaptiveSoftmax(dim, counts_of(V), options, **{"bias": True, **more}).to(dtype)
    torch.manual_seed(2)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    return layer


def torchs(layer: AdaptiveSoftmax) -> torch.nn.AdaptiveLogSoftmaxWithLoss:
    """torch's module of the same shape, other weights."""
    dtype = layer.head.weight.dtype
    return torch.nn.AdaptiveLogSoftmaxWithLoss(
        layer.dim, layer.num_classes, layer.cutoffs, layer.options.div_value, layer.head.bias is not None, dtype=dtype
    )


def batch_for(N: int, V: int = V, dim: int = D, dtype=torch.float64):
    generator = torch.Generator().manual_seed(N)
    hidden = torch.randn(N, dim, generator=generator, dtype=torch.float64).to(dtype).requires_grad_()
    return hidden, torch.randint(0, V, (N,), generator=generator)


def close(got: torch.Tensor, right: np.ndarray | torch.Tensor, dtype: torch.dtype) -> None:
    """Within 1e-10, or in float32 1e-5 of the largest value."""
    right = torch.as_tensor(right).double()
    tolerance = 1e-10 if dtype == torch.float64 else 1e-5
    scale = max(float(right.abs().max()), 1.0) if right.numel() else 1.0
    torch.testing.assert_close(got.double(), right, rtol=tolerance, atol=tolerance * scale)


# --- torch's results


def test_there_are_golden_cases():
    assert len(GOLDEN) == 7


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", GOLDEN)
def test_the_layer_gives_torchs_values(case, dtype):
    with np.load(GOLDEN[case]) as file:
        z = dict(file)
    options = json.loads(str(z["__options__"]))
    layer = AdaptiveSoftmax(
        options["in_features"],
        counts_of(options["n_classes"]),
        AdaptiveOptions(tuple(map(str, options["cutoffs"])), options["div_value"], options["head_bias"]),
    ).to(dtype)
    layer.load_state_dict({k.removeprefix("sd."): torch.from_numpy(v) for k, v in z.items() if k.startswith("sd.")})
    hidden = torch.from_numpy(z["input"]).to(dtype).reshape(-1, layer.dim).requires_grad_()
    target = torch.from_numpy(z["target"]).reshape(-1)
    loss = layer(hidden, target)
    assert loss.dtype == dtype
    close(-loss, z["output_f64"].reshape(-1), dtype)
    loss.mean().backward()
    close(hidden.grad, z["d_input_f64"].reshape(-1, layer.dim), dtype)
    for name, parameter in layer.named_parameters():
        if z.get(f"nograd_{name}_f64", False):
            assert parameter.grad is None
        else:
            close(parameter.grad, z[f"d_{name}_f64"], dtype)
    close(layer.log_prob(hidden), z["log_prob_f64"], dtype)
    assert layer.predict(hidden)[0][:, 0].tolist() == z["predict_f64"].tolist()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("with_end", [True, False])
@pytest.mark.parametrize("case", GOLDEN)
def test_the_function_gives_torchs_values(case, dtype, with_end):
    with np.load(GOLDEN[case]) as file:
        z = dict(file)
    options = json.loads(str(z["__options__"]))
    weights = {
        k.removeprefix("sd."): torch.from_numpy(v).to(dtype).requires_grad_() for k, v in z.items() if k[:3] == "sd."
    }
    tails = [[weights[f"tail.{i}.0.weight"], weights[f"tail.{i}.1.weight"]] for i in range(len(options["cutoffs"]))]
    cutoffs = [*options["cutoffs"], options["n_classes"]] if with_end else options["cutoffs"]
    input = torch.from_numpy(z["input"]).to(dtype).requires_grad_()
    output, loss = adaptive_log_softmax_with_loss(
        input, torch.from_numpy(z["target"]), weights["head.weight"], tails, cutoffs, weights.get("head.bias")
    )
    assert output.shape == z["output_f64"].shape and loss.shape == () and output.dtype == dtype
    close(output, z["output_f64"], dtype)
    close(loss, z["loss_f64"], dtype)
    loss.backward()
    close(input.grad, z["d_input_f64"], dtype)
    for name, weight in weights.items():
        if z.get(f"nograd_{name}_f64", False):
            assert weight.grad is None
        else:
            close(weight.grad, z[f"d_{name}_f64"], dtype)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("V", "cutoffs", "div"), [(60, (20, 40), 2.0), (60, (7,), 4.0), (300, (9, 10, 100), 1.5)])
def test_state_dicts_load_both_ways(bias, V, cutoffs, div):
    layer = layer_for(V, cutoffs=cutoffs, div=div, bias=bias)
    theirs = torchs(layer)
    assert list(layer.state_dict()) == list(theirs.state_dict())
    theirs.load_state_dict(layer.state_dict())
    hidden, target = batch_for(50, V)
    output, loss = theirs(hidden, target)
    close(-layer(hidden, target), output.detach(), torch.float64)
    close(layer.log_prob(hidden).detach(), theirs.log_prob(hidden).detach(), torch.float64)
    assert layer.predict(hidden)[0][:, 0].tolist() == theirs.predict(hidden).tolist()
    loss.backward()
    layer(hidden, target).mean().backward()
    for (name, ours), other in zip(layer.named_parameters(), theirs.parameters(), strict=True):
        assert (ours.grad is None) == (other.grad is None), name
        if ours.grad is not None:
            close(ours.grad, other.grad, torch.float64)
    back = layer_for(V, cutoffs=cutoffs, div=div, bias=bias)
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.mul_(0.5)
    back.load_state_dict(theirs.state_dict())
    close(-back(hidden, target).detach(), theirs(hidden, target).output.detach(), torch.float64)


@pytest.mark.parametrize("bias", [True, False])
def test_starts_as_torchs_module_does(bias):
    torch.manual_seed(5)
    ours = AdaptiveSoftmax(D, counts_of(V), AdaptiveOptions(("20", "40"), head_bias=bias))
    torch.manual_seed(5)
    for name, value in torchs(ours).state_dict().items():
        torch.manual_seed(5)
        assert torch.equal(ours.state_dict()[name].to(value.dtype), value), name


# --- gradients, batches


@pytest.mark.parametrize("N", [0, 1, 6])
def test_gradients(N):
    layer = layer_for(12, dim=8, cutoffs=(3, 7))
    hidden, target = batch_for(N, 12, 8)
    parameters = tuple(layer.parameters())
    # A second backward pass over the same graph rounds otherwise: see w2v.losses.cross_entropy.
    assert torch.autograd.gradcheck(lambda *_: layer(hidden, target), (hidden, *parameters), nondet_tol=1e-12)
    row_of = torch.arange(N).repeat(2)
    targets = torch.arange(2 * N) % 12
    assert torch.autograd.gradcheck(lambda *_: layer(hidden, targets, row_of), (hidden, *parameters), nondet_tol=1e-12)
    if N:
        assert torch.autograd.gradcheck(layer.log_prob, (hidden,))


@pytest.mark.parametrize("N", [0, 1])
def test_few_rows(N):
    layer = layer_for()
    hidden, target = batch_for(N)
    assert layer(hidden, target).shape == layer.nll(hidden, target).shape == (N,)
    assert layer(hidden, target[:, None]).shape == layer.nll(hidden, target[:, None]).shape == (N,)
    assert layer.log_prob(hidden).shape == (N, V)
    assert [part.shape for part in layer.predict(hidden, 3)] == [(N, 3), (N, 3)]
    layer(hidden, target).sum().backward()
    assert hidden.grad.shape == (N, D)


def test_batch_does_not_matter(monkeypatch):
    layer = layer_for()
    hidden, target = batch_for(40)
    whole = layer(hidden, target)
    parts = torch.cat([layer(hidden[n : n + 1], target[n : n + 1]) for n in range(40)])
    close(parts.detach(), whole.detach(), torch.float64)
    order = torch.randperm(40)
    close(layer(hidden[order], target[order]).detach(), whole[order].detach(), torch.float64)
    monkeypatch.setattr(adaptive, "NLL_ROWS", 7)
    close(layer.nll(hidden, target).detach(), whole.detach(), torch.float64)


def test_row_of_shares_hidden_rows():
    layer = layer_for()
    hidden, _ = batch_for(5)
    row_of = torch.tensor([4, 0, 0, 1, 4, 4, 1, 0, 3])
    target = torch.tensor([59, 0, 41, 25, 59, 3, 20, 40, 19])
    shared, repeated = layer(hidden, target, row_of), layer(hidden[row_of], target)
    close(shared.detach(), repeated.detach(), torch.float64)
    factor = torch.linspace(-1, 2, 9, dtype=torch.float64)
    inputs = (hidden, *layer.parameters())
    for one, other in zip(
        torch.autograd.grad((shared * factor).sum(), inputs),
        torch.autograd.grad((repeated * factor).sum(), inputs),
        strict=True,
    ):
        close(one, other, torch.float64)


@pytest.mark.parametrize("shared", [False, True])
def test_ignored_targets_are_not_looked_at(shared):
    layer = layer_for(ignore_index=-1)
    hidden, _ = batch_for(6)
    target = torch.tensor([3, -1, 22, -1, 19, -1])
    row_of = torch.arange(6) if shared else None
    kept = target >= 0
    right = layer(hidden[kept], target[kept])
    d_right = torch.autograd.grad(right.sum(), layer.head.weight)[0]
    if not shared:
        with torch.no_grad():
            hidden[~kept] = torch.nan
    loss = layer(hidden, target, row_of)
    close(loss[kept].detach(), right.detach(), torch.float64)
    assert loss[~kept].tolist() == [0.0] * 3
    loss.sum().backward()
    close(layer.head.weight.grad, d_right, torch.float64)
    assert not hidden.grad[~kept].any()
    assert layer.tail[0][0].weight.grad is not None and layer.tail[1][0].weight.grad is None
    assert layer(hidden, torch.full((6,), -1)).tolist() == [0.0] * 6


@pytest.mark.parametrize(("target", "reached"), [([0, 19], []), ([0, 20], [0]), ([59], [1]), ([39, 40, 5], [0, 1])])
def test_clusters_without_a_target_get_no_gradient(target, reached):
    layer = layer_for()
    layer(torch.randn(len(target), D, dtype=torch.float64), torch.tensor(target)).sum().backward()
    for i in range(2):
        for linear in layer.tail[i]:
            assert (linear.weight.grad is not None) == (i in reached)


# --- the distribution


@pytest.mark.parametrize("dtype", DTYPES)
def test_probabilities(dtype):
    layer = layer_for(dtype=dtype)
    hidden, target = batch_for(30, dtype=dtype)
    log_prob = layer.log_prob(hidden * 3)
    tolerance = 1e-13 if dtype == torch.float64 else 1e-5
    assert log_prob.exp().sum(1).tolist() == pytest.approx([1.0] * 30, abs=tolerance)
    right = -log_prob.gather(1, target[:, None])[:, 0]
    for loss in (layer(hidden * 3, target), layer.nll(hidden * 3, target[:, None])):
        torch.testing.assert_close(loss, right, rtol=10 * tolerance, atol=10 * tolerance)


@pytest.mark.parametrize("V", [2, 3, 40])
def test_one_word_in_one_cluster_is_the_full_softmax(V):
    layer = layer_for(V, cutoffs=(V - 1,))
    hidden, target = batch_for(20, V)
    scores = hidden @ layer.head.weight.T + layer.head.bias
    close(layer.log_prob(hidden).detach(), torch.log_softmax(scores, 1).detach(), torch.float64)
    right = torch.nn.functional.cross_entropy(scores, target, reduction="none")
    close(layer(hidden, target).detach(), right.detach(), torch.float64)


@pytest.mark.parametrize("k", [1, 4, 25, 100])
@pytest.mark.parametrize("head", [0.3, 1.0, 5.0])
def test_predict_is_the_order_of_log_prob(k, head, monkeypatch):
    layer = layer_for()
    with torch.no_grad():
        layer.head.weight.mul_(head)
    hidden, _ = batch_for(50)
    monkeypatch.setattr(adaptive, "NLL_ROWS", 13)
    ids, values = layer.predict(hidden, k)
    right = layer.log_prob(hidden).sort(dim=1, descending=True)
    k = min(k, V)
    assert ids.tolist() == right.indices[:, :k].tolist()
    close(values, right.values[:, :k].detach(), torch.float64)


def test_predict_scores_a_tail_only_for_the_rows_that_need_it(monkeypatch):
    layer = layer_for()
    hidden, _ = batch_for(50)
    head = torch.log_softmax(hidden @ layer.head.weight.T + layer.head.bias, 1)
    need_first = head[:, 20] > head[:, :20].amax(1)
    seen = []

    def counted(hidden, tail):
        seen.append(len(hidden))
        return real(hidden, tail)

    real = adaptive.tail_log_prob
    monkeypatch.setattr(adaptive, "tail_log_prob", counted)
    layer.predict(hidden)
    assert seen[0] == int(need_first.sum()) < 50 and sum(seen) < 50
    seen.clear()
    with torch.no_grad():
        layer.head.bias[20:] = -1e3
    layer.predict(hidden)
    assert seen == []


def test_half_precision_and_autocast_are_computed_in_float32():
    layer = layer_for(dtype=torch.float32)
    hidden, target = batch_for(20, dtype=torch.bfloat16)
    right = layer(hidden.float(), target)
    loss = layer(hidden, target)
    assert loss.dtype == torch.float32 and torch.equal(loss, right)
    loss.sum().backward()
    assert hidden.grad.dtype == torch.bfloat16 and layer.head.weight.grad.dtype == torch.float32
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(layer(hidden, target), right, rtol=0, atol=0)
        assert layer.log_prob(hidden).dtype == layer.predict(hidden)[1].dtype == torch.float32
        close(-layer.log_prob(hidden).gather(1, target[:, None])[:, 0].detach(), right.detach(), torch.float32)
    layer.bfloat16()
    layer(hidden, target).sum().backward()
    assert layer(hidden, target).dtype == torch.float32 and layer.tail[0][1].weight.grad.dtype == torch.bfloat16


# --- tied rows, shared bias


def test_tied_rows_are_the_heads_words():
    tied = torch.nn.Parameter(torch.randn(V, D, dtype=torch.float64))
    layer = layer_for(weight=tied)
    assert layer.weight is tied
    assert sorted(layer.state_dict()) == sorted(
        ["weight", "head.weight", "head.bias", *(f"tail.{i}.{j}.weight" for i in range(2) for j in range(2))]
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
    with pytest.raises(ValueError, match=r"weight has shape \[20, 16\], this layer needs \[60, 16\]"):
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
    with pytest.raises(ValueError, match=r"bias has shape \[60\], this head needs \[22\]"):
        layer_for(bias=torch.zeros(60))


# --- cutoffs


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
    assert expected_cost(counts, dim, 4.0, tuple(chosen)) == pytest.approx(expected_cost(counts, dim, 4.0, best))


def test_default_cutoffs_of_large_vocabularies():
    for V in (10_000, 50_000, 500_000):
        counts = counts_of(V).numpy() + 1
        cutoffs = default_cutoffs(counts, 100, 4.0)
        assert len(cutoffs) == 2 and 100 < cutoffs[0] < cutoffs[1] < V
        full = V * (100 + adaptive.LOGIT_COST)
        assert expected_cost(counts, 100, 4.0, tuple(cutoffs)) < full / 10
        assert expected_cost(counts, 100, 4.0, tuple(cutoffs)) < expected_cost(counts, 100, 4.0, (2000, 9000))
    assert AdaptiveSoftmax(100, counts_of(10_000)).cutoffs == default_cutoffs(counts_of(10_000).numpy(), 100, 4.0)
    assert default_cutoffs(np.zeros(50, np.int64), 100, 4.0)  # nothing was counted


@pytest.mark.parametrize(
    ("cutoffs", "message"),
    [
        (("20", "70"), "cutoff 70 is not below the number of classes, 60"),
        (("60",), "cutoff 60 is not below the number of classes, 60"),
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
    with pytest.raises(ValueError, match="ids are not sorted by frequency: class 2 has count 7, but class 3 has 8"):
        AdaptiveSoftmax(D, [9, 8, 7, 8, 9])
    with pytest.raises(ValueError, match=r"dim 3 // div_value 4\^1 is 0: cluster 1"):
        AdaptiveSoftmax(3, counts_of(V))
    layer = layer_for()
    for target in ([0, 60], [-1, 5]):
        with pytest.raises(ValueError, match=f"targets range from {min(target)} to {max(target)}.* 0 to 59"):
            layer(torch.zeros(2, D, dtype=torch.float64), torch.tensor(target))
    for face in (layer, layer.nll):
        with pytest.raises(ValueError, match="hidden has 3 rows, but there are 2 targets"):
            face(torch.zeros(3, D, dtype=torch.float64), torch.tensor([0, 1]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target": torch.tensor([0, 30])}, "targets range from 0 to 30, they must lie in 0 to 29"),
        ({"target": torch.tensor([0])}, "2 rows, but there are 1 targets"),
        ({"target": torch.tensor(0)}, r"input has shape \[2, 8\], but target has \[\]"),
        ({"cutoffs": [5, 10, 20]}, "3 cutoffs and 1 tails"),
        ({"cutoffs": [10, 40]}, "the last cutoff is 40, but the tails end at class 30"),
        ({"cutoffs": [0]}, "must ascend from 1"),
        ({"cutoffs": [11]}, r"head_weight has shape \[11, 8\], it must be \[12, 8\]"),
        ({"head_bias": torch.zeros(10)}, r"head_bias has shape \[10\], it must be \[11\]"),
        ({"tail_weights": [(torch.zeros(2, 7), torch.zeros(20, 2))]}, r"tail 0 has shapes \[2, 7\]"),
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
        torch.zeros(0, 8), torch.zeros(0).long(), torch.zeros(11, 8), [(torch.zeros(2, 8), torch.zeros(20, 2))], [10]
    )
    assert result.output.shape == (0,) and result.loss.isnan()
