"""Standard streams that are closed, full or hung up, and a working directory that is gone: what a
shell can do."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.forks import program

from .conftest import environment
from .test_faults_of_processes import COMMON, names, reconcile, training

FULL = "/dev/full"
W2V = f"{sys.executable} -m w2v"  # as Python itself has its streams
SMALL = "--dim 4 --min-count 1 --threads 1 --epochs 1 --no-cache"
needs_full = pytest.mark.skipif(not os.path.exists(FULL), reason="no /dev/full here")


@pytest.fixture
def shell(tmp_path: Path):
    """Runs a line of shell in an empty directory."""

    def run(command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", command],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
            env=environment({"OMP_NUM_THREADS": "1"}),
        )

    return run


@needs_full
@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ("train corpus.txt --output run " + SMALL, 0),
        ("train missing.txt", 2),
        ("no-such-verb", 2),
        ("losses", 0),
    ],
)
def test_messages_that_nobody_can_take_change_nothing(shell, corpus, tmp_path, arguments, status):
    done = shell(f"{program()} {arguments} 2>{FULL}")
    assert done.returncode == status
    if arguments.startswith("train corpus"):
        assert done.stdout == "run\n"
        assert (tmp_path / "run" / "summary.json").is_file()


def test_messages_do_not_turn_to_stdout_when_stderr_is_closed(shell, corpus):
    assert (
        shell(f"{program()} vocab {corpus} 2>&-").stdout
        == shell(f"{program()} vocab {corpus}").stdout
    )
    vectors = shell(f"{program()} train {corpus} --output - {SMALL} 2>&-")
    assert (vectors.returncode, vectors.stdout.splitlines()[0]) == (0, "40 4")


@pytest.mark.parametrize("verb", ["train corpus.txt --output - " + SMALL, "export v.bin -o -"])
def test_vectors_for_a_closed_stdout_are_refused_before_the_work(shell, corpus, model, verb):
    done = shell(f"{program()} {verb} >&-")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "stdout, which is closed; name a file" in line


def test_what_libraries_print_does_not_end_up_in_a_file(shell, corpus, tmp_path):
    script = (
        "import os, sys; from w2v.cli.app import main; status = main(['losses']);file ="
        " open('file', 'w'); os.write(1, b'x'); os.write(2, b'x'); file.close(); sys.exit(status)"
    )
    assert shell(f'{sys.executable} -c "{script}" >&- 2>&- <&-').returncode == 0
    assert (tmp_path / "file").read_bytes() == b""


@needs_full
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_behind_stdout_is_named(shell, corpus, tmp_path, unbuffered):
    done = shell(
        f"PYTHONUNBUFFERED={unbuffered} {W2V} train {corpus} --output run -q {SMALL} >{FULL}"
    )
    assert (done.returncode, done.stderr) == (
        1,
        "w2v train: cannot write to standard output: No space left on device\n",
    )
    assert (tmp_path / "run" / "summary.json").is_file()


def test_a_working_directory_that_is_gone(shell, corpus, tmp_path):
    told = "the working directory no longer exists; change to another directory\n"
    absolute = f"{tmp_path}/{corpus} --output {tmp_path}/run {SMALL}"
    for arguments in (f"train {absolute}", "vocab ../corpus.txt"):
        done = shell(f"mkdir gone && cd gone && rmdir ../gone && {W2V} {arguments}")
        assert (done.returncode, done.stderr) == (1, f"w2v {arguments.split()[0]}: {told}")
    assert names(tmp_path) == [corpus]


def test_a_terminal_that_is_closed_keeps_what_was_learnt(corpus, tmp_path):
    arguments = ["train", corpus, *COMMON, "--epochs", "100000000", "--output", "run"]
    arguments.remove("--quiet")
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        os.execve(
            sys.executable,
            [sys.executable, "-m", "w2v", *arguments],
            environment({"OMP_NUM_THREADS": "1"}),
        )
    deadline = time.monotonic() + 300
    while not list((tmp_path / "run").glob("checkpoints/step-*")) and time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.05)[0]:
            os.read(terminal, 65536)
    os.close(terminal)  # the kernel sends SIGHUP, and nothing can be written there any more
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 128 + 1
    assert reconcile(tmp_path / "run") > 0
    assert "vectors.npy" in names(tmp_path / "run")


def test_ctrl_c_that_ends_the_reader_too(corpus, tmp_path):
    with training(tmp_path, "hogwild") as running:
        assert running.process.stdout
        running.process.stdout.close()
        running.process.send_signal(2)
        assert running.process.wait(timeout=300) == 130
    assert reconcile(tmp_path / "run") > 0
