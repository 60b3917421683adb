"""Strange values of the arguments of every face: each is refused in one sentence, or computed as
its definition says."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from tests.losses.strange_values import CUTOFFS, HUGE, NO_FLAGS, TARGET, UNUSUAL, D, N, V, refuses
from w2v.compat import losses, paddle
from w2v.compat import tensorflow as tf
from w2v.compat.torch import AdaptiveLogSoftmaxWithLoss, adaptive_log_softmax_with_loss

INPUT, WEIGHT, BIAS = torch.randn(N, D), torch.randn(V, D), torch.randn(V)
SCORES = torch.randn(N, V)
VALUES = torch.tensor([1, 2, 3]), torch.ones(N, 1), torch.ones(3)
TABLE, CODE = torch.tensor([[0, 1, -1]] * N), torch.tensor([[1, 0, 0]] * N)
MODULE = AdaptiveLogSoftmaxWithLoss(D, V, [2, 4], 1.0, True)
LOGITS = {"input": SCORES, "target": TARGET, "weight": torch.ones(V)}
LINEAR = {"input": INPUT, "target": TARGET, "weight": WEIGHT}
SAMPLED = {
    "weights": WEIGHT,
    "biases": BIAS,
    "labels": TARGET[:, None],
    "inputs": INPUT,
    "num_sampled": 3,
    "num_classes": V,
    "sampled_values": VALUES,
    "generator": None,
    "remove_accidental_hits": True,
    "sparse": True,
    "partition_strategy": "div",
}
DRAWN = {"true_classes": TARGET[:, None], "num_true": 1, "num_sampled": 3, "unique": True}
PATHS = {"path_table": TABLE, "path_code": CODE}
FACES: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "smoothing": (losses.label_smoothing_cross_entropy, {**LOGITS, "smoothing": 0.1}),
    "sparse": (
        losses.sparse_softmax_cross_entropy,
        {**LOGITS, "k": 3, "keep_target": True, "masked_mean": False},
    ),
    "margin": (losses.soft_margin_cross_entropy, {**LOGITS, "margin": 0.3}),
    "linear": (losses.linear_cross_entropy, {**LINEAR, "bias": BIAS}),
    "am": (losses.am_softmax_loss, {**LINEAR, "scale": 30.0, "margin": 0.3}),
    "l": (losses.l_softmax_loss, {**LINEAR, "annealing": 0.0}),
    "nce": (tf.nce_loss, SAMPLED),
    "sampled": (tf.sampled_softmax_loss, SAMPLED),
    "draw": (tf.nce_loss, {**SAMPLED, "sampled_values": None}),
    "uniform": (tf.uniform_candidate_sampler, {**DRAWN, "range_max": V}),
    "unigram": (
        tf.fixed_unigram_candidate_sampler,
        {**DRAWN, "range_max": V, "unigrams": range(1, V + 1), "distortion": 0.75},
    ),
    "file": (tf.fixed_unigram_candidate_sampler, {**DRAWN, "range_max": V, "vocab_file": "x"}),
    "hits": (
        tf.compute_accidental_hits,
        {"true_classes": TARGET[:, None], "sampled_candidates": TARGET, "num_true": 1},
    ),
    "hsigmoid": (
        paddle.hsigmoid_loss,
        {
            "input": INPUT,
            "label": TARGET,
            "num_classes": V,
            "weight": WEIGHT,
            "bias": BIAS,
            "is_sparse": True,
        },
    ),
    "tables": (paddle.default_tables, {"label": TARGET, "num_classes": V}),
    "HSigmoidLoss": (
        paddle.HSigmoidLoss,
        {"feature_size": D, "num_classes": V, "is_custom": False, "is_sparse": False},
    ),
    "Adaptive": (
        AdaptiveLogSoftmaxWithLoss,
        {
            "in_features": D,
            "n_classes": V,
            "cutoffs": [2, 4],
            "div_value": 1.0,
            "head_bias": True,
            "device": None,
            "dtype": None,
        },
    ),
    "adaptive": (
        adaptive_log_softmax_with_loss,
        {
            "input": INPUT,
            "target": TARGET,
            "head_weight": MODULE.head.weight,
            "tail_weights": [(down.weight, up.weight) for down, up in MODULE.tail],
            "cutoffs": [2, 4],
            "head_bias": MODULE.head.bias,
        },
    ),
    "module": (MODULE, {"input_": INPUT, "target_": TARGET}),
    "log_prob": (MODULE.log_prob, {"input": INPUT}),
}
FACES["paths"] = FACES["hsigmoid"][0], {**FACES["hsigmoid"][1], **PATHS}


def call(face: str, **changed: Any) -> Any:
    function, usual = FACES[face]
    return function(**{**usual, **changed})


TENSORS = {
    *("input", "target", "weight", "bias", "weights", "biases", "labels", "inputs"),
    *("true_classes", "sampled_candidates", "label", "path_table", "path_code", "unigrams"),
    *("head_weight", "head_bias", "tail_weights", "cutoffs", "input_", "target_"),
}
PLACES = [(face, name) for face, (_, usual) in FACES.items() for name in usual if name in TENSORS]


@pytest.mark.parametrize(("face", "name"), PLACES)
def test_tensors_that_are_not_dense_numbers(face, name):
    for value in UNUSUAL:
        refuses(lambda value=value: call(face, **{name: value}))


def test_counts_and_candidates_that_are_not_dense_numbers():
    for value, place in itertools.product(UNUSUAL, range(3)):
        given = [*VALUES[:place], value, *VALUES[place + 1 :]]
        refuses(lambda given=given: call("nce", sampled_values=given))


FLAGS = {
    *("keep_target", "masked_mean", "remove_accidental_hits", "sparse", "unique"),
    *("is_sparse", "is_custom", "head_bias"),
}
FLAG_PLACES = [
    (face, name)
    for face, (_, usual) in FACES.items()
    for name in usual
    if name in FLAGS and face not in ("file", "adaptive")
]


@pytest.mark.parametrize(("face", "name"), FLAG_PLACES)
def test_flags(face, name):
    for value in NO_FLAGS:
        refuses(lambda value=value: call(face, **{name: value}))
    for value in (True, False, 1, 0, np.True_, np.False_, np.int64(1)):
        call(face, **{name: value})


@pytest.mark.parametrize("face", ["nce", "sampled", "draw"])
def test_generators_strategies_and_seeds(face):
    for value in ([], 0, False, "", "x", torch.zeros(3)):
        refuses(lambda value=value: call(face, generator=value))
        refuses(lambda value=value: call(face, partition_strategy=value))
    refuses(lambda: call(face, generator=torch.Generator(), seed="x"))
    refuses(lambda: call(face, num_classes="7"))


@pytest.mark.parametrize("cutoffs", [*CUTOFFS, 2, [2.0, 4.0], ["2", "4"]])
def test_cutoffs_that_are_no_whole_numbers(cutoffs):
    refuses(lambda: call("adaptive", cutoffs=cutoffs))


def test_cutoffs_of_other_integers_and_tails_that_are_lists():
    wanted = call("adaptive").output
    for cutoffs in (np.array([2, 4]), torch.tensor([2, 4]), (np.int8(2), 4), [2, 4, V]):
        assert torch.equal(call("adaptive", cutoffs=cutoffs).output, wanted)
    for tails in ([[1, 2], [3, 4]], ["ab", "cd"], [[[1], [2]]] * 2, 3):
        refuses(lambda tails=tails: call("adaptive", tail_weights=tails))


@pytest.mark.parametrize(
    "change",
    [
        *({"device": "nowhere"}, {"dtype": torch.complex64}, {"dtype": torch.float8_e5m2}),
        *({"dtype": "float32"}, {"in_features": torch.zeros(9, 9)}, {"cutoffs": list(range(999))}),
        *([] if torch.cuda.is_available() else [{"device": "cuda"}]),
    ],
)
def test_modules_that_pytorch_cannot_make(change):
    refuses(lambda: call("Adaptive", **change))


def test_numbers_that_float32_cannot_hold():
    places = [("margin", "margin"), ("am", "scale"), ("am", "margin"), ("l", "annealing")]
    for (face, name), value in itertools.product([*places, ("smoothing", "smoothing")], HUGE):
        refuses(lambda face=face, name=name, value=value: call(face, **{name: value}))
    refuses(lambda: call("am", scale=1e30, margin=1e30))
    # with so much of the plain score, there is no margin
    plain = F.cross_entropy(INPUT @ WEIGHT.T, TARGET)
    torch.testing.assert_close(call("l", annealing=3e38), plain)


def test_vectors_without_numbers():
    """All scores are the biases, as in torch."""
    empty, weight = torch.zeros(N, 0, requires_grad=True), torch.zeros(V, 0, requires_grad=True)
    scores = BIAS.expand(N, V)
    found = call("linear", input=empty, weight=weight)
    torch.testing.assert_close(found, F.cross_entropy(scores, TARGET))
    found.backward()
    assert (empty.grad.shape, weight.grad.shape) == (empty.shape, weight.shape)
    for face in ("am", "l"):
        margin = {"am": 30 * 0.3, "l": 0.0}[face]
        moved = torch.zeros(N, V).index_put((torch.arange(N), TARGET), torch.tensor(-margin))
        found = call(face, input=empty, weight=weight)
        torch.testing.assert_close(found, F.cross_entropy(moved, TARGET))
    for face, sparse in itertools.product(("nce", "sampled"), (False, True)):
        found = call(face, inputs=empty, weights=weight, sparse=sparse)
        wide = {"inputs": torch.zeros(N, D), "weights": torch.zeros(V, D)}
        torch.testing.assert_close(found, call(face, **wide))
        found.sum().backward()
    for sparse in (False, True):
        found = call("hsigmoid", input=empty, weight=weight, is_sparse=sparse)
        wide = {"input": torch.zeros(N, D), "weight": torch.zeros(V, D)}
        torch.testing.assert_close(found, call("hsigmoid", **wide))
        found.sum().backward()


@pytest.mark.filterwarnings("ignore:Initializing zero-element")
def test_adaptive_softmax_of_vectors_without_numbers():
    torch.manual_seed(0)
    ours = AdaptiveLogSoftmaxWithLoss(0, V, [3], head_bias=True)
    theirs = torch.nn.AdaptiveLogSoftmaxWithLoss(0, V, [3], head_bias=True)
    theirs.load_state_dict(ours.state_dict())
    empty = torch.zeros(N, 0)
    torch.testing.assert_close(ours(empty, TARGET).output, theirs(empty, TARGET).output)
    torch.testing.assert_close(ours.log_prob(empty), theirs.log_prob(empty))
    torch.testing.assert_close(ours.predict(empty), theirs.predict(empty))


def test_weights_and_files_of_unigrams(tmp_path):
    for change in ({"unigrams": 3}, {"unigrams": torch.tensor(2.0)}, {"unigrams": "abc"}):
        refuses(lambda change=change: call("unigram", **change))
    for distortion in (-(2**63) - 1, 2**63, -1e300, 1e300):
        sampled = call("unigram", distortion=distortion, unique=False)[0]
        assert bool((sampled == (0 if distortion < 0 else V - 1)).all())
    for distortion in (10**400, float("nan"), "1", None):
        refuses(lambda distortion=distortion: call("unigram", distortion=distortion))
    for file in (tmp_path, tmp_path / "none", "a\0b", b"x", 3, False, torch.zeros(2)):
        refuses(lambda file=file: call("file", vocab_file=file))
    (tmp_path / "words").write_text("".join(f"w,{n}\n" for n in range(1, V + 1)))
    for file in (tmp_path / "words", str(tmp_path / "words")):
        assert torch.equal(call("file", vocab_file=file, seed=1)[0], call("unigram", seed=1)[0])
    values = dict.fromkeys(range(V), 2.0).values()
    assert call("unigram", unigrams=values)[1].shape == (N, 1)


@pytest.mark.parametrize("bad", [float("nan"), -1, -0.5, float("-inf"), 1j])
def test_codes_within_a_path(bad):
    code = torch.tensor([[1, bad, 0]] * N)
    for kind in (ValueError, TypeError, RuntimeError):
        refuses(lambda: call("paths", path_code=code), kind)


def test_codes_behind_a_path_and_their_types():
    wanted = call("paths")
    behind = torch.tensor([[1, 0, float("nan")]] * N)
    assert torch.equal(call("paths", path_code=behind), wanted)
    for kind in (torch.bool, torch.uint8, torch.uint16, torch.int32, torch.float64, torch.bfloat16):
        assert torch.equal(call("paths", path_code=CODE.to(kind)), wanted)


def test_half_a_path_and_trees_of_no_size():
    for kind in (ValueError, TypeError, RuntimeError):
        for left in PATHS:
            refuses(lambda left=left: call("paths", **{left: None}), kind)
            layer = paddle.HSigmoidLoss(D, V, is_custom=True)
            given = {**PATHS, left: None}
            refuses(lambda given=given, layer=layer: layer(INPUT, TARGET, **given), kind)
        refuses(lambda: call("hsigmoid", label=TARGET[:2]), kind)
        refuses(lambda: call("hsigmoid", weight=WEIGHT[:3]), kind)
    for size in (0, 1, -1, 2**63, 2**63 - 1, "7", 7.0, None, True):
        refuses(lambda size=size: call("tables", num_classes=size))


def test_ignored_targets():
    for face in ("smoothing", "sparse", "margin", "linear", "am", "l"):
        for ignored in ("x", None, 0.5):
            refuses(lambda face=face, ignored=ignored: call(face, ignore_index=ignored))
    refuses(lambda: call("smoothing", target=SCORES.softmax(1), ignore_index="x"))
    nothing, none = torch.full((N,), -100), torch.zeros(N, 0)
    with pytest.raises(ValueError, match="no classes"):
        call("smoothing", input=none, target=nothing, weight=None)
    with pytest.raises(ValueError, match="no classes"):
        call("linear", weight=torch.zeros(0, D), bias=None, target=nothing)


def test_none_of_the_faces_fails_usually() -> None:
    for face in FACES:
        if face != "file":
            result = call(face)
            assert not isinstance(result, Tensor) or bool(result.isfinite().all())
