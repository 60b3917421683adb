"""One run of a program: wall-clock seconds, peak memory, what it printed, and how long its training
took.

Seconds of training, for programs that print their progress (word2vec.c, pWord2Vec, fastText:
"Progress: 37.20%"):
    (time of the last report - time of the first) * 100 / (last percentage - first percentage),
so that reading the vocabulary before and writing the vectors after do not count. A program may
instead print "training seconds: 12.3".
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import w2v
from w2v.errors import RunError

LAUNCHER = Path(__file__).with_name("launch.py")
PROGRESS = re.compile(r"Progress:\s*(\d+(?:\.\d+)?)\s*%")
SECONDS = re.compile(r"^training seconds: (\d+(?:\.\d+)?(?:e-?\d+)?)$", re.MULTILINE)
KEPT = 1 << 16  # characters of output that are kept: the last ones
SHARE = 50.0  # percent that the reports must span, or they say too little


class Output:
    """What a program prints, read as it comes: its progress reports with their times, and the last
    part of the text."""

    def __init__(self) -> None:
        self.text = ""
        self.first: tuple[float, float] | None = None  # (seconds, percent)
        self.last: tuple[float, float] | None = None
        self._unread = ""

    def feed(self, piece: bytes, now: float) -> None:
        """More output, which came at `now` seconds."""
        text = piece.decode("utf-8", "replace")
        self.text = (self.text + text)[-KEPT:]
        self._unread += text
        end = 0
        for report in PROGRESS.finditer(self._unread):
            self.last = (now, float(report[1]))
            self.first = self.first or self.last
            end = report.end()
        self._unread = self._unread[end:][-100:]  # longer than any report: the rest of it may come

    @property
    def training_seconds(self) -> float | None:
        """How long training took, or None when the output does not tell."""
        if told := SECONDS.search(self.text):
            return float(told[1])
        if self.first is None or self.last is None or self.last[1] - self.first[1] < SHARE:
            return None
        return (self.last[0] - self.first[0]) * 100 / (self.last[1] - self.first[1])

    @property
    def last_line(self) -> str:
        """The last line that says something, for error messages."""
        lines = [line.strip() for line in re.split(r"[\r\n]+", self.text)]
        return next((line for line in reversed(lines) if line), "it printed nothing")


@dataclass(frozen=True)
class Finished:
    """A program that has ended."""

    status: int  # exit code; negative: the signal that ended it
    seconds: float  # from start to end
    peak_bytes: int  # resident, of the program or of the largest process that it started
    output: Output  # stdout and stderr
    cpu_seconds: float = 0.0  # of the program and of what it started and waited for


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Finished:
    """Runs a program to its end, in a process group of its own, which dies when this is
    interrupted.

    Args:
        environment: changes to this process's environment.

    Raises:
        RunError: what measures it was ended by somebody. (A program that cannot be started has
            status 127.)
    """
    output = Output()
    with tempfile.TemporaryDirectory(prefix="w2v-") as folder:
        result = Path(folder) / "result"
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(LAUNCHER), str(result), *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
        assert process.stdout is not None
        try:
            while piece := os.read(process.stdout.fileno(), 1 << 16):
                output.feed(piece, time.monotonic())
            process.wait()
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
        finally:
            process.stdout.close()
        if not result.exists():
            raise RunError(f"{command[0]} could not be measured: {output.last_line}")
        seconds, cpu, kilobytes, status = result.read_text().split()
    return Finished(int(status), float(seconds), int(kilobytes) * 1024, output, float(cpu))


def how_it_ended(finished: Finished) -> str:
    """Why a run counts as failed: "exit code 1: ..." with its last line."""
    if finished.status < 0:
        return f"{signal.Signals(-finished.status).name}: {finished.output.last_line}"
    return f"exit code {finished.status}: {finished.output.last_line}"


def own_environment() -> dict[str, str]:
    """Changes to the environment with which `sys.executable` finds the w2v that is imported
    here."""
    root = str(Path(w2v.__file__).parents[1])
    before = os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": f"{root}{os.pathsep}{before}" if before else root}
