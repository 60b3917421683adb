"""Edge cases of the GPU kernels: damping, measuring, divergence, random draws, refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from tests.gpu.by_autograd import autograd_step
from tests.gpu.definition import define, launch, make_case, noise_words
from tests.gpu.test_kernels import LEARNED, assert_defined, assert_rows, named
from tests.kernels import reference
from tests.kernels.engines import random_text
from w2v.errors import InputError
from w2v.kernels.gpu import launch as launching
from w2v.kernels.gpu.damping import Damping, damping_by_rate
from w2v.kernels.gpu.shape import registers_of, variant_of, warps_of
from w2v.kernels.gpu.tables import RowSelection
from w2v.sampling.unigram import alias_table, unigram_probabilities
from w2v.settings.build import build_config
from w2v.tree import huffman

pytestmark = pytest.mark.triton


@pytest.mark.parametrize(
    "options",
    [
        {**LEARNED, "negatives": 20, "dim": 200, "window": 2},
        {"loss": "hsigmoid+neg", "model": "cbow", "dim": 10},
    ],
    ids=named,
)
def test_lr_0_finds_the_loss_and_writes_to_no_row(options: dict[str, object]) -> None:
    ids, counts = random_text(20, 12, 15)
    case = make_case(ids, counts, **options)
    rows, tally = launch(case, 0.0)
    _, loss, predictions = define(case, 0.0)
    assert tally.tolist() == [pytest.approx(loss, rel=1e-6), predictions]
    dim = case.config.model.dim
    for found, before in zip(rows[:3], case.tables, strict=True):
        assert found is None or np.array_equal(found[:, :dim].numpy(), before)
    if rows.bias is not None and rows.log_z is not None:
        assert np.array_equal(rows.bias.numpy(), case.bias) and rows.log_z.item() == case.log_z


@pytest.mark.parametrize(
    "options", [{**LEARNED}, {"loss": "hsigmoid+neg", "model": "cbow"}], ids=named
)
def test_every_change_is_multiplied_by_the_damping_of_its_row(options: dict[str, object]) -> None:
    case = make_case(*random_text(30, 12, 15), dim=10, **options)
    random = torch.Generator().manual_seed(1)
    factors = (torch.rand(len(table), generator=random) for table in case.tables)
    assert_defined(case, damping=Damping(*factors, torch.tensor([0.3])), programs=2)


def test_damping_of_expected_uses() -> None:
    """f = 1 / (1 + 0.4 · lr · (G - 1) · uses per window), and 1 / G for -log Z."""
    counts, keep = np.array([9, 6, 3, 1, 1]), np.array([0.5, 1, 1, 1, 1])
    config = build_config({"corpus": ("x",), "loss": "hsigmoid+neg", "window": "3"})
    tree = huffman(counts)
    selection = RowSelection(
        starts=torch.from_numpy(tree.starts), steps=torch.from_numpy(tree.steps())
    )
    p = counts * keep / (counts * keep).sum()
    below = [sum(p[w] for w in range(5) if node in tree.path(w)[0]) for node in range(4)]
    uses = p * 7 * 4, below, p + 5 * unigram_probabilities(counts, 0.75)
    for in_flight, lr in ((1, 0.1), (500, 0.1), (500, 0.025)):
        by_rate = damping_by_rate(variant_of(config), selection, counts, keep, 5, 0.75, in_flight)
        found = by_rate(lr)
        for table, of_each in zip(found[:3], uses, strict=True):
            assert table is not None
            expected = 1 / (1 + 0.4 * lr * (in_flight - 1) * np.array(of_each))
            np.testing.assert_allclose(table.numpy(), expected, rtol=1e-6)
        assert found.log_z.item() == pytest.approx(1 / in_flight)


def test_few_programs_where_there_are_few_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs in flight hold copies of at most an eighth of the vocabulary's rows. Runs have at
    least 64 targets, and at most 512 if the device limits the number of programs in flight."""
    variant = variant_of(build_config({"corpus": ("x",), "window": "5"}))
    device = torch.device("cpu")
    assert launching.program_count(variant, device, 10**6, 10**6) == 1
    monkeypatch.setattr(launching, "resident_programs", lambda *_: 528)
    for vocabulary, targets, programs in (
        (10**6, 5_000_000, 9766),
        (10**6, 70_000, 527),
        (10**6, 3000, 47),
        (4300, 5_000_000, 48),
        (4300, 640, 10),
        (2, 5_000_000, 1),
    ):
        assert launching.program_count(variant, device, vocabulary, targets) == programs


