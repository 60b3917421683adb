"""Adaptive softmax as an output layer: gradients, batches, ignored targets, its distribution."""

from __future__ import annotations

import pytest
import torch

from w2v.losses import base
from w2v.losses.math import levels

from .adaptive_cases import DTYPES, D, V, batch_for, close, layer_for


@pytest.mark.parametrize("N", [0, 1, 6])
def test_gradients(N):
    layer = layer_for(12, dim=8, cutoffs=(3, 7))
    hidden, target = batch_for(N, 12, 8)
    parameters = tuple(layer.parameters())
    # A second backward pass over the same graph rounds otherwise: see
    # w2v.losses.math.cross_entropy.
    assert torch.autograd.gradcheck(
        lambda *_: layer(hidden, target), (hidden, *parameters), nondet_tol=1e-12
    )
    row_of = torch.arange(N).repeat(2)
    targets = torch.arange(2 * N) % 12
    assert torch.autograd.gradcheck(
        lambda *_: layer(hidden, targets, row_of), (hidden, *parameters), nondet_tol=1e-12
    )
    if N:
        assert torch.autograd.gradcheck(layer.log_prob, (hidden,))


@pytest.mark.parametrize("N", [0, 1])
def test_few_rows(N):
    layer = layer_for()
    hidden, target = batch_for(N)
    assert layer(hidden, target).shape == layer.nll(hidden, target).shape == (N,)
    assert layer.log_prob(hidden).shape == (N, V)
    assert [part.shape for part in layer.predict(hidden, 3)] == [(N, 3), (N, 3)]
    layer(hidden, target).sum().backward()
    assert hidden.grad.shape == (N, D)


def test_batch_does_not_matter():
    layer = layer_for()
    hidden, target = batch_for(40)
    whole = layer(hidden, target)
    parts = torch.cat([layer(hidden[n : n + 1], target[n : n + 1]) for n in range(40)])
    close(parts.detach(), whole.detach(), torch.float64)
    order = torch.randperm(40)
    close(layer(hidden[order], target[order]).detach(), whole[order].detach(), torch.float64)
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


@pytest.mark.parametrize(
    ("target", "reached"), [([0, 19], []), ([0, 20], [0]), ([59], [1]), ([39, 40, 5], [0, 1])]
)
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
    monkeypatch.setattr(base, "NLL_ROWS", 13)
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

    real = levels.tail_log_prob
    monkeypatch.setattr(levels, "tail_log_prob", counted)
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
        close(
            -layer.log_prob(hidden).gather(1, target[:, None])[:, 0].detach(),
            right.detach(),
            torch.float32,
        )
    layer.bfloat16()
    layer(hidden, target).sum().backward()
    assert (
        layer(hidden, target).dtype == torch.float32
        and layer.tail[0][1].weight.grad.dtype == torch.bfloat16
    )
