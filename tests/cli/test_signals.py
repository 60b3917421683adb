"""Signals that come once more, at moments when other threads are at work: one line and the status
all the same."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.soak.test_signals import catches
from w2v.cli.interrupt import stopping_softly
from w2v.cli.output import say

from .conftest import environment
from .test_faults_of_processes import training

# as the program ends, or as the system ends it
KILLED = {signal.SIGINT: (130, -2), signal.SIGTERM: (143, -15)}
# a thread that holds the interpreter's lock again and again, as an import does: a daemon, and one
# that would be waited for
BUSY = """
import threading, time
from w2v.__main__ import run
from w2v.cli import app
from w2v.cli.interrupt import Interrupted
def work():
    end = time.monotonic() + 3000
    while time.monotonic() < end:
        pass
def interrupted(arguments):
    threading.Thread(target=work, daemon={daemon}).start()
    print('learnt')
    raise Interrupted(15)
app._run = interrupted
run()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("kind", ["hogwild", "autograd"])
def test_twice_at_once(corpus: str, tmp_path: Path, kind: str, number: signal.Signals) -> None:
    for output in ("run", "again"):
        with training(tmp_path, kind, "--threads", "2", output=output) as running:
            running.process.send_signal(number)
            status, _ = running.end(number)
        assert status in KILLED[number], running.lines
        assert (tmp_path / output / "summary.json").exists()
        assert [
            line
            for line in running.lines
            if not line.startswith(("warning", "stopping", "w2v train: "))
        ] == []


@pytest.mark.parametrize("daemon", [True, False])
def test_threads_at_work_do_not_outlive_the_program(daemon: bool) -> None:
    command = [sys.executable, "-c", BUSY.format(daemon=daemon)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=300)
    assert (done.returncode, done.stdout, done.stderr) == (143, "learnt\n", "w2v: terminated\n")


def test_a_signal_while_a_line_is_being_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python's streams let nobody else in then."""
    sent = []

    class File(io.FileIO):
        def write(self, data: Any) -> int:
            if not sent:
                sent.append(data)
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0)  # the handler runs here
            return super().write(data)

    with open(tmp_path / "err", "w"):
        pass
    file = io.BufferedWriter(File(str(tmp_path / "err"), "r+"))
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(file, encoding="utf-8"))
    with stopping_softly(lambda: True) as stop:
        say("a line")
    assert stop.is_set() and len(sent) == 1
    told = (tmp_path / "err").read_text()
    assert told.startswith("stopping: ") and told.count("stopping: ") == 1


LOST = """
import sys, time
from w2v.__main__ import run
from w2v.cli import app, interrupt
interrupt.GRACE_SECONDS = 0.5
class Callback:
    def __del__(self):
        interrupt.leave(15)
def lost(arguments):
    callback = Callback()
    del callback
    time.sleep(3000)
app._run = lost
run()
"""


def test_a_signal_whose_exception_is_lost() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOST], capture_output=True, text=True, env=environment(), timeout=300
    )
    assert (done.returncode, done.stdout, done.stderr) == (143, "", "w2v: terminated\n")


HALF_MADE = """
from w2v.__main__ import run
from w2v.cli import app, interrupt
class HalfMade:
    def __init__(self):
        interrupt.leave(15)
        self.handle = 0
    def __del__(self):
        del self.handle
app._run = lambda arguments: HalfMade()
run()
"""


def test_a_signal_while_an_object_is_made_whose_finalizer_then_fails() -> None:
    command = [sys.executable, "-c", HALF_MADE]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=300)
    assert (done.returncode, done.stdout, done.stderr) == (143, "", "w2v: terminated\n")


def test_while_the_corpus_is_read(tmp_path: Path) -> None:
    (tmp_path / "corpus.txt").write_text("a b c d e f g h\n" * 200_000)
    for number in (signal.SIGINT, signal.SIGTERM):
        for delay in (0.3, 0.4, 0.5):
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "w2v",
                    "train",
                    "corpus.txt",
                    "--no-cache",
                    "--output",
                    "run",
                    "--overwrite",  # one before may have trained already, and was kept
                ],
                cwd=tmp_path,
                env=environment(),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            while process.poll() is None and not catches(process.pid, signal.SIGTERM):
                time.sleep(0.001)  # Python itself is starting
            time.sleep(delay)
            process.send_signal(number)
            time.sleep(0.02)
            process.send_signal(number)
            _, told = process.communicate(timeout=300)
            assert "Fatal" not in told and "terminate called" not in told, told
            assert process.returncode in KILLED[number], told
