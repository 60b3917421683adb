"""The kernels on a GPU, for every loss and model: one program trains as the definition in float64,
window by window; many programs reach as good a loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.gpu import definition
from tests.gpu.conftest import INTERPRETED
from tests.kernels.engines import random_text
from w2v.kernels.gpu.launch import Tuning, train_windows
from w2v.kernels.gpu.shape import warps_of
from w2v.losses.table import LOSSES

pytestmark = pytest.mark.gpu
WORDS = 14 if INTERPRETED else 400
FUSED = [name for name, loss in LOSSES.items() if loss.fused]
CASES = [{"loss": loss, "model": model} for loss in FUSED for model in ("skip-gram", "cbow")]
CASES += [
    {"loss": "nce", "nce_bias": "true", "nce_log_z": "learned"},
    {"loss": "neg", "negatives": "40"},
    {"loss": "neg", "dim": "300"},
    {"loss": "neg", "model": "cbow", "cbow_hidden": "sum"},
]
if INTERPRETED:
    CASES = CASES[:3]
SMALL = {"dim": "20", "window": "3", "min_count": "1"}
Launch = Callable[..., Tensor]


def on(device: str, precision: str) -> Launch:
    """Launches with tables and text on the device, and copies the tables back."""

    def moved(parts: Any) -> Any:
        return type(parts)(*(each if each is None else each.to(device) for each in parts))

    def launch(
        variant: Any, rows: Any, chosen: Any, damping: Any, windows: Any, *given: Any
    ) -> Tensor:
        there = moved(rows)
        names = "words", "sentences", "reach"
        text = replace(windows, **{name: getattr(windows, name).to(device) for name in names})
        given = *given, Tuning(warps_of(variant), precision)
        tally = train_windows(variant, there, moved(chosen), moved(damping), text, *given)
        for own, other in zip(rows, there, strict=True):
            if own is not None:
                own.copy_(other)
        return tally.cpu()

    return launch


def compare(case: definition.Case, near: float) -> None:
    rows, tally = definition.launch(case, 0.05)
    model, loss, predictions = definition.define(case, 0.05)
    assert tally[1].item() == predictions > 0
    np.testing.assert_allclose(tally[0].item(), loss, rtol=near)
    for found, expected in zip(rows[:3], (model.w_in, model.w_path, model.w_noise), strict=True):
        if found is not None:
            own = found.numpy()[:, : case.config.model.dim]
            np.testing.assert_allclose(own, expected, rtol=near, atol=near / 10)
            assert not found[:, case.config.model.dim :].any()
    if rows.bias is not None:
        np.testing.assert_allclose(rows.bias.numpy(), model.bias, rtol=near, atol=near / 10)
    if rows.log_z is not None:
        np.testing.assert_allclose(rows.log_z.item(), model.shared_bias, rtol=near)


def named(case: dict[str, str]) -> str:
    return "-".join(case.values())


@pytest.mark.parametrize("settings", CASES, ids=named)
def test_one_program_is_the_definition(
    settings: dict[str, str], device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(definition, "train_windows", on(device, "ieee"))
    ids, counts = random_text(WORDS, 30, 12)
    compare(definition.make_case(ids, counts, **{**SMALL, **settings}), 1e-4)


@pytest.mark.parametrize(("precision", "near"), [("tf32x3", 1e-4), ("tf32", 2e-2)])
def test_fewer_bits(
    precision: str, near: float, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(definition, "train_windows", on(device, precision))
    ids, counts = random_text(WORDS, 30, 12)
    compare(definition.make_case(ids, counts, **SMALL), near)


def test_many_programs_add_up(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a learning rate of 0 the loss does not depend on how the targets are cut, and the tables
    do not change."""
    monkeypatch.setattr(definition, "train_windows", on(device, "ieee"))
    ids, counts = random_text(4 * WORDS, 30, 12)
    case = definition.make_case(ids, counts, **SMALL)
    (before, whole), (after, parts) = (definition.launch(case, 0.0, n) for n in (1, 7))
    torch.testing.assert_close(parts, whole, rtol=1e-6, atol=0)
    assert torch.equal(before.input, after.input)
    assert torch.equal(torch.from_numpy(case.tables[0]), after.input[:, : case.config.model.dim])
