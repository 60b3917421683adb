"""Margin losses: reference figures, definitions on full scores, limits, numerical traps, what every
layer promises."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from w2v.compat.losses import am_softmax_loss, l_softmax_loss, soft_margin_cross_entropy
from w2v.losses.margin import AmSoftmax, LSoftmax, SmSoftmax, other_pairs, unit_rows
from w2v.losses.options import AmSoftmaxOptions, LSoftmaxOptions, SmSoftmaxOptions
from w2v.losses.softmax import Softmax

GOLDEN = Path(__file__).parents[1] / "golden" / "margin_softmax"
CASES = sorted(path.stem for path in GOLDEN.glob("*.npz"))
D, V = 4, 13
COUNTS = list(range(V, 0, -1))
LAYERS = {
    "am": lambda **kw: AmSoftmax(D, COUNTS, AmSoftmaxOptions(5.0, 0.2), **kw),
    "l": lambda **kw: LSoftmax(D, COUNTS, LSoftmaxOptions(3, 0.5), **kw),
    "sm": lambda **kw: SmSoftmax(D, COUNTS, SmSoftmaxOptions(0.7), **kw),
}


@pytest.fixture(params=list(LAYERS))
def name(request):
    return request.param


def parts(
    dtype: torch.dtype = torch.float64, targets: int = 20, rows: int = 6
) -> tuple[Tensor, ...]:
    """20 targets of 6 rows: several per row, some of them the same class."""
    generator = torch.Generator().manual_seed(5)
    hidden, weight = (
        torch.randn(n, D, generator=generator, dtype=torch.float64).to(dtype) for n in (rows, V)
    )
    target, row_of = (
        torch.randint(0, V, (targets,), generator=generator),
        torch.arange(targets) % rows,
    )
    if targets > 2 * rows:
        target[rows] = target[0]
    return hidden.requires_grad_(), weight.requires_grad_(), target, row_of


def scores_of(name: str, hidden: Tensor, weight: Tensor) -> Tensor:
    if name == "am":
        return 5 * F.normalize(hidden, dim=1) @ F.normalize(weight, dim=1).t()
    return hidden @ weight.t()


def by_definition(name: str, hidden: Tensor, weight: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy of full scores [N, V] with the target's moved, L-softmax through the angle
    itself."""
    scores = scores_of(name, hidden, weight)
    own = scores.gather(1, target[:, None])[:, 0]
    if name == "l":
        length = hidden.norm(dim=1) * weight[target].norm(dim=1)
        angle = torch.arccos(own / length)
        k = torch.floor(3 * angle.detach() / math.pi)
        moved = length * ((-1) ** k * torch.cos(3 * angle) - 2 * k + 0.5 * torch.cos(angle)) / 1.5
    else:
        moved = own - {"am": 5 * 0.2, "sm": 0.7}[name]
    return F.cross_entropy(
        scores.scatter(1, target[:, None], moved[:, None]), target, reduction="none"
    )


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("by", ["layer", "shared rows", "function"])
def test_reference(case, by):
    arrays = np.load(GOLDEN / f"{case}.npz", allow_pickle=False)
    options = json.loads(str(arrays["__options__"]))
    z = {
        key: torch.from_numpy(arrays[key]) for key in arrays.files if arrays[key].dtype.kind in "fi"
    }
    inputs = {key: z[key].requires_grad_() for key in ("input", "weight", "bias") if key in z}
    hidden, weight, bias, target = (
        inputs["input"],
        inputs["weight"],
        inputs.get("bias"),
        z["target"],
    )
    margin, counts, dim = options["margin"], [1] * options["classes"], options["dim"]
    if case.startswith("am"):
        layer = AmSoftmax(dim, counts, AmSoftmaxOptions(options["scale"], margin), weight=weight)
        function = am_softmax_loss(
            hidden, weight, target, options["scale"], margin, reduction="none"
        )
    elif case.startswith("l"):
        layer = LSoftmax(dim, counts, LSoftmaxOptions(margin, options["lam"]), weight=weight)
        function = l_softmax_loss(hidden, weight, target, margin, options["lam"], reduction="none")
    else:
        layer = SmSoftmax(dim, counts, SmSoftmaxOptions(margin), weight=weight, bias=bias)
        logits = F.linear(hidden, weight, bias)
        function = soft_margin_cross_entropy(logits, target, margin, reduction="none")
    row_of = torch.arange(len(target)) if by == "shared rows" else None
    loss = function if by == "function" else layer(hidden, target, row_of)
    torch.testing.assert_close(loss.detach(), z["loss_f64"], rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(loss.mean().detach(), z["loss_mean_f64"], rtol=1e-10, atol=1e-12)
    got = torch.autograd.grad((loss * z["cotangent"]).sum(), list(inputs.values()))
    for gradient, key in zip(got, inputs, strict=True):
        torch.testing.assert_close(gradient, z[f"d_{key}_f64"], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("weighting", ["mean", "each its own"])
def test_layer_is_its_definition(name, shared, weighting):
    hidden, weight, target, row_of = parts()
    if not shared:
        hidden, row_of = hidden.detach()[row_of].requires_grad_(), torch.arange(len(target))
    layer = LAYERS[name](weight=weight)
    loss = layer(hidden, target, row_of) if shared else layer(hidden, target)
    want = by_definition(name, hidden[row_of], weight, target)
    torch.testing.assert_close(loss, want, rtol=1e-12, atol=1e-12)
    factor = torch.full((len(target),), 1 / len(target), dtype=torch.float64)
    if weighting != "mean":
        factor = torch.linspace(-0.5, 2, len(target), dtype=torch.float64)
    got = torch.autograd.grad((loss * factor).sum(), (hidden, weight))
    for a, b in zip(got, torch.autograd.grad((want * factor).sum(), (hidden, weight)), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("shared", [True, False])
def test_gradcheck(name, shared):
    hidden, weight, target, row_of = parts(targets=20 if shared else 6)
    layer = LAYERS[name](weight=weight)

    def loss(hidden: Tensor, weight: Tensor) -> Tensor:
        layer.weight = weight
        return layer(hidden, target, row_of if shared else None)

    del layer.weight  # so that a plain tensor can stand there
    assert torch.autograd.gradcheck(loss, (hidden, weight))


def test_bias_of_the_soft_margin():
    hidden, weight, target, row_of = parts()
    bias = torch.randn(V, dtype=torch.float64, requires_grad=True)
    loss = SmSoftmax(D, COUNTS, SmSoftmaxOptions(0.7), weight=weight, bias=bias)(
        hidden, target, row_of
    )
    logits = F.linear(hidden[row_of], weight, bias)
    want = F.cross_entropy(logits - 0.7 * F.one_hot(target, V).double(), target, reduction="none")
    torch.testing.assert_close(loss, want, rtol=1e-12, atol=1e-12)
    got, right = torch.autograd.grad(loss.sum(), bias), torch.autograd.grad(want.sum(), bias)
    torch.testing.assert_close(got, right, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("shared", [True, False])
def test_float32_keeps_its_digits_where_the_target_dominates(shared):
    """P(target) is 1 to within float32; only the margin brings the others into play."""
    cosines = torch.tensor([1.0, 0.62, -0.4, 0.1, -0.9])
    weight = torch.stack([cosines, (1 - cosines**2).sqrt()], dim=1)
    hidden = torch.tensor([[2.0, 0.0], [-1.0, 0.1]])
    target, row_of = torch.tensor([0, 1, 4, 0]), torch.tensor([0, 0, 1, 0])
    options = AmSoftmaxOptions(120.0, 0.9)
    losses, gradients = [], []
    for dtype in (torch.float32, torch.float64):
        h, w = (t.to(dtype).requires_grad_() for t in (hidden, weight))
        layer = AmSoftmax(2, [1] * 5, options, weight=w)
        if shared:
            loss = layer(h, target, row_of)
        elif dtype == torch.float32:
            loss = layer(h[row_of], target)
        else:
            scores = 120 * F.normalize(h[row_of], dim=1) @ F.normalize(w, dim=1).t()
            loss = F.cross_entropy(
                scores - 108 * F.one_hot(target, 5).double(), target, reduction="none"
            )
        losses.append(loss.double())
        gradients.append([g.double() for g in torch.autograd.grad(loss.sum(), (h, w))])
    assert losses[1][0] > 50
    torch.testing.assert_close(losses[0], losses[1], rtol=1e-5, atol=1e-5)
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def test_other_pairs():
    score = torch.tensor(
        [0.3, 90.0, -1.0, 2.0, 2.0, -300.0, 5.0], dtype=torch.float64, requires_grad=True
    )
    rows = torch.tensor([0, 0, 0, 1, 1, 1, 3])
    same = (rows[:, None] == rows) & ~torch.eye(7, dtype=torch.bool)
    want = score.expand(7, 7).masked_fill(~same, -torch.inf)[:6].logsumexp(1)
    got = other_pairs(score, rows, 4)
    torch.testing.assert_close(got[:6], want, rtol=1e-14, atol=1e-14)
    assert got[6] < -1e300
    cotangent = torch.linspace(1, 2, 6, dtype=torch.float64)
    right = torch.autograd.grad((want * cotangent).sum(), score)[0]
    torch.testing.assert_close(
        torch.autograd.grad((got[:6] * cotangent).sum(), score)[0], right, rtol=1e-12, atol=1e-14
    )


def test_limits():
    hidden, weight, target, row_of = parts()
    plain = Softmax(D, COUNTS, weight=weight)(hidden, target, row_of)
    cosines = 7 * F.normalize(hidden, dim=1)[row_of] @ F.normalize(weight, dim=1).t()
    for layer, want in (
        (SmSoftmax(D, COUNTS, SmSoftmaxOptions(0.0), weight=weight), plain),
        (LSoftmax(D, COUNTS, LSoftmaxOptions(1), weight=weight), plain),
        (LSoftmax(D, COUNTS, LSoftmaxOptions(4, 1e13), weight=weight), plain),
        (
            AmSoftmax(D, COUNTS, AmSoftmaxOptions(7.0, 0.0), weight=weight),
            F.cross_entropy(cosines, target, reduction="none"),
        ),
    ):
        torch.testing.assert_close(layer(hidden, target, row_of), want, rtol=1e-11, atol=1e-11)


def test_a_margin_makes_the_loss_larger(name):
    hidden, weight, target, row_of = parts()
    layer = LAYERS[name](weight=weight)
    assert (layer(hidden, target, row_of) > layer.nll(hidden[row_of], target)).all()


def test_angle_boundaries_are_continuous():
    """psi has no jump where k changes, and ends at (-1)^(m-1) cos(m pi) - 2 (m - 1) = 1 - 2m for
    opposite vectors."""
    for margin in (2, 3, 4):
        for i in range(1, margin):
            edge = i * math.pi / margin
            weight = torch.zeros(2, 2, dtype=torch.float64)
            angles = torch.tensor([edge - 1e-9, edge + 1e-9], dtype=torch.float64)
            hidden = torch.stack([angles.cos(), angles.sin()], dim=1)
            weight[0, 0] = 1
            losses = l_softmax_loss(
                hidden, weight, torch.zeros(2, dtype=torch.long), margin, reduction="none"
            )
            assert abs(float(losses[0] - losses[1])) < 1e-7
        opposite = l_softmax_loss(
            torch.tensor([[-1.0, 0.0]]),
            torch.tensor([[1.0, 0.0], [0.0, 0.0]]),
            torch.tensor([0]),
            margin,
        )
        assert opposite.item() == pytest.approx(math.log(1 + math.exp(2 * margin - 1)), rel=1e-6)


def test_rows_of_zeros(name):
    """No direction, no angle: finite losses and gradients; the zero rows of L- and soft-margin
    layers can learn."""
    hidden, _, target, row_of = parts(torch.float32)
    weight = torch.zeros(V, D, requires_grad=True)
    loss = LAYERS[name](weight=weight)(hidden, target, row_of)
    gradients = torch.autograd.grad(loss.sum(), (hidden, weight))
    assert loss.isfinite().all() and all(g.isfinite().all() for g in gradients)
    assert bool(gradients[1].any()) == (name != "am")
    assert not torch.autograd.grad(unit_rows(weight).sum(), weight)[0].any()
    own = LAYERS[name]()
    assert bool(own.weight.any()) == (name != "sm")


def test_no_targets_one_target_and_order(name):
    hidden, weight, target, _ = parts(targets=6)
    layer = LAYERS[name](weight=weight)
    for rows, row_of in ((hidden[:0], None), (hidden, target[:0]), (hidden[:0], target[:0])):
        empty = layer(rows, target[:0], row_of)
        assert empty.shape == (0,)
        assert not torch.autograd.grad(empty.sum(), weight)[0].any()
    loss = layer(hidden, target)
    single = [layer(h[None], t[None]) for h, t in zip(hidden, target, strict=True)]
    torch.testing.assert_close(torch.cat(single), loss)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    torch.testing.assert_close(layer(hidden[order], target[order]), loss[order])
    torch.testing.assert_close(layer(hidden, target, torch.arange(6)), loss)


def test_probabilities_are_without_margin(name):
    hidden, weight, target, _ = parts(targets=6)
    layer = LAYERS[name](weight=weight)
    log_prob = layer.log_prob(hidden)
    torch.testing.assert_close(log_prob, scores_of(name, hidden, weight).log_softmax(1))
    torch.testing.assert_close(log_prob.exp().sum(1), torch.ones(6, dtype=torch.float64))
    torch.testing.assert_close(
        layer.nll(hidden, target), -log_prob.gather(1, target[:, None])[:, 0]
    )
    ids, best = layer.predict(hidden, 3)
    torch.testing.assert_close(log_prob.gather(1, ids), best)
    torch.testing.assert_close(best, log_prob.topk(3, dim=1).values)


def test_bfloat16_and_autocast(name):
    hidden, weight, target, row_of = parts(torch.bfloat16)
    exact = [hidden.detach().float(), weight.detach().float()]
    want = LAYERS[name](weight=exact[1])(exact[0], target, row_of)
    loss = LAYERS[name](weight=weight)(hidden, target, row_of)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, want, rtol=1e-5, atol=1e-5)
    assert torch.autograd.grad(loss.sum(), weight)[0].dtype == torch.bfloat16
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = LAYERS[name](weight=exact[1])(exact[0], target, row_of)
    torch.testing.assert_close(mixed, want, rtol=1e-5, atol=1e-5)
