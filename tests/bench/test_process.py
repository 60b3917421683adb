"""One run of a program: progress reports of real systems, memory, failures, interruption."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from harness.process import Output, how_it_ended, run

import w2v

# What the programs print, with the second at which each piece came.
WORD2VEC_C = [
    (
        10.0,
        (
            b"Starting training using file tiny.txt\nVocab size: 1446\nWords in train file: 40699\n"
            b"\rAlpha: 0.025000  Progress: 12.57%  Words/thread/sec: 229.07k  "
        ),
    ),
    (
        11.0,
        b"\rAlpha: 0.021857  Progress: 24.86%  Words/thread/sec: 289.14k  \rAlpha: 0.018784  Progr",
    ),
    (14.0, b"ess: 62.57%  Words/thread/sec: 343.98k  "),
    (16.0, b"\rAlpha: 0.018784  Progress: 87.57%  Words/thread/sec: 343.98k  "),
    (19.0, b"\n"),
]
PWORD2VEC = [
    (
        1.0,
        (
            b"number of threads: 2\nnumber of iterations: 2\nhidden size: 10\nstream from disk:"
            b" 0\nstarting training using file: tiny.txt\n\nVocab size: 1446\nWords in train file:"
            b" 40699\n"
        ),
    ),
    (2.0, b"\rAlpha: 0.025000  Progress: 12.29%  Words/sec: 808.04k"),
    (5.5, b"\rAlpha: 0.009483  Progress: 82.29%  Words/sec: 768.43k"),
]
FASTTEXT = [
    (3.0, b"\rRead 0M words\nNumber of words:  1446\nNumber of labels: 0\n"),
    (
        3.5,
        (
            b"\rProgress:   0.0% words/sec/thread:       0 lr:  0.050000 avg.loss: 54.077454 ETA:"
            b" 720h 0m 0s"
        ),
    ),
    (
        7.5,
        (
            b"\rProgress:  80.5% words/sec/thread:   43779 lr:  0.000000 avg.loss:  7.689590 ETA:  "
            b" 0h 0m 0s"
        ),
    ),
    (
        8.5,
        (
            b"\rProgress: 100.0% words/sec/thread:   43779 lr:  0.000000 avg.loss:  7.689590 ETA:  "
            b" 0h 0m 0s\n"
        ),
    ),
]


@pytest.mark.parametrize(
    ("pieces", "seconds"),
    [
        (WORD2VEC_C, (16 - 10) / 0.75),
        (PWORD2VEC, (5.5 - 2) / 0.7),
        (FASTTEXT, 8.5 - 3.5),
        ([(0.0, b"training seconds: 0.14"), (1.0, b"7277\n")], 0.147277),
        (PWORD2VEC[:2], None),  # one report
        # reports that span too little
        ([(0.0, b"Progress: 10.00%"), (9.0, b"Progress: 55.00%")], None),
        ([(0.0, b"nothing of that kind\n")], None),
    ],
)
def test_seconds_of_training_from_reports(
    pieces: list[tuple[float, bytes]], seconds: float | None
) -> None:
    output = Output()
    for now, piece in pieces:
        output.feed(piece, now)
    assert output.training_seconds == (None if seconds is None else pytest.approx(seconds))


def test_a_report_may_come_byte_by_byte_and_output_of_any_length_is_bounded() -> None:
    output = Output()
    text = (
        b"x" * 200_000
        + b"\rProgress: 5.00%"
        + b"y" * 200_000
        + b"\rProgress: 95.00% \r\nlast line\n\n"
    )
    for start in range(0, len(text), 7):
        output.feed(text[start : start + 7], float(start >= 200_020))
    assert output.training_seconds == pytest.approx(1 / 0.9)
    assert len(output.text) < 100_000
    assert output.last_line == "last line"


def test_time_memory_and_output() -> None:
    code = (
        "import sys, time; x = bytearray(150_000_000); time.sleep(0.3); print('out'); print('err',"
        " file=sys.stderr)"
    )
    done = run([sys.executable, "-c", code])
    assert done.status == 0
    assert 0.3 < done.seconds < 300
    assert 150_000_000 < done.peak_bytes < 250_000_000
    assert sorted(done.output.text.split()) == ["err", "out"]


def test_the_memory_of_this_process_does_not_count() -> None:
    # 320 MB, which Linux would add to the peak of a process started from here
    held = np.ones(40_000_000)
    done = run([sys.executable, "-I", "-S", "-c", "pass"])
    assert held[-1] == 1
    assert 1_000_000 < done.peak_bytes < 60_000_000


@pytest.mark.parametrize(
    ("command", "status", "told"),
    [
        (
            [sys.executable, "-c", "import sys; print('a\\n\\nthe reason\\n'); sys.exit(3)"],
            3,
            "exit code 3: the reason",
        ),
        (
            [sys.executable, "-c", "import os; os.kill(os.getpid(), 11)"],
            -11,
            "SIGSEGV: it printed nothing",
        ),
        (["/no/such/program"], 127, "exit code 127: /no/such/program: No such file or directory"),
    ],
)
def test_a_program_that_fails(command: list[str], status: int, told: str) -> None:
    done = run(command)
    assert (done.status, how_it_ended(done)) == (status, told)


def test_an_interrupted_measurement_leaves_no_process_behind(tmp_path: Path) -> None:
    inner = (
        f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()));"
        " time.sleep(3000)"
    )
    outer = f"import sys; from harness.process import run; run([sys.executable, '-c', {inner!r}])"
    paths = [str(Path(__file__).parent), str(Path(w2v.__file__).parents[1])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    process = subprocess.Popen(
        [sys.executable, "-c", outer], env=environment, stderr=subprocess.DEVNULL
    )
    pid = _when(lambda: int((tmp_path / "pid").read_text()))
    process.send_signal(signal.SIGINT)
    assert process.wait(300) != 0
    assert _when(lambda: not _alive(pid))


def _when(question):  # type: ignore[no-untyped-def]
    """The question's answer, once there is one."""
    for _ in range(6000):
        try:
            if answer := question():
                return answer
        except (OSError, ValueError):
            pass
        time.sleep(0.05)
    raise AssertionError("nothing happened for minutes")


def _alive(pid: int) -> bool:
    """Whether the process runs; one that has ended, but that nobody has asked after, does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
