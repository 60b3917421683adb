"""What the tests of the measurements share: the path of the harness, a stand-in for word2vec.c, and
ways to run the measurements."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import w2v as package

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE / "harness" / "peers")]  # as run.py and serve.py have it

STAND_IN = '''#!{python}
"""Takes word2vec.c's command line, reports as it does, writes vectors that answer all."""
import struct, sys, time
sys.stdout.write("Starting training using file x\\n")
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
with open({log!r}, "a") as log:
    log.write(" ".join(sys.argv[1:]) + "\\n")
words = sorted(set(open(given["-train"]).read().split()))
for percent in (1, 26, 51, 76, 99):
    sys.stdout.write("\\rAlpha: 0.01  Progress: %.2f%%  Words/thread/sec: 1.00k  " % percent)
    sys.stdout.flush()
    time.sleep(0.05)
size = int(given["-size"])
with open(given["-output"], "wb") as file:
    file.write(("%d %d\\n" % (len(words), size)).encode())
    for number, word in enumerate(words):
        row = [1.0 + number % 7] + [0.5] * (size - 1)
        file.write(word.encode() + b" " + struct.pack("%df" % size, *row) + b"\\n")
'''


@pytest.fixture(scope="session")
def word2vec_c(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program with word2vec.c's face; the arguments that it was called with are in `calls` beside
    it."""
    folder = tmp_path_factory.mktemp("peer")
    return program(
        folder / "word2vec", STAND_IN.format(python=sys.executable, log=str(folder / "calls"))
    )


def program(path: Path, text: str) -> Path:
    """A program with this text."""
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture(scope="session")
def bench(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs `run.py` as a process of its own, with one thread."""
    folder = tmp_path_factory.mktemp("work")
    root = str(Path(package.__file__).parents[1])
    changes = {"PYTHONPATH": root, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}

    def run(*arguments: str, stdout: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(HERE / "run.py"), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            cwd=folder,
            env={**os.environ, **changes},
            timeout=240,
        )

    return run
