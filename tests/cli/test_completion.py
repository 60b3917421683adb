"""Completion in real shells."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.forks import program
from w2v.losses.table import LOSSES

SHELLS = ("bash", "zsh", "fish")
BASH = """
COMP_WORDS=({words}); COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
_w2v_completion w2v; printf '%s\\n' "${{COMPREPLY[@]}}"; echo NEXT
"""


@pytest.fixture
def w2v(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two files, and w2v in PATH."""
    monkeypatch.setenv("PATH", f"{program().parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.setenv("HOME", str(tmp_path))
    work = tmp_path / "work"
    work.mkdir()
    (work / "corpus-of-mine.txt").touch()
    monkeypatch.chdir(work)
    return work


def bash(*lines: str) -> list[list[str]]:
    """What is offered behind each line."""
    words = (" ".join(f"'{word}'" for word in line.split(" ")) for line in lines)
    asked = "".join(BASH.format(words=each) for each in words)
    told = _said("bash", "--norc", f"source <(w2v completion bash)\n{asked}")
    return [part.split() for part in told.split("NEXT\n")[:-1]]


def fish(*lines: str) -> list[list[str]]:
    asked = "".join(f"; complete -C '{line}'; echo NEXT" for line in lines)
    told = _said("fish", "--no-config", f"w2v completion fish | source{asked}")
    parts = told.split("NEXT\n")[:-1]
    return [[entry.split("\t")[0] for entry in part.splitlines()] for part in parts]


def _said(shell: str, option: str, script: str) -> str:
    command = [shutil.which(shell) or "", option, "-c", script]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def zsh(*lines: str) -> list[list[str]]:
    """What a terminal shows when TAB is pressed twice behind each line."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "dumb"
        os.execvp("zsh", ["zsh", "-f"])
    try:
        ready = "autoload -Uz compinit; compinit -u -D; setopt NO_BEEP; PS1=; LISTMAX=1000\n"
        os.write(terminal, ready.encode())
        os.write(terminal, b"eval \"$(w2v completion zsh)\"; echo E''ND\n")
        _read(terminal)
        # The keys behind wait for what TAB does: ^A ^K take the line back. (^U is for the terminal
        # until zsh has taken it over, which would take the TABs back too.)
        return [_asked(terminal, f"{line}\t\t\x01\x0becho E''ND\n").split() for line in lines]
    finally:
        os.write(terminal, b"\x03\x04exit\n")
        os.close(terminal)
        os.waitpid(pid, 0)


def _asked(terminal: int, keys: str) -> str:
    os.write(terminal, keys.encode())
    return _read(terminal)


def _read(terminal: int) -> str:
    """What the terminal shows up to END."""
    text = ""
    while "END" not in text:
        assert select.select([terminal], [], [], 120)[0], text
        text += os.read(terminal, 1 << 16).decode("utf-8", "replace")
    return text


COMPLETE = {"bash": bash, "zsh": zsh, "fish": fish}


@pytest.mark.parametrize("shell", SHELLS)
def test_verbs_options_losses_and_files(shell: str, w2v: Path) -> None:
    if not shutil.which(shell):
        pytest.skip(f"there is no {shell}")
    lines = "w2v tr", "w2v train --lo", "w2v train --loss ", "w2v train corpus-of", "w2v losses "
    verbs, options, losses, files, described = COMPLETE[shell](*lines)
    assert "train" in " ".join(verbs)
    assert {"--loss", "--lowercase"} <= set(options)
    assert set(LOSSES) <= set(losses) and set(LOSSES) <= set(described)
    # bash falls back on names of files where nothing is offered
    assert files == [] if shell == "bash" else "corpus-of-mine.txt" in " ".join(files)


def test_another_shell_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "w2v", "completion", "tcsh"], capture_output=True, text=True
    )
    assert done.returncode == 2 and "tcsh" in done.stderr and "zsh" in done.stderr