@pytest.mark.parametrize("negatives", [5, 20])
def test_sampled_softmax_of_large_scores(negatives: int) -> None:
    """The exponentials of the scores exceed float32. Beyond 50 nats above the target's score
    residuals do not grow, but the loss does: the excess of each noise word is added. In one tile
    and in two."""
    ids, counts = random_text(20, 12, 15)
    options = {"dim": 200, "window": 2, "loss": "sampled-softmax", "negatives": negatives}
    for shift in (30.0, 300.0):
        case = make_case(ids, counts, **options)
        case.tables[0][:, 0] = 1
        case.tables[2][:, 0] += shift * np.random.default_rng(2).random(12)
        rows, tally = launch(case, 1e-4)
        model, loss, predictions = define(case, float(np.float32(1e-4)))
        assert loss / predictions > 3
        if shift == 300:
            assert 0.99 * loss < tally[0].item() < 1.01 * negatives * loss
            continue
        assert tally.tolist() == [pytest.approx(loss, rel=1e-5), predictions]
        assert_rows(case, rows, model)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of NumPy, which interprets
@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("model", ["skip-gram", "cbow"])
@pytest.mark.parametrize("loss", ["neg", "hsigmoid", "sampled-softmax"])
def test_a_diverged_model_is_seen_in_the_loss(loss: str, model: str, value: float) -> None:
    case = make_case(*random_text(12, 5, 15), dim=10, loss=loss, model=model)
    case.tables[0][0, 3] = value
    assert not math.isfinite(launch(case, 0.05)[1][0].item())


def test_noise_words_are_drawn_from_the_noise() -> None:
    counts = np.array([50, 20, 10, 10, 5, 4, 1])
    q = unigram_probabilities(counts, 0.75)
    drawn = noise_words(2**64 - 1, 20_000, 5, *alias_table(q))
    assert drawn.shape == (20_000, 5)
    found = np.bincount(drawn.flatten().numpy(), minlength=7)
    assert (((found - 1e5 * q) ** 2) / (1e5 * q)).sum() < 22.5  # chi-square, 6 degrees: p = 0.001
    other = noise_words(0, 20_000, 5, *alias_table(q))
    assert 0.2 < (drawn == other).double().mean().item() < 0.3  # Σ q² = 0.25
    part = noise_words(2**64 - 1, 3, 5, *alias_table(q))
    assert torch.equal(drawn[:3], part)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"subwords": "3-6"}, "subwords"),
        ({"loss": "softmax"}, "softmax"),
        ({"dim": "1025"}, "`dim`"),
        ({"window": "64"}, "`window`"),
    ],
    ids=str,
)
def test_refusals_name_the_setting(options: dict[str, str], what: str) -> None:
    with pytest.raises(InputError, match=what):
        build_config({"corpus": ("x",), "engine": "triton", **options})


def test_the_largest_that_is_not_refused() -> None:
    """The largest sizes that refusals name are accepted."""
    for options in (
        {"dim": "1024", "window": "7"},
        {"window": "63"},
        {"dim": "1024", "negatives": "500"},
        {"dim": "1024", "negatives": "500", "model": "cbow"},
        {"dim": "1024", "loss": "hsigmoid"},
    ):
        variant = variant_of(build_config({"corpus": ("x",), "engine": "triton", **options}))
        assert warps_of(variant) <= 16 and registers_of(warps_of(variant), "tf32") == 128


def test_autograd_and_definition_are_the_same_model() -> None:
    """The two references agree to float64."""
    case = make_case(*random_text(30, 12, 15), dim=10, **{**LEARNED, "negatives": 3})
    one, other = (define(case, 0.05, step=s) for s in (reference.train_window, autograd_step(case)))
    np.testing.assert_allclose(one[0].w_in, other[0].w_in, rtol=1e-12)
    assert one[1] == pytest.approx(other[1], rel=1e-12)
