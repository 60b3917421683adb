"""The reporter on stderr: plain lines for a log, a bar for a terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from w2v.cli.progress import ConsoleReporter
from w2v.training.report import Progress, Reporter

from .conftest import in_terminal


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def progress(fraction: float, loss: float = 2.5) -> Progress:
    return Progress(fraction, int(1e6 * fraction), 4_200_000.0, 0.0157, loss, 12.04, 2)


def test_a_log_gets_one_line_per_interval(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    with ConsoleReporter(clock=clock) as reporter:
        for second in range(31):
            clock.now = second
            reporter.training(progress(second / 40))
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        f"training  {percent} %  4.20 M words/s  lr 0.01570  loss 2.5000  epoch 2  ETA 12.0 s"
        for percent in ("25.0", "50.0", "75.0")
    ]


def test_what_is_over_soon_leaves_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    with ConsoleReporter(clock=clock) as reporter:
        for clock.now in (0.0, 5.0, 9.9):
            reporter.training(progress(0.5))
            reporter.reading(5, 10)
    assert capsys.readouterr() == ("", "")
    assert reporter.last == progress(0.5)


def test_other_work_with_and_without_a_known_end(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    reporter = ConsoleReporter(clock=clock)
    for clock.now in (0.0, 10.0):
        reporter.working("scoring", 1024, 4096, "tokens")
    for clock.now in (20.0, 30.0):
        reporter.working("scoring", 1500, None, "lines")
    assert capsys.readouterr().err.splitlines() == [
        "scoring  25.0 %  1.02 k of 4.10 k tokens",
        "scoring  1.50 k lines",
        "scoring  1.50 k lines",
    ]


def test_reading_with_and_without_a_known_size(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    reporter = ConsoleReporter(clock=clock)
    for clock.now in (0.0, 10.0):
        reporter.reading(5_000_000, 10_000_000)
    for clock.now in (20.0, 30.0):
        reporter.reading(7_000_000, None)
    assert capsys.readouterr().err.splitlines() == [
        "reading  50.0 %  5.0 MB of 10.0 MB",
        "reading  7.0 MB",
        "reading  7.0 MB",
    ]


def test_a_loss_that_is_not_known_yet(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    reporter = ConsoleReporter(clock=clock)
    for clock.now in (0.0, 10.0):
        reporter.training(progress(0.0, loss=float("nan")))
    assert "loss ?" in capsys.readouterr().err


def test_messages(capsys: pytest.CaptureFixture[str]) -> None:
    reporter: Reporter = ConsoleReporter()
    reporter.note("n")
    reporter.warn("w")
    reporter.stage("s")
    assert capsys.readouterr() == ("", "note: n\nwarning: w\ns\n")


def test_quiet_leaves_the_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    reporter = ConsoleReporter(quiet=True, clock=clock)
    reporter.note("n")
    reporter.warn("w")
    reporter.stage("s")
    for clock.now in (0.0, 10.0):
        reporter.training(progress(0.5))
    assert capsys.readouterr() == ("", "warning: w\n")
    assert reporter.training_began


def test_a_terminal_gets_a_bar_that_goes_away(tmp_path: Path) -> None:
    code = """
import sys
from w2v.cli.progress import ConsoleReporter
from w2v.training.report import Progress
now = [0.0]
with ConsoleReporter(clock=lambda: now[0]) as reporter:
    for second in (0, 1, 3, 4):
        now[0] = second
        reporter.training(Progress(second / 5, 5, 4.2e6, 0.0157, 2.5, 12.0, 2))
    reporter.warn("look out")
print("end", file=sys.stderr)
"""
    _, shown = in_terminal(tmp_path, code=code, columns=120)
    frames = [frame.strip() for frame in shown.replace("\n", "\r").split("\r")]
    bars = [frame for frame in frames if frame.startswith("training")]
    # nothing in the first two seconds
    assert not any(bar.startswith("training  20 %") for bar in bars)
    text = "| 4.20 M words/s  lr 0.01570  loss 2.5000  epoch 2  ETA 12.0 s"
    assert any("60 %" in bar and text in bar for bar in bars)
    assert any("80 %" in bar for bar in bars)
    assert "warning: look out" in frames
    assert frames[-2:] == ["end", ""] and frames[-3] in ("", "\x1b[A")
