"""Shared by all tests."""

from __future__ import annotations

import functools
import gc
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

# In a background job of a non-interactive shell Ctrl-C is ignored, under nohup a closed terminal,
# and so they are in every process started from there; w2v respects that. Tests of signals need the
# usual state of things.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


HOME = "W2V_TESTS_HOME"  # of the session, which its workers inherit
KEPT = pytest.StashKey[Path]()
PACKAGE = Path(__file__).parents[1] / "w2v"
COMPILED = ("kernels", "sampling", "system", "tree")  # the rooms that compile, and what keeps it


def pytest_configure(config: pytest.Config) -> None:
    """Gives the session a home and caches of its own, before anything reads where they are: the
    user's stay as they are and change nothing here. Kernels are compiled once for all tests."""
    if HOME in os.environ:
        return
    for name in ("W2V_CACHE_DIR", "W2V_CACHE_SIZE", "W2V_TRACEBACK", "COLUMNS", "FORCE_COLOR"):
        os.environ.pop(name, None)
    home = Path(tempfile.mkdtemp(prefix="w2v-tests-"))
    os.environ[HOME] = os.environ["HOME"] = str(home)
    os.environ["XDG_CACHE_HOME"] = str(home / "cache")
    os.environ["XDG_CONFIG_HOME"] = str(home / "config")
    os.environ["NUMBA_CACHE_DIR"] = str(home / "kernels")
    # PyTorch's threads wait for each other by spinning. Where others want the cores too, all of a
    # core's time goes into that: tests take 30 times as long. Those of runs are what runs ask for.
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if hasattr(config, "cache"):
        with suppress(OSError):
            kept = config.stash[KEPT] = kept_kernels(config.cache)
            shutil.copytree(kept, home / "kernels")


def pytest_unconfigure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        return
    home = Path(os.environ.pop(HOME))
    with suppress(KeyError, OSError):
        for entry in (home / "kernels").glob("*.kernel"):
            if not (kept := config.stash[KEPT] / entry.name).exists():
                shutil.copy(entry, kept)
    shutil.rmtree(home, ignore_errors=True)


def kept_kernels(cache: pytest.Cache) -> Path:
    """Where the kernels of the sessions before are, in pytest's own cache: those of the very same
    source, whatever w2v's cache goes by."""
    digest = hashlib.sha256()
    for room in COMPILED:
        for file in sorted((PACKAGE / room).rglob("*.py")):
            digest.update(file.read_bytes())
    kept = cache.mkdir(f"kernels-{digest.hexdigest()[:16]}")
    for other in kept.parent.glob("kernels-*"):
        if other != kept:
            shutil.rmtree(other, ignore_errors=True)
    return kept


@pytest.fixture(autouse=True, scope="session")
def one_command_line() -> None:
    """Typer makes the verbs and options anew for each call of the program, in 25 ms."""
    import typer.main

    typer.main.get_command = functools.cache(typer.main.get_command)


@pytest.fixture(autouse=True, scope="module")
def no_garbage_of_others() -> Iterator[None]:
    """A run collects garbage when it hands memory back. What earlier tests left (reports, compiled
    kernels) would make that last seconds. And threads that wait for each other in tiny products
    make tests many times slower on a busy machine."""
    gc.collect()
    gc.freeze()
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)  # what a run has set stays
    yield


@pytest.fixture
def prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every checkpoint that is due is taken, whether the disk is fast or not."""
    from w2v.runs.checkpointer import Checkpointer

    def wait(self: Checkpointer) -> bool:
        self.close()
        return False

    monkeypatch.setattr(Checkpointer, "_busy", wait)


@pytest.fixture
def small_disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A file system of 64 KiB, or of so many as its parameter says."""
    place, mount, umount = tmp_path / "disk", shutil.which("mount"), shutil.which("umount")
    place.mkdir()
    if os.geteuid() != 0 or not mount or not umount:
        pytest.skip("only root can mount a small disk")
    size = f"size={getattr(request, 'param', 64)}k"
    if subprocess.run(
        [mount, "-t", "tmpfs", "-o", size, "tmpfs", place], capture_output=True
    ).returncode:
        pytest.skip("no small disk can be mounted here")
    yield place
    # lazily: on a busy machine a process that has been killed may not have closed its files yet
    subprocess.run([umount, "--lazy", place], check=True)
