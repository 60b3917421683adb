"""Damping keeps what a run learns with hundreds of windows in flight, where plain sums lose it."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from w2v.kernels.plan import PATH

from .lockstep import Setting, Text, damped, train, undamped

pytestmark = pytest.mark.triton
DATA = Path(__file__).parents[2] / "data"
FLIGHT = 512


@pytest.fixture(scope="module")
def demo() -> Text:
    return Text.of(str(DATA / "demo.txt.xz"))


def losses(text: Text, of: Setting) -> tuple[float, float, float]:
    """(one window at a time, hundreds in flight and damped, the same undamped)."""
    factors = undamped(text, of)
    runs = (
        train(text, of, 1, factors),
        train(text, of, FLIGHT, damped(text, of, FLIGHT)),
        train(text, of, FLIGHT, factors),
    )
    exact, with_damping, without = (run.loss for run in runs)
    return exact, with_damping, without


def test_noise_words(demo: Text) -> None:
    exact, with_damping, without = losses(demo, Setting(dim=32, epochs=3, lr=0.03))
    assert with_damping < 1.03 * exact
    assert without > 1.08 * exact


def test_paths_from_a_root_that_all_windows_share(demo: Text) -> None:
    exact, with_damping, without = losses(demo, Setting(PATH, dim=32))
    assert with_damping < 1.03 * exact
    assert math.isnan(without) or without > 1.08 * exact
