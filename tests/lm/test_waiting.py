"""Nobody waits in silence: what takes long is said, and long plans say what would be faster."""

from __future__ import annotations

import io
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.language_runs import corpus_text, write_run
from w2v.cli.app import main


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a run in the working directory, whose model is slow to load, score and write."""
    (tmp_path / "text.txt").write_text(corpus_text())
    write_run(tmp_path / "lm", tmp_path / "text.txt")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("w2v.cli.progress.DELAY", 0.01)

    def slow(function: Any) -> Any:
        def call(*values: Any, **named: Any) -> Any:
            for each in threading.enumerate():
                if isinstance(each, threading.Timer) and each.interval < 1:
                    each.join()  # until it has been said
            return function(*values, **named)

        return call

    import w2v.lm.perplexity as scoring
    from w2v.lm import saved
    from w2v.lm.model import Network

    monkeypatch.setattr(saved, "load_language_model", slow(saved.load_language_model))
    monkeypatch.setattr(scoring, "score_ids", slow(scoring.score_ids))
    monkeypatch.setattr(Network, "hidden", slow(Network.hidden))
    return "lm"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["eval", "lm", "--text", "text.txt"], "scoring"),
        (["score", "lm"], "scoring"),
        (["generate", "lm", "--words", "2"], "writing"),
    ],
    ids=str,
)
def test_what_takes_long_is_said(
    run: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    told: str,
) -> None:
    for quiet in (False, True):
        stdin = io.TextIOWrapper(io.BytesIO(b"w1 w2\n"))
        monkeypatch.setattr(sys, "stdin", stdin)
        assert main([*arguments, *(["--quiet"] if quiet else [])]) == 0
        _, err = capsys.readouterr()
        if quiet:
            assert err == ""
        else:
            assert "loading" in err and told in err


def test_what_is_over_soon_is_not(
    run: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("w2v.cli.progress.DELAY", 1e3)
    assert main(["generate", "lm", "--words", "1"]) == 0
    assert capsys.readouterr().err == ""


def plan(monkeypatch: pytest.MonkeyPatch, capsys: Any, *more: str, long: float = 0.0) -> str:
    monkeypatch.setattr("w2v.run.LONG_SECONDS", long)
    monkeypatch.setattr("w2v.run.PLAN_SECONDS", 0.05)
    small = ["--dim", "8", "--layers", "1", "--threads", "1", "--batch-size", "4", "--epochs", "50"]
    assert main(["train", "text.txt", "--model", "lm", "--dry-run", *small, *more]) == 0
    return capsys.readouterr().err


def test_a_long_plan_names_what_is_faster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text(corpus_text())
    factors = {"softmax": 5.0, "hsigmoid": 1.0, "adaptive-softmax": 2.0, "neg": 4.9}
    monkeypatch.setattr(
        "w2v.lm.cost.seconds_per_token",
        lambda config, counts: factors.get(config.training.loss, 10.0),
    )
    told = plan(monkeypatch, capsys)
    assert "hsigmoid (5.0 times), adaptive-softmax (2.5 times)\n" in told and "neg" not in told
    assert "times" not in plan(monkeypatch, capsys, long=1e9)
    assert "times" not in plan(monkeypatch, capsys, "--loss", "nce", "--negatives", "3")


@pytest.mark.parametrize("arch", ["lstm", "transformer"])
def test_the_factors_are_measured(arch: str) -> None:
    import numpy as np

    from w2v.lm.cost import seconds_per_token, with_loss
    from w2v.losses.table import LOSSES
    from w2v.settings.build import build_config

    small = {"corpus": ("x",), "model": "lm", "dim": 8, "layers": 1, "threads": 1, "tied": True}
    config = build_config({**small, "arch": arch, "batch_size": 2, "bptt": 5})
    counts = np.arange(40, 0, -1, dtype=np.int64)
    for loss in LOSSES:
        other = with_loss(config, loss)
        assert other.training.loss == loss and type(other.loss) is LOSSES[loss].options
        assert 0 < seconds_per_token(other, counts) < 60


def test_a_prompt_without_end(
    run: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"w1 " * (1 << 20))))
    assert main(["generate", "lm", "-"]) == 2
    assert "1,048,576 bytes" in capsys.readouterr().err
