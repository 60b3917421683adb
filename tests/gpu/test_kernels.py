"""The interpreted GPU kernels take the same steps as the definition in float64 and as autograd on
the loss layers, for all losses, models, shapes and texts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.gpu.by_autograd import autograd_step
from tests.gpu.definition import Case, define, launch, make_case
from tests.kernels import reference
from tests.kernels.engines import random_text
from w2v.kernels.gpu.tables import Parameters

pytestmark = pytest.mark.triton
LR = 0.05
RTOL, ATOL = 1e-5, 2e-6

LEARNED = {"loss": "nce", "nce_log_z": "learned", "nce_bias": "true"}
LOSSES: list[dict[str, object]] = [
    {"loss": "neg"},
    {"loss": "neg", "negatives": 1, "window": 1, "dim": 1},
    {"loss": "neg", "negatives": 20, "window": 8, "noise_power": 0.5},
    {"loss": "nce", "nce_log_z": 0, "negatives": 9, "dim": 100},
    {**LEARNED, "negatives": 12},
    {"loss": "sampled-softmax", "dim": 112},
    {"loss": "sampled-softmax", "negatives": 1, "softmax_bias": "true"},
    {"loss": "sampled-softmax", "negatives": 10, "remove_hits": "false"},
    {"loss": "hsigmoid"},
    {"loss": "hsigmoid", "window": 1},
    {"loss": "hsigmoid+neg"},
    {"loss": "hsigmoid+neg", "negatives": 1, "dim": 16},
]
CBOW: list[dict[str, object]] = [
    {"cbow_grad": "mean"},
    {"cbow_hidden": "sum"},
    {"cbow_hidden": "sum", "cbow_grad": "mean"},
    {"cbow_grad": "mean", **LEARNED},
    {"cbow_hidden": "sum", "loss": "hsigmoid+neg"},
    {"cbow_grad": "mean", "loss": "sampled-softmax", "negatives": 10},
]
# so many noise words that they take several tiles, some of which hold the same word
TILES: list[dict[str, object]] = [
    {"loss": "neg", "negatives": 33, "dim": 300, "model": "cbow"},
    {**LEARNED, "negatives": 20, "dim": 200},
    {"loss": "sampled-softmax", "negatives": 33, "softmax_bias": "true", "dim": 40},
    {"loss": "sampled-softmax", "negatives": 18, "dim": 300, "model": "cbow"},
    {"loss": "hsigmoid+neg", "negatives": 16, "dim": 40},
]


def named(options: dict[str, object]) -> str:
    return "-".join(map(str, options.values()))


def assert_defined(case: Case, lr: float = LR, **more: object) -> None:
    """Checks that a launch agrees with the definition, window by window and by autograd."""
    rows, tally = launch(case, lr, **more)  # type: ignore[arg-type]
    exact = float(np.float32(lr))
    for step in (reference.train_window, autograd_step(case)):
        model, loss, predictions = define(case, exact, step=step, **more)  # type: ignore[arg-type]
        assert tally.tolist() == [pytest.approx(loss, rel=1e-6, abs=1e-6), predictions]
        assert_rows(case, rows, model)
    if predictions and lr:
        assert not np.allclose(rows.input[:, : case.config.model.dim].numpy(), case.tables[0])


def assert_rows(case: Case, rows: Parameters, model: reference.Model) -> None:
    dim = case.config.model.dim
    for found, expected in (
        (rows.input, model.w_in),
        (rows.path, model.w_path),
        (rows.noise, model.w_noise),
    ):
        if found is not None:
            np.testing.assert_allclose(found[:, :dim].numpy(), expected, rtol=RTOL, atol=ATOL)
            assert not found[:, dim:].any(), "padding must stay 0"
    if rows.bias is not None:
        np.testing.assert_allclose(rows.bias.numpy(), model.bias, rtol=RTOL, atol=ATOL)
    if rows.log_z is not None:
        np.testing.assert_allclose(rows.log_z.item(), model.shared_bias, rtol=RTOL, atol=ATOL)


@pytest.mark.parametrize("model", ["skip-gram", "cbow"])
@pytest.mark.parametrize("options", LOSSES, ids=named)
def test_the_step_of_the_definition(options: dict[str, object], model: str) -> None:
    # 12 words: windows with repeated contexts, repeated noise words and noise words that hit the
    # target are common
    case = make_case(*random_text(50, 12, 15), model=model, **{"dim": 10, **options})
    assert_defined(case)


@pytest.mark.parametrize("options", CBOW, ids=named)
def test_ways_of_cbow(options: dict[str, object]) -> None:
    case = make_case(*random_text(40, 12, 15), model="cbow", dim=10, **{"loss": "neg", **options})
    assert_defined(case)


@pytest.mark.parametrize("options", TILES, ids=named)
def test_noise_words_in_several_tiles(options: dict[str, object]) -> None:
    ids, counts = random_text(20, 40, 15)
    assert_defined(make_case(ids, counts, 0.1, window=2, **options), 0.02)


@pytest.mark.parametrize("model", ["skip-gram", "cbow"])
def test_paths_in_several_tiles(model: str) -> None:
    """Counts that double from word to word make a tree of depth V - 1."""
    counts = 2 ** np.arange(40, 0, -1, dtype=np.int64)
    ids = np.random.default_rng(1).integers(0, 40, 25).astype(np.int32)
    assert_defined(make_case(ids, counts, dim=10, loss="hsigmoid", model=model))


@pytest.mark.parametrize(
    "options",
    [
        {"max_sentence": 0},
        {"max_sentence": 1},
        {"max_sentence": 3, "window": 2},
        {"window": 40, "loss": "hsigmoid"},
        {"dim": 512, "window": 2, "loss": "hsigmoid+neg"},
    ],
    ids=named,
)
def test_any_window_sentence_and_dimension(options: dict[str, object]) -> None:
    ids = np.random.default_rng(5).integers(0, 30, 30).astype(np.int32)
    counts = np.sort(np.bincount(ids, minlength=30) + 1)[::-1]
    given = {"loss": "neg", "dim": 10, **options}
    assert_defined(make_case(ids, counts, 0.1, **given), 0.02)


@pytest.mark.parametrize("model", ["skip-gram", "cbow"])
@pytest.mark.parametrize("loss", ["neg", "nce", "hsigmoid"])
def test_two_words(loss: str, model: str) -> None:
    """Words are their own neighbours here."""
    case = make_case(*random_text(25, 2, 8), dim=10, loss=loss, model=model)
    assert_defined(case)


def test_a_block_inside_a_line_has_context_on_both_sides() -> None:
    ids, counts = random_text(60, 12, 10**9)
    case = make_case(ids, counts, span=(21, 45), dim=10, loss="neg", max_sentence=0)
    assert case.windows.first > 5 and len(case.windows.words) > case.windows.last
    assert_defined(case)


def test_a_block_without_words() -> None:
    ids = np.full(7, -1, np.int32)
    _, tally = launch(make_case(ids, np.array([3, 2]), dim=10, loss="neg"), LR)
    assert tally.tolist() == [0, 0]


@pytest.mark.parametrize("programs", [4, 25])
@pytest.mark.parametrize(
    "options", [{**LEARNED}, {"loss": "hsigmoid+neg", "model": "cbow"}], ids=named
)
def test_runs_of_several_programs(options: dict[str, object], programs: int) -> None:
    """A program adds the changes of its context rows to the table at its end at the latest; noise
    words do not depend on the program that draws them. (The interpreter runs one program after the
    other.)"""
    case = make_case(*random_text(50, 12, 15), dim=10, **options)
    assert_defined(case, programs=programs)


@pytest.mark.parametrize("loss", ["sampled-softmax", "hsigmoid"])
def test_changes_of_programs_add_up(loss: str) -> None:
    """To first order in the learning rate, the changes of four programs are the sum of the changes
    of each; and they are those of one program, except for the state from which it starts."""
    ids, counts = random_text(50, 12, 15)
    case = make_case(ids, counts, dim=10, loss=loss)
    whole, _ = launch(case, 1e-3, programs=4)
    alone, _ = launch(case, 1e-3, programs=1)
    for together, apart, before in zip(whole[:3], alone[:3], case.tables, strict=True):
        if together is not None and apart is not None:
            change = together[:, :10].numpy() - before
            difference = torch.linalg.norm(together - apart).item()
            assert 0 < difference < 0.02 * float(np.linalg.norm(change))
