"""The faces of NCE and sampled softmax: TensorFlow's figures, shards, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.losses.sampled_cases import normal, seeded
from w2v.compat.tensorflow import nce_loss, sampled_softmax_loss
from w2v.sampling.samplers import LogUniformSampler, UnigramSampler

GOLDEN = Path(__file__).parent.parent / "golden"
FUNCTIONS = {"tf_nce_loss": nce_loss, "tf_sampled_softmax": sampled_softmax_loss}
CASES = [
    (folder, path.stem) for folder in FUNCTIONS for path in sorted((GOLDEN / folder).glob("*.npz"))
]
ONES = torch.ones(3, 1)


def parts_of(table: Tensor, count: int, strategy: str) -> list[Tensor]:
    if strategy == "mod":
        return [table[p::count] for p in range(count)]
    size, longer = divmod(len(table), count)
    return list(table.split([size + (p < longer) for p in range(count)]))


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(("folder", "name"), CASES)
def test_values_and_gradients_are_tensorflow_s(folder, name, dtype, sparse):
    with np.load(GOLDEN / folder / f"{name}.npz") as arrays:
        options = json.loads(str(arrays["__options__"]))
        z = {key: torch.from_numpy(arrays[key]) for key in arrays.files if key[0] != "_"}
    suffix, tolerance = ("f64", 1e-10) if dtype == torch.float64 else ("f32", 1e-5)
    inputs = z["inputs"].to(dtype).requires_grad_()
    P, strategy = options["partitions"], options["partition_strategy"]
    weights = [
        part.to(dtype).clone().requires_grad_() for part in parts_of(z["weights"], P, strategy)
    ]
    bias_parts = P if options["biases_partitioned"] else 1
    biases = [
        part.to(dtype).clone().requires_grad_()
        for part in parts_of(z["biases"], bias_parts, strategy)
    ]
    values = [z[key] for key in ("sampled", "true_expected_count", "sampled_expected_count")]
    loss = FUNCTIONS[folder](
        weights if P > 1 else weights[0],
        biases if bias_parts > 1 else biases[0],
        z["labels"],
        inputs,
        options["num_sampled"],
        options["num_classes"],
        options["num_true"],
        values,
        options["remove_accidental_hits"],
        partition_strategy=strategy,
        sparse=sparse,
    )
    assert loss.dtype == dtype and loss.shape == z["cotangent"].shape
    loss.backward(z["cotangent"].to(dtype))
    assert all(part.grad.is_sparse == sparse for part in weights + biases)

    def whole(parts: list[Tensor]) -> Tensor:
        gradients = [part.grad.to_dense() for part in parts]
        if strategy == "div":
            return torch.cat(gradients)
        return torch.stack(
            [gradients[c % len(parts)][c // len(parts)] for c in range(sum(map(len, parts)))]
        )

    found = {
        "loss": loss.detach(),
        "d_inputs": inputs.grad,
        "d_weights": whole(weights),
        "d_biases": whole(biases),
    }
    for key, ours in found.items():
        theirs = z[f"{key}_{suffix}"]
        scale = float(theirs.abs().max())
        assert ours.dtype == dtype
        torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance * scale, msg=key)


@pytest.mark.parametrize("function", FUNCTIONS.values())
@pytest.mark.parametrize(("T", "remove"), [(1, False), (2, True)])
def test_functions_gradcheck(function, T, remove):
    labels, sampled = torch.tensor([[0, 3], [3, 3], [5, 1]])[:, :T], torch.tensor([3, 0, 7])
    values = (
        sampled,
        torch.rand(3, T, generator=seeded()) + 0.1,
        torch.rand(3, generator=seeded()) + 0.1,
    )
    arguments = [
        normal(9, 4).requires_grad_(),
        normal(9).requires_grad_(),
        normal(3, 4, seed=4).requires_grad_(),
    ]

    def loss(weights, biases, inputs):
        return function(weights, biases, labels, inputs, 3, 9, T, values, remove)

    torch.autograd.gradcheck(loss, arguments)
    torch.autograd.gradgradcheck(loss, arguments)
    torch.autograd.gradgradcheck(
        lambda inputs: loss(arguments[0].detach(), None, inputs), arguments[2:]
    )


@pytest.mark.parametrize("T", [1, 2])
@pytest.mark.parametrize("function", FUNCTIONS.values())
def test_functions_of_no_rows(function, T):
    weights, inputs = normal(9, 4).requires_grad_(), normal(0, 4).requires_grad_()
    loss = function(
        weights,
        None,
        torch.zeros(0, T, dtype=torch.long),
        inputs,
        3,
        9,
        T,
        remove_accidental_hits=True,
    )
    assert loss.shape == (0,)
    gradients = torch.autograd.grad(loss.sum(), (weights, inputs))
    assert [gradient.shape for gradient in gradients] == [(9, 4), (0, 4)] and not gradients[0].any()


@pytest.mark.parametrize("function", FUNCTIONS.values())
def test_functions_second_derivatives_through_sparse_gradients(function):
    weights, inputs = normal(9, 4).requires_grad_(), normal(3, 4).requires_grad_()
    loss = function(weights, None, torch.arange(3), inputs, 3, 9, seed=1, sparse=True)
    gradients = torch.autograd.grad(loss.sum(), (weights, inputs), create_graph=True)
    dense = function(weights, None, torch.arange(3), inputs, 3, 9, seed=1)
    wanted = torch.autograd.grad(dense.sum(), (weights, inputs), create_graph=True)
    for ours, theirs in zip(gradients, wanted, strict=True):
        torch.testing.assert_close(ours, theirs)
        for a, b in zip(
            torch.autograd.grad(ours.square().sum(), (weights, inputs), retain_graph=True),
            torch.autograd.grad(theirs.square().sum(), (weights, inputs), retain_graph=True),
            strict=True,
        ):
            torch.testing.assert_close(a.to_dense(), b)


@pytest.mark.parametrize("T", [1, 2])
@pytest.mark.parametrize("function", FUNCTIONS.values())
def test_functions_in_bfloat16_and_under_autocast(function, T):
    """The loss is float32, gradients have their inputs' dtypes, and both are near those of
    float64."""
    labels = torch.tensor([[0, 3], [4, 3], [5, 1]])[:, :T]
    rounded = [table.bfloat16() for table in (normal(9, 4), normal(9), normal(3, 4, seed=4))]

    def both(dtype: torch.dtype) -> tuple[Tensor, list[Tensor]]:
        weights, biases, inputs = (table.to(dtype).requires_grad_() for table in rounded)
        loss = function(
            weights, biases, labels, inputs, 4, 9, T, remove_accidental_hits=True, seed=3
        )
        return loss, list(torch.autograd.grad(loss.sum(), (weights, biases, inputs)))

    exact, exact_gradients = both(torch.float64)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = both(torch.float32)
    for (loss, gradients), dtype in (
        (both(torch.bfloat16), torch.bfloat16),
        (mixed, torch.float32),
    ):
        assert loss.dtype == torch.float32
        torch.testing.assert_close(loss.double(), exact, rtol=0.02, atol=0.05)
        for found, gradient in zip(gradients, exact_gradients, strict=True):
            assert found.dtype == dtype
            torch.testing.assert_close(found.double(), gradient, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("function", FUNCTIONS.values())
def test_functions_draw_log_uniform_unique_candidates(function):
    weights, biases, inputs, labels = normal(40, 4), normal(40), normal(7, 4), torch.arange(7)
    drawn = LogUniformSampler(40).sample(labels, 9, True, seeded(5))
    given_loss = function(weights, biases, labels, inputs, 9, 40, sampled_values=drawn)
    for more in ({"seed": 5}, {"generator": seeded(5)}):
        assert torch.equal(
            function(weights, biases, labels[:, None], inputs, 9, 40, **more), given_loss
        )
    assert not torch.equal(function(weights, biases, labels, inputs, 9, 40, seed=6), given_loss)
    assert function(weights, biases, labels[:0], inputs[:0], 9, 40).shape == (0,)
    assert torch.equal(
        function(weights, None, labels, inputs, 9, 40, seed=5),
        function(weights, torch.zeros_like(biases), labels, inputs, 9, 40, seed=5),
    )


def test_functions_survive_a_label_that_is_never_drawn():
    """Its expected count is 0, its log minus infinity."""
    weights = normal(8, 4).requires_grad_()
    values = UnigramSampler([1.0] * 5, num_reserved_ids=3).sample(
        torch.tensor([0, 4]), 3, False, seeded()
    )
    for function in FUNCTIONS.values():
        for dtype in (torch.float32, torch.float64):
            loss = function(
                weights.to(dtype),
                None,
                torch.tensor([0, 4]),
                normal(2, 4).to(dtype),
                3,
                8,
                1,
                values,
            )
            (gradient,) = torch.autograd.grad(loss.sum(), weights)
            assert bool(loss.isfinite().all()) and bool(gradient.isfinite().all())
            assert float(loss[0].detach()) < 10 and float(loss[1].detach()) > 0


@pytest.mark.parametrize(
    ("message", "change"),
    [
        (r"labels has shape \[2, 1\].*\[2, 2\]", {"num_true": 2}),
        (r"num_true is 0", {"num_true": 0}),
        (r"range from 0 to 10.*0 to 9", {"labels": torch.tensor([0, 10])}),
        (r"range from -1 to 3.*0 to 9", {"labels": torch.tensor([-1, 3])}),
        (r"num_sampled is 11.*10 classes", {"num_sampled": 11}),
        (r"num_sampled is 0", {"num_sampled": 0}),
        (r"weights has 10 rows, num_classes is 12", {"num_classes": 12}),
        (r"labels has shape \[3, 1\].*\[2, 1\]", {"labels": torch.tensor([0, 1, 2])}),
        (r"labels is torch.float32.*integers", {"labels": torch.tensor([0.5, 1.0])}),
        (
            r"shape \[2\], num_sampled is 3",
            {"sampled_values": (torch.tensor([1, 2]), ONES[:2], ONES[:2, 0])},
        ),
        (
            r"true_expected_count has shape \[3, 1\].*\[2, 1\]",
            {"sampled_values": (torch.arange(3), ONES, ONES[:, 0])},
        ),
        (
            r"sampled_expected_count holds -1",
            {"sampled_values": (torch.arange(3), ONES[:2], -ONES[:, 0])},
        ),
        (r"range from 8 to 10", {"sampled_values": (torch.arange(8, 11), ONES[:2], ONES[:, 0])}),
        (r"rows of 4 numbers, inputs of 5", {"inputs": normal(2, 5)}),
        (
            r"no true_expected_count",
            {"sampled_values": LogUniformSampler(10).sample(None, 3, True)},
        ),
        (r"partition_strategy is 'block'.*div, mod", {"partition_strategy": "block"}),
        (
            r"shards of weights have \[5, 3, 2\].*\[4, 3, 3\]",
            {"weights": list(normal(10, 4).split([5, 3, 2]))},
        ),
    ],
)
@pytest.mark.parametrize("function", FUNCTIONS.values())
def test_functions_refuse(function, message, change):
    arguments = {
        "weights": normal(10, 4),
        "biases": normal(10),
        "labels": torch.tensor([0, 3]),
        "inputs": normal(2, 4),
        "num_sampled": 3,
        "num_classes": 10,
    }
    with pytest.raises(ValueError, match=message):
        function(**{**arguments, **change})


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6), st.integers(0, 20), st.sampled_from(["div", "mod"]), st.integers(0, 99))
def test_shards_make_no_difference(P, more, strategy, seed):
    classes = 4 + more
    weights, biases, inputs = (
        normal(classes, 3, seed=seed),
        normal(classes, seed=seed),
        normal(5, 3),
    )
    labels = torch.randint(classes, (5,), generator=seeded(seed))
    whole = nce_loss(weights, biases, labels, inputs, 4, classes, seed=seed)
    parts = [parts_of(table, P, strategy) for table in (weights, biases)]
    found = nce_loss(*parts, labels, inputs, 4, classes, seed=seed, partition_strategy=strategy)
    torch.testing.assert_close(found, whole, rtol=1e-13, atol=1e-13)
