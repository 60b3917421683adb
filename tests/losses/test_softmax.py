"""Softmax, label smoothing and sparse softmax: definitions, limits, what every layer promises."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from w2v.compat.losses import label_smoothing_cross_entropy, sparse_softmax_cross_entropy
from w2v.losses.math import top_scores
from w2v.losses.options import LabelSmoothingOptions, SparseSoftmaxOptions
from w2v.losses.softmax import LabelSmoothing, Softmax, SparseSoftmax

GOLDEN = Path(__file__).parents[1] / "golden"
D, V = 4, 13
COUNTS = list(range(V, 0, -1))
LAYERS = {
    "softmax": lambda **kw: Softmax(D, COUNTS, **kw),
    "label smoothing": lambda **kw: LabelSmoothing(D, COUNTS, LabelSmoothingOptions(0.2), **kw),
    "sparse, with target": lambda **kw: SparseSoftmax(D, COUNTS, SparseSoftmaxOptions(3), **kw),
    "sparse, top k only": lambda **kw: SparseSoftmax(
        D, COUNTS, SparseSoftmaxOptions(3, keep_target=False), **kw
    ),
}


def golden(family: str, case: str) -> tuple[dict[str, Tensor], dict]:
    arrays = np.load(GOLDEN / family / f"{case}.npz", allow_pickle=False)
    options = json.loads(str(arrays["__options__"]))
    return {
        key: torch.from_numpy(arrays[key])
        for key in arrays.files
        if arrays[key].dtype.kind in "fib"
    }, options


@pytest.fixture(params=list(LAYERS))
def name(request):
    return request.param


def parts(
    dtype: torch.dtype = torch.float64, targets: int = 9, rows: int = 6
) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(11)
    made = [
        torch.randn(*s, generator=generator, dtype=torch.float64).to(dtype)
        for s in ((rows, D), (V, D), (V,))
    ]
    target = torch.randint(0, V, (targets,), generator=generator)
    return (
        *(t.requires_grad_() for t in made),
        target,
        torch.randint(0, rows, (targets,), generator=generator),
    )


def by_definition(name: str, scores: Tensor, target: Tensor) -> Tensor:
    """The losses on full scores [N, V], written down once more."""
    own = scores.gather(1, target[:, None])[:, 0]
    if name == "softmax":
        return scores.logsumexp(1) - own
    if name == "label smoothing":
        q = torch.full_like(scores, 0.2 / V).scatter_add(
            1, target[:, None], torch.full_like(own, 0.8)[:, None]
        )
        return -(q * scores.log_softmax(1)).sum(1)
    kept = torch.zeros_like(scores, dtype=torch.bool).scatter(
        1, scores.topk(3, dim=1).indices, True
    )
    if name == "sparse, with target":
        kept = kept.scatter(1, target[:, None], True)
    return scores.masked_fill(~kept, -torch.inf).logsumexp(1) - own


@pytest.mark.parametrize("shared", [True, False])
def test_layer_is_its_definition(name, shared):
    hidden, weight, bias, target, row_of = parts()
    if not shared:
        hidden, row_of = hidden.detach()[row_of].requires_grad_(), torch.arange(len(target))
    layer = LAYERS[name](weight=weight, bias=bias)
    loss = layer(hidden, target, row_of) if shared else layer(hidden, target)
    want = by_definition(name, F.linear(hidden[row_of], weight, bias), target)
    torch.testing.assert_close(loss, want, rtol=1e-12, atol=1e-12)
    factor = torch.linspace(0.5, 2, len(target), dtype=torch.float64)
    got = torch.autograd.grad((loss * factor).sum(), (hidden, weight, bias))
    for a, b in zip(
        got, torch.autograd.grad((want * factor).sum(), (hidden, weight, bias)), strict=True
    ):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


def test_gradcheck(name):
    hidden, weight, bias, target, row_of = parts()
    layer = LAYERS[name](weight=weight, bias=bias)

    def loss(hidden: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        layer.weight, layer.bias = weight, bias
        return layer(hidden, target, row_of)

    del layer.weight, layer.bias  # so that plain tensors can stand there
    assert torch.autograd.gradcheck(loss, (hidden, weight, bias))


def test_sparse_softmax_in_parts(monkeypatch):
    """The same in pieces of one or two rows as in one."""
    hidden, weight, bias, target, row_of = parts()
    layer = LAYERS["sparse, with target"](weight=weight, bias=bias)
    want = layer(hidden, target, row_of)
    gradients = torch.autograd.grad(want.sum(), (hidden, weight, bias))
    for size in (1, 2 * 2 * V * 8):
        monkeypatch.setattr(top_scores, "HELD_BYTES", size)
        loss = layer(hidden, target, row_of)
        torch.testing.assert_close(loss, want)
        for a, b in zip(
            torch.autograd.grad(loss.sum(), (hidden, weight, bias)), gradients, strict=True
        ):
            torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


def test_no_targets_one_target_and_order(name):
    hidden, weight, bias, target, _ = parts(targets=6)
    layer = LAYERS[name](weight=weight, bias=bias)
    empty = layer(hidden[:0], target[:0])
    assert empty.shape == (0,)
    empty.sum().backward()
    assert not weight.grad.any()
    assert (
        layer(hidden, target[:0], target[:0]).shape
        == layer.nll(hidden[:0], target[:0]).shape
        == (0,)
    )
    loss = layer(hidden, target)
    torch.testing.assert_close(
        torch.cat([layer(h[None], t[None]) for h, t in zip(hidden, target, strict=True)]), loss
    )
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    torch.testing.assert_close(layer(hidden[order], target[order]), loss[order])


def test_probabilities(name):
    hidden, weight, bias, target, _ = parts(targets=6)
    layer = LAYERS[name](weight=weight, bias=bias)
    log_prob = layer.log_prob(hidden)
    torch.testing.assert_close(log_prob.exp().sum(1), torch.ones(6, dtype=torch.float64))
    torch.testing.assert_close(log_prob, F.linear(hidden, weight, bias).log_softmax(1))
    nll = layer.nll(hidden, target)
    torch.testing.assert_close(nll, -log_prob.gather(1, target[:, None])[:, 0])
    ids, best = layer.predict(hidden, 4)
    torch.testing.assert_close(best, log_prob.topk(4, dim=1).values)
    torch.testing.assert_close(log_prob.gather(1, ids), best)
    if name == "softmax":
        torch.testing.assert_close(layer(hidden, target), nll)


def test_limits_are_the_plain_softmax():
    hidden, weight, bias, target, row_of = parts()
    want = Softmax(D, COUNTS, weight=weight, bias=bias)(hidden, target, row_of)
    for layer in (
        LabelSmoothing(D, COUNTS, LabelSmoothingOptions(0.0), weight=weight, bias=bias),
        SparseSoftmax(D, COUNTS, SparseSoftmaxOptions(V), weight=weight, bias=bias),
        SparseSoftmax(
            D, COUNTS, SparseSoftmaxOptions(V + 5, keep_target=False), weight=weight, bias=bias
        ),
    ):
        torch.testing.assert_close(layer(hidden, target, row_of), want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("alpha", [0.05, 0.3])
def test_optimum_of_label_smoothing(alpha):
    """The right score ends log((K - (K - 1) alpha) / alpha) above every wrong one."""
    layer = LabelSmoothing(1, [1] * V, LabelSmoothingOptions(alpha), bias=True).double()
    hidden, target = torch.zeros(1, 1, dtype=torch.float64), torch.tensor([5])
    optimiser = torch.optim.LBFGS(
        [layer.bias],
        max_iter=200,
        tolerance_grad=1e-12,
        tolerance_change=0,
        line_search_fn="strong_wolfe",
    )

    def step() -> Tensor:
        optimiser.zero_grad()
        loss = layer(hidden, target).sum()
        loss.backward()
        return loss

    optimiser.step(step)
    gaps = layer.bias.detach()[5] - layer.bias.detach()[torch.arange(V) != 5]
    torch.testing.assert_close(
        gaps, torch.full_like(gaps, math.log((V - (V - 1) * alpha) / alpha)), rtol=1e-5, atol=0
    )


@pytest.mark.parametrize("k", [1, 3])
def test_target_outside_the_top_k_alone(k):
    """Without keep_target it costs at least log k, and its gradient is exactly -1."""
    logits = torch.arange(10, dtype=torch.float64)[None].requires_grad_()
    loss = sparse_softmax_cross_entropy(logits, torch.tensor([0]), k, keep_target=False)
    assert loss.item() >= math.log(k)
    assert torch.autograd.grad(loss, logits)[0][0, 0] == -1
    nothing = sparse_softmax_cross_entropy(
        logits, torch.tensor([0]), k, keep_target=False, masked_mean=True
    )
    assert nothing.isnan()


def test_bfloat16_and_autocast(name):
    hidden, weight, bias, target, row_of = parts(torch.bfloat16)
    exact = [t.detach().float() for t in (hidden, weight, bias)]
    want = LAYERS[name](weight=exact[1], bias=exact[2])(exact[0], target, row_of)
    layer = LAYERS[name](weight=weight, bias=bias)
    loss = layer(hidden, target, row_of)
    assert loss.dtype == layer.log_prob(hidden).dtype == torch.float32
    torch.testing.assert_close(loss, want, rtol=1e-5, atol=1e-5)
    gradient = torch.autograd.grad(loss.sum(), weight)[0]
    assert gradient.dtype == torch.bfloat16
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = LAYERS[name](weight=exact[1], bias=exact[2])
        torch.testing.assert_close(mixed(hidden, target, row_of), want, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(
            mixed.log_prob(exact[0]).exp().sum(1), torch.ones(6), rtol=1e-5, atol=0
        )


@pytest.mark.parametrize("keep_target", [True, False])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_further_axes_are_positions(keep_target, reduction):
    """[N, C, d1, d2] equals the same positions in a row, with class weights and ignored
    positions."""
    logits, weight = (
        torch.randn(2, V, 3, 4, dtype=torch.float64),
        torch.rand(V, dtype=torch.float64),
    )
    target = torch.randint(0, V, (2, 3, 4))
    target[0, 1, 2] = -100
    flat, ids = logits.movedim(1, -1).reshape(-1, V), target.flatten()
    got = sparse_softmax_cross_entropy(logits, target, 4, keep_target, weight, reduction=reduction)
    want = sparse_softmax_cross_entropy(flat, ids, 4, keep_target, weight, reduction=reduction)
    torch.testing.assert_close(got.flatten(), want.flatten())
    everything = sparse_softmax_cross_entropy(
        logits, target, V, keep_target, weight, reduction=reduction
    )
    torch.testing.assert_close(
        everything, F.cross_entropy(logits, target, weight, reduction=reduction)
    )
    smooth = label_smoothing_cross_entropy(logits, target, 0.1, weight, reduction=reduction)
    torch.testing.assert_close(
        smooth, F.cross_entropy(logits, target, weight, reduction=reduction, label_smoothing=0.1)
    )


@pytest.mark.parametrize(
    ("call", "numbers"),
    [
        (lambda: Softmax(D, COUNTS)(torch.zeros(2, D), torch.tensor([0, V])), ("13", "12")),
        (lambda: SparseSoftmax(D, COUNTS)(torch.zeros(2, D), torch.tensor([-3, 1])), ("-3", "12")),
        (lambda: SparseSoftmax(D, COUNTS)(torch.zeros(2, D), torch.tensor([1])), ("1", "2")),
        (lambda: Softmax(D, COUNTS).nll(torch.zeros(2, D), torch.tensor([0, V])), ("13", "12")),
        (lambda: SparseSoftmax(D, COUNTS, SparseSoftmaxOptions(0)), ("0", "1")),
        (lambda: LabelSmoothing(D, COUNTS, LabelSmoothingOptions(1.2)), ("1.2", "0 to 1")),
        (
            lambda: sparse_softmax_cross_entropy(torch.zeros(2, 5), torch.tensor([0, 1]), 6),
            ("6", "5"),
        ),
        (
            lambda: sparse_softmax_cross_entropy(torch.zeros(2, 5), torch.tensor([0, 1]), 0),
            ("0", "5"),
        ),
        (
            lambda: sparse_softmax_cross_entropy(torch.zeros(2, 5), torch.tensor([0, 5]), 2),
            ("5", "4"),
        ),
        (
            lambda: label_smoothing_cross_entropy(torch.zeros(2, 5), torch.tensor([0, 5]), 0.1),
            ("5", "4"),
        ),
        (
            lambda: label_smoothing_cross_entropy(torch.zeros(2, 5), torch.tensor([0]), 0.1),
            ("[2, 5]", "[1]"),
        ),
        (
            lambda: label_smoothing_cross_entropy(torch.zeros(2, 5), torch.tensor([0, 1]), -1),
            ("-1", "0 to 1"),
        ),
    ],
)
def test_errors_name_both_numbers(call, numbers):
    with pytest.raises(ValueError) as error:
        call()
    assert all(number in str(error.value) for number in numbers)


def test_unknown_reduction():
    with pytest.raises(ValueError, match=r"'average'.*mean"):
        label_smoothing_cross_entropy(
            torch.zeros(2, 5), torch.tensor([0, 1]), 0.1, reduction="average"
        )
    with pytest.raises(ValueError, match="'sum'"):
        sparse_softmax_cross_entropy(
            torch.zeros(2, 5), torch.tensor([0, 1]), 2, reduction="sum", masked_mean=True
        )
