"""Real training runs as a user types them: pipelines, signals, errors, and what is on disk
afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.forks import Fork, program
from w2v.vectors import load_vectors

from .conftest import Run, environment

QUICK = ["--dim", "8", "--epochs", "1", "--min-count", "1", "--threads", "1"]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_train_then_nearest_in_sh(corpus: str, tmp_path: Path) -> None:
    w2v = f"{sys.executable} -m w2v"
    command = (
        f"head -20000 {corpus} | {w2v} train --loss nce - --output v.bin --min-count 1 --dim 8"
        f" && {w2v} nearest v.bin w1 --json | head -1"
    )
    done = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, env=environment()
    )
    assert done.returncode == 0, done.stderr
    path, answer = done.stdout.splitlines()
    assert path == "v.bin"
    assert json.loads(answer)["query"] == "w1"


def test_the_path_on_stdout_can_be_given_on(corpus: str, tmp_path: Path) -> None:
    (tmp_path / "q.txt").write_text(": x\nw1 w2 w3 w4\n")
    w2v = program()
    command = f"{w2v} eval $({w2v} train {corpus} --dim 8 --min-count 1 --quiet) q.txt"
    done = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, env=environment()
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("\t1\t1\n")


def test_the_same_command_twice_works_twice(w2v: Run, corpus: str, tmp_path: Path) -> None:
    first, second = (w2v("train", corpus, "--loss", "nce", *QUICK) for _ in range(2))
    assert (first.returncode, second.returncode) == (0, 0)
    assert first.stdout != second.stdout
    for done in (first, second):
        assert (tmp_path / done.stdout.strip() / "vectors.npy").is_file()


def test_a_saved_configuration_repeats_the_run(w2v: Run, corpus: str, tmp_path: Path) -> None:
    assert w2v("train", corpus, *QUICK, "--seed", "7", "--output", "a").returncode == 0
    assert w2v("train", "--config", "a/config.yaml", "--output", "b").returncode == 0
    assert (tmp_path / "a/vectors.npy").read_bytes() == (tmp_path / "b/vectors.npy").read_bytes()
    assert (tmp_path / "a/config.yaml").read_bytes() == (tmp_path / "b/config.yaml").read_bytes()


def test_the_counts_reconcile(w2v: Run, corpus: str, tmp_path: Path) -> None:
    done = w2v(
        "train",
        corpus,
        "--dim",
        "8",
        "--min-count",
        "10",
        "--epochs",
        "3",
        "--sample",
        "0.01",
        "--json",
    )
    words = json.loads(done.stdout)["words"]
    text = (tmp_path / corpus).read_text().split()
    kept = [word for word in text if text.count(word) >= 10]
    assert (words["read"], words["in_vocabulary"], words["left_out"]) == (
        len(text),
        len(kept),
        len(text) - len(kept),
    )
    assert (
        words["passed"]
        == 3 * len(text)
        == words["trained"] + words["subsampled"] + words["passed_left_out"]
    )
    assert words["passed_left_out"] == 3 * words["left_out"]
    assert 0 < words["subsampled"] < words["trained"]


def test_dry_run_leaves_nothing(w2v: Run, corpus: str, tmp_path: Path) -> None:
    done = w2v("train", corpus, *QUICK, "--dry-run", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["vocabulary"] == 40
    assert names(tmp_path) == [corpus]


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        (None, ["none.txt"], "no such corpus: none.txt"),
        (b"", ["c.txt"], "the corpus contains no words: c.txt is empty"),
        (b"a b\n" * 3, ["c.txt"], "no word reaches --min-count 5"),
        (b"\x7fELF\x02\x01\x01" + bytes(1000), ["c.txt"], "c.txt"),
        (
            b"a b\n",
            ["c.txt", "--output", "none/v.bin"],
            "--output none/v.bin: the folder none does not exist",
        ),
        (b"a b\n", ["c.txt", "--output", "taken.bin"], "--output taken.bin exists already"),
        (
            b"a b\n",
            ["c.txt", "--outptu", "v.bin"],
            "no such option --outptu; did you mean --output?",
        ),
        (
            b"a b\n",
            ["c.txt", "--config", "x.yaml"],
            "unknown key 'windw' in x.yaml (did you mean 'window'?)",
        ),
        (
            b"caf\xe9 " * 9,
            ["c.txt", "--encoding-errors", "strict"],
            "c.txt is not valid UTF-8 at byte 3",
        ),
        (b"a\nb\n" * 9, ["c.txt", "--output", "v.bin"], "no word has a context word"),
    ],
)
def test_input_errors_are_short_and_leave_nothing(
    w2v: Run, tmp_path: Path, content: bytes | None, arguments: list[str], message: str
) -> None:
    (tmp_path / "taken.bin").write_bytes(b"mine")
    (tmp_path / "x.yaml").write_text("windw: 3\n")
    if content is not None:
        (tmp_path / "c.txt").write_bytes(content)
    before = names(tmp_path)
    done = w2v("train", "--quiet", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"w2v train: {message}")
    assert done.stderr.count("\n") <= 2
    assert names(tmp_path) == before
    assert (tmp_path / "taken.bin").read_bytes() == b"mine"


def test_invalid_utf8_is_replaced_with_one_warning(w2v: Run, tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_bytes(b"caf\xe9 caf\xe9 x y\n" * 5)
    done = w2v("train", "c.txt", *QUICK, "--sample", "0", "--quiet", "--output", "v.txt")
    assert done.returncode == 0
    assert done.stderr.startswith("warning: 10 invalid UTF-8 sequences replaced")
    assert done.stderr.count("\n") == 1
    assert "caf\ufffd" in load_vectors(tmp_path / "v.txt").words


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_keeps_its_vectors(corpus: str, tmp_path: Path, number: int) -> None:
    command = ["train", corpus, *QUICK, "--epochs", "10000000", "--output", "v.bin", "--json"]
    process = Fork(*command, folder=tmp_path, patches={"w2v.cli.progress.INTERVAL": 0.2})
    assert process.stderr
    for line in process.stderr:
        if line.startswith("training") and "words/s" in line:
            break
    process.send_signal(number)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 128 + number, err
    summary = json.loads(out)
    assert summary["interrupted"] is True
    assert 0 < summary["epochs_done"] < 10000000
    assert "of 10000000, after" in err.splitlines()[-1]
    assert err.splitlines()[-1].endswith("the vectors learnt so far are in v.bin")
    assert len(load_vectors(tmp_path / "v.bin")) == 40
    assert names(tmp_path) == [corpus, "v.bin"]


def test_an_interrupt_while_reading_leaves_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    process = Fork("train", "pipe", *QUICK, "--output", "v.bin", folder=tmp_path)
    writer = os.open(tmp_path / "pipe", os.O_WRONLY)
    os.write(writer, b"a b c\n")
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=300)
    os.close(writer)
    assert (process.returncode, err) == (130, "w2v train: interrupted\n")
    assert names(tmp_path) == ["pipe"]
