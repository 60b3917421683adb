"""Label smoothing and sparse softmax against results of other implementations."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.losses.test_softmax import golden
from w2v.compat.losses import label_smoothing_cross_entropy, sparse_softmax_cross_entropy
from w2v.losses.options import LabelSmoothingOptions, SparseSoftmaxOptions
from w2v.losses.softmax import LabelSmoothing, SparseSoftmax

SMOOTHING_CASES = [
    "basic",
    "zero",
    "one",
    "ignore_index",
    "weights",
    "weights_ignore",
    "large_logits",
    "k2",
]
SPARSE_CASES = ["k1", "k2_target_never_top", "k3", "k5_wide", "k_full"]


@pytest.mark.parametrize("case", SMOOTHING_CASES)
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_label_smoothing_reference(case, reduction):
    z, options = golden("label_smoothing", case)
    for suffix, dtype, rtol, atol in (
        ("f64", torch.float64, 1e-10, 1e-12),
        ("f32", torch.float32, 1e-5, 2e-5),
    ):
        logits = z["logits"].to(dtype).requires_grad_()
        weight = z["class_weight"].to(dtype) if "class_weight" in z else None
        loss = label_smoothing_cross_entropy(
            logits, z["target"], options["alpha"], weight, options["ignore_index"], reduction
        )
        torch.testing.assert_close(
            loss.detach(), z[f"loss_{reduction}_{suffix}"], rtol=rtol, atol=atol
        )
        cotangent = z["cotangent"].to(dtype) if reduction == "none" else torch.ones((), dtype=dtype)
        gradient = torch.autograd.grad((loss * cotangent).sum(), logits)[0]
        torch.testing.assert_close(
            gradient, z[f"d_logits_{reduction}_{suffix}"], rtol=rtol, atol=min(atol, 1e-6)
        )


@pytest.mark.parametrize(
    "case", [case for case in SMOOTHING_CASES if not case.startswith("weights")]
)
def test_label_smoothing_layer_reference(case):
    """The logits as hidden rows of a layer whose weight is the unit matrix."""
    z, options = golden("label_smoothing", case)
    classes = options["classes"]
    weight = torch.eye(classes, dtype=torch.float64)
    layer = LabelSmoothing(
        classes, [1] * classes, LabelSmoothingOptions(options["alpha"]), weight=weight
    )
    kept = z["target"] != -100
    hidden = z["logits"][kept].requires_grad_()
    loss = layer(hidden, z["target"][kept])
    torch.testing.assert_close(loss.detach(), z["loss_none_f64"][kept], rtol=1e-10, atol=1e-12)
    gradient = torch.autograd.grad((loss * z["cotangent"][kept]).sum(), hidden)[0]
    torch.testing.assert_close(gradient, z["d_logits_none_f64"][kept], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("case", SPARSE_CASES)
def test_sparse_softmax_reference(case):
    z, options = golden("sparse_topk_softmax", case)
    k, classes = options["k"], options["classes"]

    def same(
        loss: Tensor,
        want: str,
        gradient_of: Tensor,
        want_gradient: str,
        cotangent: Tensor | None = None,
    ) -> None:
        torch.testing.assert_close(loss.detach(), z[want], rtol=1e-10, atol=1e-12, equal_nan=True)
        if not loss.isnan().any():
            total = loss if cotangent is None else (loss * cotangent).sum()
            got = torch.autograd.grad(total, gradient_of)[0]
            torch.testing.assert_close(got, z[want_gradient], rtol=1e-10, atol=1e-12)

    logits = z["logits"].requires_grad_()
    target, cotangent = z["target"], z["cotangent"]
    plain = sparse_softmax_cross_entropy(logits, target, k, keep_target=False, reduction="none")
    same(plain, "loss_f64", logits, "d_logits_f64", cotangent)
    union = sparse_softmax_cross_entropy(logits, target, k, reduction="none")
    same(union, "loss_union_f64", logits, "d_logits_union_f64", cotangent)
    mean = sparse_softmax_cross_entropy(logits, target, k, keep_target=False)
    same(mean, "loss_mean_all_f64", logits, "d_logits_mean_all_f64")
    masked = sparse_softmax_cross_entropy(logits, target, k, keep_target=False, masked_mean=True)
    same(masked, "loss_mean_masked_f64", logits, "d_logits_mean_masked_f64")
    for keep_target, want in ((False, "_f64"), (True, "_union_f64")):
        options = SparseSoftmaxOptions(k, keep_target)
        layer = SparseSoftmax(
            classes, [1] * classes, options, weight=torch.eye(classes, dtype=torch.float64)
        )
        same(layer(logits, target), "loss" + want, logits, "d_logits" + want, cotangent)
