"""The faces as modules: what can be imported, classes that stand in for torch's and Paddle's,
tf.random's samplers."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch.nn import functional as F

import w2v.losses
from tests.losses.sampled_cases import normal
from w2v.compat import losses as functions
from w2v.compat import tensorflow as tf
from w2v.compat.paddle import HSigmoidLoss, hsigmoid_loss
from w2v.compat.torch import AdaptiveLogSoftmaxWithLoss
from w2v.sampling.samplers import UnigramSampler


def test_nothing_heavy_is_loaded_before_it_is_named() -> None:
    code = (
        "import sys, w2v.losses, w2v.compat; w2v.losses.LOSSES; w2v.losses.NegOptions;"
        " assert not {'torch', 'numpy'} & {*sys.modules};"
        " w2v.losses.Softmax; w2v.compat.torch.adaptive_log_softmax_with_loss"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_public_name_is_there() -> None:
    assert all(getattr(w2v.losses, name) is not None for name in w2v.losses.__all__)
    assert {entry.layer.partition(":")[2] for entry in w2v.losses.LOSSES.values()} <= {
        *w2v.losses.__all__
    }
    with pytest.raises(AttributeError, match="no attribute 'Sofmax'"):
        w2v.losses.Sofmax  # noqa: B018
    with pytest.raises(AttributeError):
        w2v.compat.keras  # noqa: B018


@pytest.mark.parametrize("bias", [False, True])
def test_the_adaptive_module_is_torchs(bias: bool) -> None:
    torch.manual_seed(2)
    ours = AdaptiveLogSoftmaxWithLoss(6, 60, [20, 40], 2.0, bias, dtype=torch.float64)
    torch.manual_seed(2)
    theirs = torch.nn.AdaptiveLogSoftmaxWithLoss(6, 60, [20, 40], 2.0, bias, dtype=torch.float64)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert all(map(torch.equal, ours.parameters(), theirs.parameters()))
    assert ours.cutoffs == theirs.cutoffs == [20, 40, 60]
    hidden, target = normal(9, 6), torch.tensor([0, 19, 20, 39, 40, 59, 5, 6, 41])
    for inputs in ((hidden, target), (hidden[2], target[2])):
        found, wanted = ours(*inputs), theirs(*inputs)
        torch.testing.assert_close(found.output, wanted.output)
        torch.testing.assert_close(found.loss, wanted.loss)
    torch.testing.assert_close(ours.log_prob(hidden), theirs.log_prob(hidden))
    assert torch.equal(ours.predict(hidden), theirs.predict(hidden))
    assert ours.predict(hidden[0]) == ours.predict(hidden)[0]


@pytest.mark.parametrize("sparse", [False, True])
def test_paddles_layer_is_its_function(sparse: bool) -> None:
    layer = HSigmoidLoss(6, 10, is_sparse=sparse).double()
    assert (layer.weight.shape, layer.bias.shape) == ((9, 6), (9, 1)) and not layer.bias.any()
    hidden, label = normal(5, 6).requires_grad_(), torch.tensor([[0], [9], [4], [4], [1]])
    loss = layer(hidden, label)
    torch.testing.assert_close(loss, hsigmoid_loss(hidden, label, 10, layer.weight, layer.bias))
    loss.sum().backward()
    assert layer.weight.grad.is_sparse == layer.bias.grad.is_sparse == sparse
    for kind in (torch.uint8, torch.int16):
        torch.testing.assert_close(layer(hidden, label.to(kind)), loss)
    custom = HSigmoidLoss(6, 10, bias_attr=False, is_custom=True)
    assert custom.weight.shape == (10, 6) and custom.bias is None
    table = torch.tensor([[0, 2, -1]], dtype=torch.int16)
    assert custom(torch.ones(1, 6), label[:1], table, table > 0).shape == (1, 1)
    with pytest.raises(ValueError, match="is_custom"):
        custom(torch.ones(1, 6), label[:1])
    with pytest.raises(ValueError, match=r"input is .*int64"):
        hsigmoid_loss(torch.ones(1, 6).long(), label[:1], 10, layer.weight)


@pytest.mark.parametrize("kind", ["uniform", "log_uniform", "learned_unigram"])
def test_samplers_of_a_range(kind: str) -> None:
    sampler = getattr(tf, f"{kind}_candidate_sampler")
    labels = torch.tensor([[0, 3], [7, 1]])
    sampled, true, expected = sampler(labels, 2, 4, True, 9, seed=3)
    assert sampled.shape == expected.shape == (4,) and true.shape == (2, 2)
    assert len(set(sampled.tolist())) == 4
    assert torch.equal(sampler(labels, 2, 4, True, 9, seed=3)[0], sampled)
    loss = tf.nce_loss(normal(9, 5), None, labels, normal(2, 5), 4, 9, 2, (sampled, true, expected))
    assert loss.shape == (2,)
    with pytest.raises(ValueError, match=r"true_classes.*0 to 8"):
        sampler(torch.tensor([[9]]), 1, 4, True, 9)
    with pytest.raises(ValueError, match=r"\[2, 2\], it must be \[N, 1\]"):
        sampler(labels, 1, 4, True, 9)


def test_fixed_and_all_candidates() -> None:
    labels, weights = torch.tensor([[1], [2]]), [4.0, 0.0, 1.0, 5.0]
    found = tf.fixed_unigram_candidate_sampler(labels, 1, 2, False, 4, unigrams=weights)
    torch.testing.assert_close(found[1], 2 * UnigramSampler(weights).probability(labels))
    sampled, true, expected = tf.all_candidate_sampler(labels, 1, 4, True)
    assert sampled.tolist() == [0, 1, 2, 3] and bool((true == 1).all() and (expected == 1).all())


def test_expected_counts_of_a_row_stand_for_all_its_labels() -> None:
    labels, counts = torch.tensor([[0, 3], [7, 1]]), torch.tensor([[0.5], [0.25]])
    given = torch.tensor([2, 5]), counts, torch.ones(2)
    wide = torch.tensor([2, 5]), counts.expand(2, 2), torch.ones(2)
    tables = normal(9, 5), None, labels, normal(2, 5), 2, 9, 2
    assert torch.equal(tf.nce_loss(*tables, given), tf.nce_loss(*tables, wide))


@pytest.mark.parametrize("shape", [(), (7, 1), (2, 3, 2)])
def test_linear_functions_take_any_shape(shape: tuple[int, ...]) -> None:
    hidden, weight = normal(*shape, 5), normal(11, 5)
    target = torch.randint(11, shape, generator=torch.Generator().manual_seed(1))
    want = F.cross_entropy((hidden @ weight.T).reshape(-1, 11), target.reshape(-1))
    torch.testing.assert_close(functions.linear_cross_entropy(hidden, weight, target), want)
    none = functions.am_softmax_loss(hidden, weight, target, reduction="none")
    assert none.shape == functions.l_softmax_loss(hidden, weight, target, reduction="none").shape
    with pytest.raises(ValueError, match="must have"):
        functions.linear_cross_entropy(hidden, weight, target[None])


def test_functions_under_the_compiler_and_their_second_derivatives() -> None:
    hidden, weight, target = normal(4, 5).requires_grad_(), normal(7, 5), torch.tensor([0, 3, 6, 3])
    weight.requires_grad_()
    losses = (
        lambda h, w: functions.linear_cross_entropy(h, w, target),
        lambda h, w: functions.am_softmax_loss(h, w, target, 5.0, 0.2),
        lambda h, w: functions.l_softmax_loss(h, w, target, 2, 1.0),
        lambda h, w: hsigmoid_loss(h, target, 8, w).sum(),
        lambda h, w: tf.nce_loss(w, None, target, h, 3, 7, seed=1).sum(),
    )
    for loss in losses:
        assert torch.autograd.gradgradcheck(loss, (hidden, weight))
        torch.testing.assert_close(torch.compile(loss)(hidden, weight), loss(hidden, weight))
