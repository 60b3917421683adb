"""The fused linear + cross-entropy against PyTorch's own on the full scores, whole and cut into
small blocks."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from w2v.compat.losses import linear_cross_entropy as reduced_cross_entropy
from w2v.losses.math import products, score_sums
from w2v.losses.math.cross_entropy import linear_cross_entropy
from w2v.losses.math.cross_entropy import score_sums as sums_of

U, D, V = 11, 5, 23


@pytest.fixture(params=["whole", "blocks kept", "blocks computed again"])
def blocks(request, monkeypatch):
    """The same results however the scores are cut up."""
    if request.param != "whole":
        monkeypatch.setattr(score_sums, "BLOCK_ROWS", 3)
        monkeypatch.setattr(score_sums, "BLOCK_CLASSES", 8)
        monkeypatch.setattr(score_sums, "EAGER_MOST_ROWS", 4)
        monkeypatch.setattr(score_sums, "EAGER_ROWS", 1 if request.param == "blocks kept" else 5)
    return request.param


def problem(
    dtype: torch.dtype = torch.float64, targets: int = 17
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    hidden, weight, bias = (
        torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype).requires_grad_()
        for shape in ((U, D), (V, D), (V,))
    )
    target = torch.randint(0, V, (targets,), generator=generator)
    row_of = torch.randint(0, U, (targets,), generator=generator)
    return hidden, weight, bias, target, row_of


def expected(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, target: Tensor, smoothing: float = 0.0
) -> Tensor:
    return F.cross_entropy(
        F.linear(hidden, weight, bias), target, reduction="none", label_smoothing=smoothing
    )


def gradients(loss: Tensor, *inputs: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.grad(loss, inputs)


@pytest.mark.parametrize("smoothing", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("weighting", ["sum", "mean", "each its own"])
def test_values_and_gradients(blocks, smoothing, with_bias, weighting):
    hidden, weight, bias, target, row_of = problem()
    inputs = (hidden, weight, bias) if with_bias else (hidden, weight)
    used = bias if with_bias else None
    loss = linear_cross_entropy(hidden, weight, target, used, row_of, smoothing=smoothing)
    want = expected(hidden[row_of], weight, used, target, smoothing)
    torch.testing.assert_close(loss, want, rtol=1e-12, atol=1e-12)
    factor = (
        torch.linspace(-1, 2, len(target), dtype=torch.float64)
        if weighting == "each its own"
        else 1.0
    )
    reduce = torch.mean if weighting == "mean" else torch.sum
    for got, right in zip(
        gradients(reduce(loss * factor), *inputs),
        gradients(reduce(want * factor), *inputs),
        strict=True,
    ):
        torch.testing.assert_close(got, right, rtol=1e-11, atol=1e-12)


def test_one_target_per_row(blocks):
    hidden, weight, bias, target, _ = problem(targets=U)
    want = expected(hidden, weight, bias, target)
    loss = linear_cross_entropy(hidden, weight, target, bias)
    torch.testing.assert_close(loss, want, rtol=1e-12, atol=1e-12)
    for got, right in zip(
        gradients(loss.mean(), hidden, weight, bias),
        gradients(want.mean(), hidden, weight, bias),
        strict=True,
    ):
        torch.testing.assert_close(got, right, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_ignored_targets_have_no_loss_and_no_gradient(reduction):
    hidden, weight, bias, target, _ = problem(targets=U)
    target = torch.where(torch.arange(U) % 3 == 0, -100, target)
    kept = target != -100
    loss = reduced_cross_entropy(hidden, weight, target, bias, reduction=reduction)
    want = F.cross_entropy(F.linear(hidden, weight, bias), target, reduction=reduction)
    torch.testing.assert_close(loss, want, rtol=1e-12, atol=1e-12)
    with torch.no_grad():
        hidden[~kept] = torch.nan
    loss = reduced_cross_entropy(hidden, weight, target, bias, reduction="sum")
    got = gradients(loss, hidden, weight, bias)
    assert loss.isfinite() and not got[0][~kept].any()
    assert all(bool(gradient.isfinite().all()) for gradient in got)


def test_float64_passes_torchs_own_gradcheck():
    hidden, weight, bias, target, _ = problem(targets=U)

    def loss(*inputs: Tensor) -> Tensor:
        return reduced_cross_entropy(*inputs[:2], target, inputs[2])

    assert torch.autograd.gradcheck(loss, (hidden, weight, bias))
    assert torch.autograd.gradgradcheck(loss, (hidden, weight, bias))


def test_gradcheck(blocks):
    hidden, weight, bias, target, row_of = problem()

    def loss(hidden: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return linear_cross_entropy(hidden, weight, target, bias, row_of, smoothing=0.2)

    assert torch.autograd.gradcheck(loss, (hidden, weight, bias))


def test_gradcheck_of_the_three_sums(blocks):
    hidden, weight, bias, target, row_of = problem()
    for others_only in (False, True):

        def sums(hidden, weight, bias, others_only=others_only):
            return sums_of(
                hidden, weight, bias, target, row_of, with_mean=True, others_only=others_only
            )

        assert torch.autograd.gradcheck(sums, (hidden, weight, bias))


def test_others_only_leaves_out_every_target_of_the_row(blocks):
    hidden, weight, bias, target, row_of = problem()
    scores = F.linear(hidden, weight, bias).detach()
    left_out = scores.clone()
    left_out[row_of, target] = -torch.inf
    total, score, _ = sums_of(hidden, weight, bias, target, row_of, others_only=True)
    torch.testing.assert_close(total, left_out.logsumexp(1)[row_of], rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(score, scores[row_of, target], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("frozen", [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2)])
def test_inputs_without_gradient_get_none_and_cost_none(blocks, frozen):
    tensors = [*problem()[:3]]
    target, row_of = problem()[3:]
    for i in frozen:
        tensors[i].requires_grad_(False)
    free = [tensor for tensor in tensors if tensor.requires_grad]
    hidden, weight, bias = tensors
    loss = linear_cross_entropy(hidden, weight, target, bias, row_of)
    kept = loss.grad_fn.next_functions[0][0].grads
    if kept is not None:
        assert all(
            (getattr(kept, name) is None) == (i in frozen)
            for i, name in enumerate(("hidden", "weight", "bias"))
        )
    got = gradients(loss.sum(), *free)
    right = gradients(expected(hidden[row_of], weight, bias, target).sum(), *free)
    for a, b in zip(got, right, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-12)


def test_gradients_are_made_in_the_forward_pass_and_given_away_last():
    hidden, weight, bias, target, row_of = problem()
    loss = linear_cross_entropy(hidden, weight, target, bias, row_of)
    made = loss.grad_fn.next_functions[0][0].grads.weight
    first = torch.autograd.grad(loss.sum(), (hidden, weight, bias), retain_graph=True)
    assert first[1].data_ptr() != made.data_ptr()
    second = torch.autograd.grad(loss.sum(), (hidden, weight, bias))
    assert second[1].data_ptr() == made.data_ptr()
    assert all(map(torch.equal, first, second))
    with torch.no_grad():
        assert linear_cross_entropy(hidden, weight, target, bias, row_of).grad_fn is None


def test_no_targets_and_one_target(blocks):
    hidden, weight, bias, _, _ = problem()
    none = torch.zeros(0, dtype=torch.long)
    for rows, row_of in ((hidden[:0], None), (hidden, none), (hidden[:0], none)):
        loss = linear_cross_entropy(rows, weight, none, bias, row_of, smoothing=0.1)
        assert loss.shape == (0,)
        assert not any(bool(g.any()) for g in gradients(loss.sum(), hidden, weight, bias))
    one = linear_cross_entropy(hidden[:1], weight, torch.tensor([7]), bias)
    torch.testing.assert_close(one, expected(hidden[:1], weight, bias, torch.tensor([7])))


def test_order_and_batching_do_not_matter(blocks):
    hidden, weight, bias, target, _ = problem(targets=U)
    loss = linear_cross_entropy(hidden, weight, target, bias)
    order = torch.randperm(U)
    torch.testing.assert_close(
        linear_cross_entropy(hidden[order], weight, target[order], bias), loss[order]
    )
    halves = [
        linear_cross_entropy(hidden[s], weight, target[s], bias)
        for s in (slice(0, 4), slice(4, None))
    ]
    torch.testing.assert_close(torch.cat(halves), loss)


def test_float32_at_large_scores(blocks):
    hidden, weight, bias, target, row_of = problem(torch.float32)
    far = (hidden * 300).detach().requires_grad_()
    loss = linear_cross_entropy(far, weight, target, bias, row_of)
    exact = [t.detach().double().requires_grad_() for t in (far, weight, bias)]
    want = expected(exact[0][row_of], exact[1], exact[2], target)
    assert loss.dtype == torch.float32 and want.max().item() > 500
    torch.testing.assert_close(loss.double(), want, rtol=1e-5, atol=1e-4)
    for a, b in zip(
        gradients(loss.sum(), far, weight, bias), gradients(want.sum(), *exact), strict=True
    ):
        torch.testing.assert_close(a.double(), b, rtol=1e-4, atol=2e-4 * float(b.abs().max()))


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_half_precision_inputs_are_summed_in_float32(blocks, half):
    hidden, weight, bias, target, row_of = problem(half)
    loss = linear_cross_entropy(hidden, weight, target, bias, row_of)
    exact = [t.detach().float().requires_grad_() for t in (hidden, weight, bias)]
    want = linear_cross_entropy(exact[0], exact[1], target, exact[2], row_of)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, want, rtol=1e-6, atol=1e-6)
    got = gradients(loss.sum(), hidden, weight, bias)
    for a, b in zip(got, gradients(want.sum(), *exact), strict=True):
        assert a.dtype == half
        torch.testing.assert_close(a, b.to(half), rtol=2 * torch.finfo(half).eps, atol=1e-5)


def test_autocast_changes_nothing(blocks):
    hidden, weight, bias, target, row_of = problem(torch.float32)
    want = linear_cross_entropy(hidden, weight, target, bias, row_of, smoothing=0.1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = linear_cross_entropy(hidden, weight, target, bias, row_of, smoothing=0.1)
        got = gradients(loss.sum(), hidden, weight, bias)
    assert torch.equal(loss, want)
    for a, b in zip(got, gradients(want.sum(), hidden, weight, bias), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-6)


def test_memory_stays_far_below_the_scores(monkeypatch):
    """No tensor made on the way holds more than the kept blocks: counted by the sizes of what the
    operators return."""
    monkeypatch.setattr(score_sums, "HELD_BYTES", 1 << 20)
    monkeypatch.setattr(score_sums, "EAGER_ROWS", 16)
    monkeypatch.setattr(score_sums, "BLOCK_ROWS", 32)
    monkeypatch.setattr(score_sums, "BLOCK_CLASSES", 256)
    largest = 0

    class Sizes(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            nonlocal largest
            result = func(*args, **(kwargs or {}))
            if isinstance(result, Tensor):
                largest = max(largest, result.numel())
            return result

    hidden, weight = (
        torch.randn(500, 8, requires_grad=True),
        torch.randn(9000, 8, requires_grad=True),
    )
    with Sizes():
        linear_cross_entropy(hidden, weight, torch.randint(0, 9000, (500,))).mean().backward()
    assert largest == weight.numel() < 500 * 9000 / 8


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_functional_reductions(reduction):
    hidden, weight, bias, target, _ = problem(targets=U)
    target[2] = -100
    got = reduced_cross_entropy(
        hidden, weight, target, bias, label_smoothing=0.2, reduction=reduction
    )
    want = F.cross_entropy(
        F.linear(hidden, weight, bias), target, label_smoothing=0.2, reduction=reduction
    )
    torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-12)
    for a, b in zip(
        gradients(got.sum(), hidden, weight, bias),
        gradients(want.sum(), hidden, weight, bias),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize(
    ("change", "numbers"),
    [
        ({"target": torch.tensor([0, 23])}, ("23", "22")),
        ({"target": torch.tensor([-1, 3])}, ("-1", "22")),
        ({"target": torch.tensor([0, 1, 2])}, ("3", "2")),
        ({"weight": torch.zeros(23, 4)}, ("5", "4")),
        ({"bias": torch.zeros(22)}, ("22", "23")),
        ({"label_smoothing": 1.5}, ("1.5", "0 to 1")),
        ({"label_smoothing": -0.1}, ("-0.1", "0 to 1")),
    ],
)
def test_errors_name_both_numbers(change, numbers):
    arguments = {
        "input": torch.zeros(2, 5),
        "weight": torch.zeros(23, 5),
        "target": torch.tensor([0, 22]),
    } | change
    with pytest.raises(ValueError) as error:
        reduced_cross_entropy(**arguments)
    assert all(number in str(error.value) for number in numbers)


def test_products_by_either_library(monkeypatch):
    x, y, weight, bias = torch.randn(7, 5), torch.randn(7, 3), torch.randn(4, 5), torch.randn(4)
    for works in (products._onednn_works(), False):
        monkeypatch.setattr(products, "_onednn_works", lambda works=works: works)
        torch.testing.assert_close(products.linear(x, weight, bias), x @ weight.t() + bias)
        torch.testing.assert_close(products.linear(x, weight.t().contiguous().t()), x @ weight.t())
        for threads in (1, 2):
            monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
            for wide, narrow in ((x, y), (torch.randn(7, 70), y)):
                torch.testing.assert_close(products.outer(wide, narrow), wide.t() @ narrow)
                torch.testing.assert_close(products.outer(narrow, wide), narrow.t() @ wide)
        assert products.linear(x[:0], weight, bias).shape == (0, 4)
        assert products.outer(x[:0], y[:0]).shape == (5, 3)
