"""Disks, folders and texts that fail a run: the message, the exit status, and what is on disk
afterwards."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import w2v.corpus.read as w2v_read
import w2v.runs.checkpoint as w2v_checkpoint
import w2v.runs.directory as w2v_rundir
from w2v.runs.checkpoint import newest_checkpoint
from w2v.vectors import load_vectors

from .conftest import Run
from .faults import BEGUN, SAVED, TRAIN, WHOLE, at_block, begun, names, reference, resumed, step

pytestmark = pytest.mark.usefixtures("prompt")


def no_space(*_: object, **__: object) -> Any:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_costs_a_checkpoint_and_no_more(
    w2v: Run, corpus: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, kept = reference(w2v, tmp_path), []
    at_block(monkeypatch, 3, lambda: monkeypatch.setattr(w2v_checkpoint, "write_file", no_space))
    at_block(monkeypatch, 4, lambda: kept.extend(names(tmp_path / "run" / "checkpoints")))
    done = w2v(*SAVED)
    assert (done.returncode, done.stdout) == (0, "run\n")
    assert len(kept) == 2 and kept[0].startswith("step-")
    (warning,) = done.stderr.splitlines()
    assert warning.startswith(
        f"warning: no checkpoint could be written, run/checkpoints/{max(kept, key=step)} stays"
    )
    assert "training goes on" in warning and "No space left on device: free some space" in warning
    assert names(tmp_path / "run" / "checkpoints") == kept
    assert (tmp_path / "run" / "vectors.npy").read_bytes() == expected


def test_a_disk_that_is_full_in_the_end_keeps_the_last_checkpoint(
    w2v: Run, corpus: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = reference(w2v, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(w2v_rundir, "write_matrix", no_space)
        done = w2v(*SAVED)
    assert (done.returncode, done.stdout) == (1, "")
    last, *_ = sorted(names(tmp_path / "run" / "checkpoints"), key=step, reverse=True)
    assert done.stderr.endswith(
        f"run/vectors.npy: No space left on device. Kept: run/checkpoints/{last}; to go on: w2v"
        " train --resume run\n"
    )
    assert begun(tmp_path / "run") == BEGUN
    assert resumed(w2v, tmp_path) == expected


def test_a_really_full_disk(w2v: Run, corpus: str, small_disk: Path) -> None:
    # 2 x 16 kB of matrices
    done = w2v(*TRAIN, "--dim", "100", "--output", "disk/run", "--checkpoint-every", "0.3k")
    assert "Traceback" not in done.stderr
    assert done.returncode in (0, 1)
    if done.returncode == 1:
        assert (
            "disk/run/vectors.npy: No space left on device. Kept: disk/run/checkpoints/step-"
            in done.stderr
        )
    assert "warning: no checkpoint could be written" in done.stderr
    found, damaged = newest_checkpoint(small_disk / "run")
    assert found is not None and not damaged
    assert set(names(small_disk / "run")) <= set(WHOLE)


def test_a_really_full_cache(w2v: Run, corpus: str, small_disk: Path, tmp_path: Path) -> None:
    (small_disk / "filler").write_bytes(bytes(56 << 10))
    done = w2v(*TRAIN, "--output", "run", env={"W2V_CACHE_DIR": str(small_disk)})
    assert done.returncode == 0
    assert (
        done.stderr.startswith("warning: the corpus is not cached: ")
        and done.stderr.count("\n") == 1
    )
    assert "cannot be written: No space left on device" in done.stderr
    assert len(load_vectors(tmp_path / "run")) == 40


@pytest.mark.parametrize("place", ["/proc/self/cache", "corpus.txt/cache"])
def test_a_cache_that_cannot_be_written(w2v: Run, corpus: str, tmp_path: Path, place: str) -> None:
    done = w2v(*TRAIN, "--output", "run", env={"W2V_CACHE_DIR": place})
    assert (done.returncode, done.stdout) == (0, "run\n")
    assert done.stderr.startswith(
        f"warning: the corpus is not cached: the cache {place}/corpora cannot be written: "
    )
    assert names(tmp_path) == ["corpus.txt", "run"]


@pytest.mark.parametrize("output", ["/proc/self/run", "/proc/self/v.bin"])
def test_an_output_that_cannot_be_written(
    w2v: Run, corpus: str, tmp_path: Path, output: str
) -> None:
    done = w2v(*TRAIN, "--output", output)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"w2v train: --output {output} cannot be written: ")
    assert names(tmp_path) == ["corpus.txt"]


def test_a_run_directory_that_is_removed_meanwhile(
    w2v: Run, corpus: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = reference(w2v, tmp_path)
    at_block(monkeypatch, 4, lambda: shutil.rmtree(tmp_path / "run"))
    done = w2v(*SAVED)
    assert (done.returncode, done.stdout) == (0, "run\n")
    assert (
        done.stderr
        == "warning: run was removed while the run was writing to it; it has been made again\n"
    )
    assert names(tmp_path / "run") == WHOLE
    assert (tmp_path / "run" / "vectors.npy").read_bytes() == expected
    assert newest_checkpoint(tmp_path / "run")[1] == []


@pytest.mark.parametrize("output", ["sub/run", "sub/v.npy"])
def test_a_folder_that_is_removed_meanwhile(
    w2v: Run, corpus: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    (tmp_path / "sub").mkdir()
    at_block(monkeypatch, 4, lambda: shutil.rmtree(tmp_path / "sub"))
    done = w2v(*TRAIN, "--output", output)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{output}\n", "")
    assert len(load_vectors(tmp_path / output)) == 40


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda path: path.write_text("a b\n"),
            "corpus.txt changed while it was being read; start again",
        ),
        (
            lambda path: path.unlink(),
            "corpus.txt vanished while it was being read (No such file or directory); start",
        ),
    ],
)
def test_a_corpus_that_changes_while_it_is_read(
    w2v: Run,
    corpus: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Path], object],
    message: str,
) -> None:
    original = w2v_read.Reader.encode

    def encode(self: Any, *given: Any) -> None:
        original(self, *given)
        change(tmp_path / corpus)

    monkeypatch.setattr(w2v_read.Reader, "encode", encode)
    done = w2v(*SAVED)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"w2v train: {message}") and done.stderr.count("\n") == 1
    assert set(names(tmp_path)) <= {"corpus.txt"}


def test_what_stands_in_the_way_is_told_before_training(
    w2v: Run, corpus: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert w2v(*SAVED).returncode == 0
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    (tmp_path / "run" / "summary.json").unlink()
    (tmp_path / "run" / "checkpoints").write_text("a file")
    kept = (tmp_path / "run" / "vectors.npy").read_bytes()
    at_block(monkeypatch, 0, lambda: pytest.fail("it trains"))
    done = w2v("train", "--resume", "run", "--quiet")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("w2v train: cannot write run/checkpoints: File exists\n")
    assert (tmp_path / "run" / "vectors.npy").read_bytes() == kept


def test_a_folder_of_checkpoints_that_becomes_a_file(
    w2v: Run, corpus: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def replace() -> None:
        shutil.rmtree(tmp_path / "run" / "checkpoints")
        (tmp_path / "run" / "checkpoints").write_text("a file")

    expected = reference(w2v, tmp_path)
    at_block(monkeypatch, 3, replace)
    done = w2v(*SAVED)
    assert (done.returncode, done.stdout) == (0, "run\n")
    (warning,) = done.stderr.splitlines()
    assert (
        warning
        == "warning: no checkpoint could be written, there is none, and training goes on: cannot"
        " write"
        " run/checkpoints: File exists: free some space, or mend the folder"
    )
    assert (tmp_path / "run" / "vectors.npy").read_bytes() == expected
