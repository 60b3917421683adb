"""What the tests of the command line share: a corpus, vectors, and two ways to run the program."""

from __future__ import annotations

import fcntl
import io
import os
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import forks
from tests.forks import Fork, forked
from w2v.cli.app import main
from w2v.vectors import save_vectors

from .language_models import saved_run, templates  # noqa: F401  # fixtures

WORDS = ["the", "king", "man", "woman", "queen", "paris", "berlin", "naïve"]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's own cache stays as it is."""
    monkeypatch.setenv("W2V_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def w2v(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `w2v` inside this process, in an empty directory, with streams that are no terminal."""

    def run(
        *arguments: str, stdin: str | bytes = b"", env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        source = io.BytesIO(stdin.encode() if isinstance(stdin, str) else stdin)
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
        with monkeypatch.context() as patch:
            patch.chdir(tmp_path)
            patch.setattr("w2v.cli.progress.DELAY", 1e3)  # a slow machine has no more to say
            for name, value in (env or {}).items():
                patch.setenv(name, value)
            for name, stream in (
                ("stdin", io.TextIOWrapper(source)),
                ("stdout", out),
                ("stderr", err),
            ):
                patch.setattr(sys, name, stream)
            status = main(arguments)
        texts = []
        for stream in (out, err):
            stream.flush()
            texts.append(stream.buffer.getvalue().decode("utf-8"))  # type: ignore[attr-defined]
        return subprocess.CompletedProcess(arguments, status, *texts)

    return run


@pytest.fixture
def process(tmp_path: Path) -> Run:
    """Runs `w2v` as a process of its own, in an empty directory."""

    def run(
        *arguments: str, stdin: str = "", env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return forks.run(*arguments, given=stdin, folder=tmp_path, changes=env)

    return run


def environment(changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment, in which the package under test is importable from any
    directory."""
    import w2v as package

    root = str(Path(package.__file__).parents[1])
    return {**os.environ, "PYTHONPATH": root, **(changes or {})}


@contextmanager
def conversation(folder: Path, *arguments: str) -> Iterator[Callable[[str], str]]:
    """A verb to which somebody types: ask(line) is the line that comes back at once."""
    with forked(*arguments, folder=folder) as process:

        def ask(line: str) -> str:
            assert process.stdin and process.stdout
            process.stdin.write(line + "\n")
            process.stdin.flush()
            return process.stdout.readline()

        yield ask
        process.communicate()


def in_terminal(
    folder: Path, *arguments: str, code: str = "", columns: int = 80, stdin: str = ""
) -> tuple[int, str]:
    """The status of `w2v` with these arguments, or of a Python program, whose stdout and stderr are
    one terminal, and what that gets."""
    reader, terminal = os.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    term = {"TERM": "xterm"}
    process: Any
    if code:
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=terminal,
            stderr=terminal,
            env=environment(term),
            cwd=folder,
            text=True,
        )
    else:
        streams = None, terminal, terminal
        process = Fork(*arguments, folder=folder, changes=term, streams=streams)
    os.close(terminal)
    assert process.stdin
    process.stdin.write(stdin)
    process.stdin.close()
    got = b""
    try:
        while data := os.read(reader, 4096):
            got += data
    except OSError:  # Linux's way to say that the other end is closed
        pass
    os.close(reader)
    return process.wait(300), got.decode().replace("\r\n", "\n")


def interrupted(folder: Path, *arguments: str) -> str:
    """Ctrl-C for a `w2v train --valid FILE` that would not end by itself, after its first epoch;
    what it says then."""
    running = Fork("train", *arguments, "--epochs", "10000000", folder=folder)
    for line in running.stderr:  # type: ignore[union-attr]
        if line.startswith("after epoch"):
            break
    time.sleep(0.2)
    running.send_signal(signal.SIGINT)
    text = running.communicate(timeout=300)[1]
    assert running.returncode == 130
    return text


@pytest.fixture
def model(tmp_path: Path) -> str:
    """The name of a small vector file in the directory in which `w2v` runs."""
    matrix = np.random.default_rng(0).normal(size=(len(WORDS), 5)).astype(np.float32)
    save_vectors(tmp_path / "v.bin", WORDS, matrix)
    return "v.bin"


@pytest.fixture
def corpus(tmp_path: Path) -> str:
    """The name of a small corpus in the directory in which `w2v` runs: word number i occurs 200 / i
    times."""
    generator = np.random.default_rng(1)
    words = [f"w{i}" for i in range(1, 41) for _ in range(200 // i)]
    generator.shuffle(words)
    lines = [" ".join(words[start : start + 12]) for start in range(0, len(words), 12)]
    (tmp_path / "corpus.txt").write_text("\n".join(lines) + "\n")
    return "corpus.txt"
