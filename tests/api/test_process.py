"""What the process notices: import, type checkers, Ctrl-C."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests import forks

from .conftest import ROOT, python


def test_import_loads_nothing_heavy() -> None:
    script = """
import sys, time
began = time.perf_counter()
import w2v
took = time.perf_counter() - began
heavy = {"numba", "torch", "pyarrow", "pandas", "numpy", "datasets", "typer", "yaml"}
assert "train" in dir(w2v) and not heavy & set(sys.modules), heavy & set(sys.modules)
print(f"import w2v: {1000 * took:.0f} ms")
"""
    done = python("-c", script)
    print(done.stdout)
    assert done.returncode == 0, done.stderr


def test_the_typed_example(tmp_path: Path) -> None:
    """It runs; `make lint` checks its types, as a user's program."""
    code = Path(__file__).with_name("typed_example.py").read_text(encoding="utf-8")
    done = forks.run(folder=tmp_path, code=code, timeout=600)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


SESSION = """
import threading, w2v
def hear(event):
    if event.kind == "progress" and event["words"]:
        print("training", flush=True)

run = w2v.train(["a b c d e f g"] * 1000, min_count=1, sample=0, epochs=10**6, \
threads=2, progress=False, callbacks=[hear])
"""
TOLD = 'print("stopped", run.summary["interrupted"], len(run.vectors), threading.enumerate())\n'


def test_ctrl_c_in_an_interactive_session_stops_softly() -> None:
    """At the prompt of Python, over a pseudo-terminal."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-q", "-i"],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "dumb", "PYTHON_BASIC_REPL": "1"},
        preexec_fn=_own_terminal,
    )
    os.close(slave)
    try:
        os.write(master, SESSION.encode())
        _read_until(master, "\r\ntraining")
        os.write(master, b"\x03")
        text = _read_until(master, ">>> ")
        os.write(master, TOLD.encode())  # not before: Ctrl-C throws away what was typed
        text += _read_until(master, "[<_MainThread(")
        assert "stopped True 7" in text and "Traceback" not in text
        os.write(master, b"print(6 * 7, threading.active_count())\n")
        _read_until(master, "42 1")
        os.write(master, b"exit()\n")
        assert process.wait(300) == 0
    finally:
        process.kill()
        process.wait()
        os.close(master)


TWICE = """
import os, signal, threading, w2v
def twice(event):
    if event.kind == "progress":
        os.kill(os.getpid(), signal.SIGINT), os.kill(os.getpid(), signal.SIGINT)
try:
    w2v.train(["a b c d e f g"] * 1000, min_count=1, sample=0, epochs=1000, threads=2, \
progress=False, callbacks=[twice])
except KeyboardInterrupt:
    print("interrupted", threading.active_count(), os.listdir())
handler = signal.getsignal(signal.SIGINT)
assert handler is signal.default_int_handler, handler
"""


def test_the_second_ctrl_c_does_not_wait(left: Any, tmp_path: Path) -> None:
    done = python("-c", TWICE, TMPDIR=str(tmp_path / "tmp"))
    assert (done.stdout, done.stderr) == ("interrupted 1 []\n", "")
    assert left() == []


def _own_terminal() -> None:
    """Makes the pseudo-terminal the one whose Ctrl-C reaches the process."""
    import fcntl
    import termios

    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _read_until(terminal: int, text: str) -> str:
    found, deadline = "", time.monotonic() + 300
    while text not in found:
        ready, _, _ = select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, f"waited in vain for {text!r}: {found}"
        try:
            found += os.read(terminal, 4096).decode(errors="replace")
        except OSError:
            raise AssertionError(f"ended without {text!r}: {found}") from None
    return found
