"""The program as a process: closed, full and broken streams, locales, SIGTERM."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.forks import program
from w2v import __version__

from .conftest import Run, environment


def test_version(process: Run) -> None:
    done = process("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"w2v {__version__}\n", "")


def test_without_arguments_the_help_goes_to_stderr(process: Run) -> None:
    done = process()
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Usage: w2v")


@pytest.mark.parametrize("reader", ["head -1", "head -c 1", "true"])
def test_a_reader_that_goes_away_ends_the_program_quietly(
    model: str, tmp_path: Path, reader: str
) -> None:
    (tmp_path / "queries").write_text("king\n" * 20000)
    command = f"set -o pipefail; {program()} nearest {model} - < queries | {reader}"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=environment(),
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_full_disk_behind_stdout_is_one_line() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    done = subprocess.run(
        f"{sys.executable} -m w2v losses > /dev/full",
        shell=True,
        capture_output=True,
        text=True,
        env=environment(),
    )
    assert done.returncode == 1
    assert done.stderr == "w2v losses: cannot write to standard output: No space left on device\n"


def test_closed_streams_do_no_harm(tmp_path: Path) -> None:
    done = subprocess.run(
        f"{sys.executable} -m w2v losses >&- 2>&-", shell=True, env=environment(), cwd=tmp_path
    )
    assert done.returncode == 0


def test_results_are_utf8_whatever_the_locale(model: str, tmp_path: Path) -> None:
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [sys.executable, "-m", "w2v", "nearest", model, "king"],
        cwd=tmp_path,
        env=environment({**ascii_only, "PYTHONIOENCODING": "ascii"}),
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0
    assert "naïve" in done.stdout


def test_sigterm_while_reading_ends_with_143(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    process = subprocess.Popen(
        [sys.executable, "-m", "w2v", "vocab", "pipe"],
        cwd=tmp_path,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    writer = os.open(tmp_path / "pipe", os.O_WRONLY)  # returns when the program has opened its end
    os.write(writer, b"a b c\n")
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=300)
    os.close(writer)
    assert (process.returncode, err) == (143, "w2v vocab: terminated\n")
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]
