"""What the tests of the measurements share: the path of the harness, a stand-in for word2vec.c, and
ways to run the measurements."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import forks

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
    """Runs `run.py` as a process, with one thread."""
    folder = tmp_path_factory.mktemp("work")
    changes = {"PYTHONPATH": str(HERE.parents[1]), "COLUMNS": "200"}
    code = f"import runpy, sys; sys.path.insert(0, {str(HERE)!r})\n"
    code += f"runpy.run_path({str(HERE / 'run.py')!r}, run_name='__main__')"

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return forks.run(*arguments, folder=folder, changes=changes, code=code, timeout=900)

    return run
