"""What TensorFlow's users give to its faces: labels of any type, counts to be broadcast, shards,
seeds; and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from tests.losses.sampled_cases import normal
from w2v.compat import tensorflow as tf

FUNCTIONS = tf.nce_loss, tf.sampled_softmax_loss
LABELS = torch.tensor([[0, 3], [7, 1], [2, 2]])
COUNTS = torch.tensor([[0.5, 0.2], [0.3, 0.9], [1.5, 0.1]]), torch.tensor([0.4, 2.0])


def loss_of(function: Any, labels: Any = LABELS, counts: Any = COUNTS, **more: Any) -> Tensor:
    given = {"weights": normal(9, 4), "biases": normal(9), "inputs": normal(3, 4), **more}
    candidates = more.pop("candidates", torch.tensor([5, 3]))
    given.pop("candidates", None)
    given = {"num_sampled": 2, "num_classes": 9, "num_true": 2, **given}
    return function(labels=labels, sampled_values=(candidates, *counts), **given)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_loss_by_its_formula(function):
    """Weights of 0: a score is its bias minus the log of its expected count."""
    bias = normal(9)
    true = bias[LABELS] - COUNTS[0].double().log()
    noise = (bias[[5, 3]] - COUNTS[1].double().log()).expand(3, 2)
    if function is tf.nce_loss:
        want = (F.softplus(true) - true / 2).sum(1) + F.softplus(noise).sum(1)
    else:
        noise = noise.clone()
        noise[0, 1] = -torch.inf  # candidate 3 is a label of the first row
        all_scores = torch.cat([true, noise], 1)
        want = (all_scores.logsumexp(1, keepdim=True) - true).mean(1)
    found = loss_of(function, weights=torch.zeros(9, 4).double(), biases=bias)
    torch.testing.assert_close(found, want)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    "form",
    [
        *("int32", "int16", "int8", "uint8", "uint64"),
        *("float64", "float32", "float16", "bfloat16"),
        *(Tensor.numpy, Tensor.tolist),
    ],
)
def test_labels_and_candidates_of_any_type(function, form):
    def made(ids: Tensor) -> Any:
        return ids.to(getattr(torch, form)) if isinstance(form, str) else form(ids)

    found = loss_of(function, made(LABELS), candidates=made(torch.tensor([5, 3])))
    assert torch.equal(found, loss_of(function))


@pytest.mark.parametrize(
    ("labels", "classes", "message"),
    [
        (torch.tensor([[0.5], [1.0]]), 9, "integers"),
        (torch.tensor([[torch.nan], [1.0]]), 9, "integers"),
        (torch.tensor([[torch.inf], [1.0]]), 9, "integers"),
        (torch.tensor([[300], [1]]).bfloat16(), 600, "bfloat16.*rounded.*integers"),
        (torch.tensor([[2048], [1]]).half(), 3000, "float16.*rounded"),
        (torch.tensor([[True], [False]]), 9, "labels is torch.bool"),
        (torch.tensor([[1j], [0]]), 9, "labels is torch.complex64"),
        ("ab", 9, "labels is a str"),
        (None, 9, "labels is a NoneType"),
        ([[0], [1, 2]], 9, "labels is a list"),
        (torch.tensor([[0], [1]], device="meta"), 9, "meta"),
        (torch.tensor([[[0]], [[1]]]), 9, r"labels has shape \[2, 1, 1\].*\[2, 1\]"),
        (torch.tensor(1), 9, r"labels has shape \[\]"),
    ],
)
def test_labels_that_are_refused(labels, classes, message):
    with pytest.raises(ValueError, match=message):
        tf.nce_loss(normal(classes, 4), None, labels, normal(2, 4), 3, classes)


def test_labels_that_bfloat16_holds_exactly():
    labels = torch.tensor([[256], [255]])
    given = normal(257, 4), None, labels, normal(2, 4), 3, 257
    rounded = *given[:2], labels.bfloat16(), *given[3:]
    assert torch.equal(tf.nce_loss(*rounded, seed=1), tf.nce_loss(*given, seed=1))


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("shape", [(3, 1), (1, 2), (2,), (1, 1), (1,), ()])
def test_counts_are_broadcast(function, shape):
    true = torch.linspace(0.1, 0.9, 6)[: int(np.prod(shape))].reshape(shape)
    for sampled in (torch.tensor(0.7), torch.tensor([0.7]), 0.7, [0.7, 0.7]):
        found = loss_of(function, counts=(true, sampled))
        wide = true.expand(3, 2), torch.tensor([0.7, 0.7])
        assert torch.equal(found, loss_of(function, counts=wide))


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ((COUNTS[0][:2], COUNTS[1]), r"true_expected_count has shape \[2, 2\].*\[3, 2\]"),
        ((COUNTS[0], COUNTS[1][:, None]), r"sampled_expected_count has shape \[2, 1\].*\[2\]"),
        ((COUNTS[0] * torch.nan, COUNTS[1]), "true_expected_count holds nan"),
        ((COUNTS[0], COUNTS[1] / 0), "sampled_expected_count holds inf"),
        ((COUNTS[0], "half"), "sampled_expected_count is a str"),
        ((None, COUNTS[1]), "no true_expected_count.*true_classes"),
        ((COUNTS[0],), "three parts"),
    ],
)
def test_counts_that_are_refused(counts, message):
    with pytest.raises(ValueError, match=message):
        loss_of(tf.nce_loss, counts=counts)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": torch.ones(3, 4).int()}, "inputs is torch.int32.*floating"),
        ({"inputs": torch.ones(3, 4) * 1j}, "inputs is torch.complex64"),
        ({"inputs": torch.ones(3, 4, 1)}, r"inputs has shape \[3, 4, 1\].*\[N, D\]"),
        ({"weights": torch.ones(9, 4).int()}, "weights is torch.int32"),
        ({"weights": torch.ones(9, 4) * 1j}, "weights is torch.complex64"),
        ({"weights": torch.ones(9, 4, 1)}, r"weights has shape \[9, 4, 1\].*\[classes, D\]"),
        ({"weights": [torch.ones(5, 4), torch.ones(4, 3)]}, r"\[5, 4\].*\[4, 3\]"),
        ({"weights": np.ones((9, 4))}, "weights is a ndarray"),
        ({"weights": 3}, "weights is a int"),
        ({"weights": torch.ones(9, 4).to_sparse()}, "weights is a sparse_coo"),
        ({"biases": torch.ones(9, 1)}, r"biases has shape \[9, 1\].*\[classes\]"),
        ({"biases": torch.ones(9).bool()}, "biases is torch.bool"),
        ({"num_sampled": 2.5}, "num_sampled is 2.5.*whole"),
        ({"num_classes": "9"}, "num_classes is '9'.*whole"),
        ({"num_classes": 10**30}, "num_classes is 10.*at most"),
        ({"num_true": None}, "num_true is None.*whole"),
    ],
)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_tables_and_numbers_that_are_refused(function, change, message):
    with pytest.raises(ValueError, match=message):
        loss_of(function, **change)


@pytest.mark.parametrize("strategy", ["div", "mod"])
def test_shards_in_a_parameter_list(strategy):
    table = normal(7, 4)
    cut = table.split([3, 2, 2]) if strategy == "div" else [table[p::3] for p in range(3)]
    given = None, torch.tensor([[4], [6]]), normal(2, 4), 3, 7
    parts = torch.nn.ParameterList(cut)
    found = tf.nce_loss(parts, *given, seed=2, partition_strategy=strategy)
    torch.testing.assert_close(found, tf.nce_loss(table, *given, seed=2))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_order_of_tensorflow_1(function):
    """There the strategy comes tenth; here it would be a name, or a seed."""
    table, labels = normal(9, 4), torch.tensor([[4]])
    counts = torch.tensor([1, 2]), torch.ones(1, 1), torch.ones(2)
    with pytest.raises(ValueError, match="is 'mod'"):
        function([table], None, labels, normal(1, 4), 2, 9, 1, counts, True, "mod")


def test_accidental_hits():
    # row 1 has its label twice, candidate 4 is drawn twice: its last position counts
    indices, ids, weights = tf.compute_accidental_hits([[1, 2], [4, 4], [0, 3]], [4, 1, 4, 3], 2)
    assert (indices.tolist(), ids.tolist()) == ([0, 1, 1, 2], [1, 2, 2, 3])
    assert weights.dtype == torch.float32 and bool((weights == torch.finfo().min).all())
    for labels, candidates in ((torch.zeros(0, 2).long(), [1]), ([[1, 2]], [3]), ([[1, 2]], [])):
        found = tf.compute_accidental_hits(labels, candidates, 2)
        assert [len(part) for part in found] == [0, 0, 0]
    with pytest.raises(ValueError, match=r"true_classes has shape \[1, 2\].*\[N, 1\]"):
        tf.compute_accidental_hits([[1, 2]], [3], 1)
    with pytest.raises(ValueError, match=r"sampled_candidates has shape \[1, 1\].*\[S\]"):
        tf.compute_accidental_hits([[1, 2]], [[3]], 2)


@pytest.mark.parametrize("kind", ["uniform", "log_uniform", "learned_unigram"])
def test_more_candidates_than_classes(kind):
    sampler = getattr(tf, f"{kind}_candidate_sampler")
    sampled, true, _ = sampler([[0], [1]], 1, 12, False, 5, seed=np.int64(4))
    assert sampled.shape == (12,) and int(sampled.max()) < 5
    assert torch.equal(sampled, sampler(np.array([[0], [1]]), 1, 12, False, 5, seed=4)[0])
    if kind != "log_uniform":  # 12 draws of 5 classes alike
        torch.testing.assert_close(true, torch.full((2, 1), 2.4).double(), rtol=1e-6, atol=0)
    with pytest.raises(ValueError, match=r"num_sampled is 12.*5 classes"):
        sampler([[0], [1]], 1, 12, True, 5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 2.5}, "seed is 2.5.*whole"),
        ({"seed": "3"}, "seed is '3'"),
        ({"seed": 2**70}, "seed is .*at most"),
        ({"range_max": 2.5}, "range_max is 2.5"),
        ({"range_max": float("nan")}, "range_max is nan"),
        ({"num_sampled": 0}, "num_sampled is 0.*1 or more"),
        ({"num_sampled": "3"}, "num_sampled is '3'"),
        ({"num_true": 0}, "num_true is 0"),
        ({"true_classes": [[0.5], [1]]}, "true_classes is torch.float32"),
        ({"true_classes": None}, "true_classes is a NoneType"),
        ({"true_classes": [0, 1]}, r"true_classes has shape \[2\].*\[N, 1\]"),
    ],
)
def test_samplers_refuse(change, message):
    given = {"true_classes": [[0], [1]], "num_true": 1, "num_sampled": 3, "unique": True}
    with pytest.raises(ValueError, match=message):
        tf.uniform_candidate_sampler(**{**given, "range_max": 5, **change})
