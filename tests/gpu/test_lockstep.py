"""With hundreds of windows in flight, damping preserves the accuracy that plain sums lose."""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from w2v.evaluation.analogies import evaluate_analogies
from w2v.evaluation.sets import AnalogySet, load_set
from w2v.kernels.plan import NOISE, PATH
from w2v.vectors import WordVectors

from .lockstep import Outcome, Setting, Text, damped, train, undamped

pytestmark = pytest.mark.triton
DATA = Path(__file__).parents[2] / "data"
FLIGHT = 512
LONG_TEXT, QUESTIONS = "W2V_LONG_TEXT", "W2V_QUESTIONS"  # files that only the soak wants


@pytest.fixture(scope="module")
def demo() -> Text:
    return Text.of(str(DATA / "demo.txt.xz"))


def in_flight(text: Text, of: Setting) -> tuple[Outcome, Outcome, Outcome]:
    """Returns the outcomes of (one window at a time, hundreds with damping, hundreds without
    damping)."""
    factors = undamped(text)
    return (
        train(text, of, 1, factors),
        train(text, of, FLIGHT, damped(text, of, FLIGHT)),
        train(text, of, FLIGHT, factors),
    )


def test_noise_words(demo: Text) -> None:
    exact, with_damping, without = in_flight(demo, Setting(dim=24, epochs=4, lr=0.033))
    assert with_damping.loss < 1.03 * exact.loss
    assert without.loss > 1.08 * exact.loss


def test_paths_from_a_root_that_all_windows_share(demo: Text) -> None:
    exact, with_damping, without = in_flight(demo, Setting(PATH, dim=32))
    assert with_damping.loss < 1.03 * exact.loss
    assert math.isnan(without.loss) or without.loss > 1.08 * exact.loss


@pytest.mark.soak
@pytest.mark.parametrize("rows", [NOISE, PATH])
def test_a_long_text(rows: int) -> None:
    """Measured on 17 million words of an encyclopaedia, in three quarters of an hour. Accuracy is
    that of one epoch, as the mean over seeds, which differ by two points: nine leave a standard
    error of 0.2 points, three of 0.4."""
    if LONG_TEXT not in os.environ or QUESTIONS not in os.environ:
        pytest.skip(f"{LONG_TEXT} and {QUESTIONS} name no files")
    text, questions = Text.of(os.environ[LONG_TEXT]), load_set(os.environ[QUESTIONS])
    assert isinstance(questions, AnalogySet)

    def accuracy(found: Outcome) -> float:
        vectors = WordVectors(list(text.words), found.vectors)
        return evaluate_analogies(vectors, questions.sections).accuracy or 0.0

    def trained(seed: int, flight: int) -> Outcome:
        of = Setting(rows, seed=seed)
        factors = undamped(text) if flight == 1 else damped(text, of, flight)
        return train(text, of, flight, factors)

    lost = []
    for seed in range(1, 10):
        with ThreadPoolExecutor() as pool:
            exact, with_damping = pool.map(trained, (seed, seed), (1, FLIGHT))
        assert with_damping.loss < 1.03 * exact.loss
        lost.append(accuracy(exact) - accuracy(with_damping))
    assert sum(lost) / len(lost) < 0.005
