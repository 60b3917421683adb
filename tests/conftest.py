"""Shared by all tests."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

# In a background job of a non-interactive shell Ctrl-C is ignored, under nohup a closed terminal,
# and so they are in every process started from there; w2v respects that. Tests of signals need the
# usual state of things.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(autouse=True, scope="module")
def no_garbage_of_others() -> Iterator[None]:
    """A run collects garbage when it hands memory back. What earlier tests left (reports, compiled
    kernels) would make that last seconds."""
    gc.collect()
    gc.freeze()
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
    subprocess.run([umount, place], check=True)
