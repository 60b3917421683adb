"""`w2v train --valid` for word vectors as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Run, interrupted

SMALL = ("--dim", "16", "--min-count", "1", "--threads", "1", "--sample", "0")


@pytest.fixture
def valid(tmp_path: Path) -> str:
    (tmp_path / "valid.txt").write_text("w1 w2 w3 unheard\nw1 w1 w4\n" * 20)
    return "valid.txt"


def test_every_epoch_has_a_line_and_the_files_have_the_figure(
    process: Run, corpus, valid, tmp_path
) -> None:
    done = process("train", corpus, *SMALL, "--valid", valid, "--epochs", "3", "--output", "run")
    assert (done.returncode, done.stdout) == (0, "run\n")
    lines = done.stderr.splitlines()
    assert (
        f"note: 20 of the 140 words of --valid {tmp_path / valid} are not in the vocabulary and are"
        " left out" in lines
    )
    told = [line for line in lines if line.startswith("after epoch")]
    metrics = [
        json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    ]
    losses = [line["validation_loss"] for line in metrics if "validation_loss" in line]
    assert told == [
        f"after epoch {n}: validation loss {loss:.4f} nats per prediction"
        for n, loss in enumerate(losses, 1)
    ]
    assert len(losses) == 3
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())["validation"]
    assert summary["loss"] == losses[-1]
    assert (
        lines[-1] == f"{tmp_path / valid}: loss {losses[-1]:.4f} nats per prediction after epoch 3"
        f" ({summary['predictions']:,} predictions; 20 of 140 words unknown)"
    )


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "valid.txt"),
        (b"", "valid.txt is empty"),
        (bytes(range(256)) * 40, "valid.txt"),
        (b"ganz andere W\xc3\xb6rter\n", "none of its words is in the vocabulary of 40 words"),
        (b"w1\nw2 unheard\n", "no word of it has a context word"),
    ],
)
def test_a_text_that_cannot_be_measured_is_one_line_and_status_2(
    w2v: Run, corpus, tmp_path, content, told
) -> None:
    if content is not None:
        (tmp_path / "valid.txt").write_bytes(content)
    done = w2v("train", corpus, *SMALL, "--valid", "valid.txt", "--output", "run", "--quiet")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("w2v train: --valid")
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_ctrl_c_measures_what_was_learnt(corpus, valid, tmp_path) -> None:
    text = interrupted(tmp_path, corpus, *SMALL, "--valid", valid, "--output", "run")
    assert "resume with: w2v train --resume run" in text
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["interrupted"]
    assert summary["validation"]["epoch"] == pytest.approx(summary["epochs_done"], abs=1e-5)
    assert 0 < summary["validation"]["loss"] < 4.2
