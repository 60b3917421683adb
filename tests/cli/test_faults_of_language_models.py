"""What goes wrong in the midst of training a language model."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.forks import Fork
from w2v.runs.checkpoint import newest_checkpoint

from .conftest import Run
from .faults import BEGUN, SAVED, TRAIN, WHOLE, begun, names

pytestmark = pytest.mark.usefixtures("prompt")

LM = [
    "--model",
    "lm",
    "--hidden",
    "8",
    "--batch-size",
    "4",
    "--bptt",
    "20",
    "--valid",
    "corpus.txt",
]
LM_WHOLE = sorted([*WHOLE, "model.safetensors"])


def test_a_second_signal_ends_a_language_model_in_the_middle_of_a_step(
    corpus: str, tmp_path: Path
) -> None:
    """PyTorch is at work in another thread then: the process must not be aborted.

    On a busy machine the model may be saved before the second signal is there: that is well, too.
    """
    sizes = [
        "--dim",
        "256",
        "--hidden",
        "512",
        "--bptt",
        "100",
        "--batch-size",
        "8",
        "--epochs",
        "1000",
    ]
    command = ["train", corpus, "--model", "lm", "--min-count", "1", "--threads", "1", *sizes]
    process = Fork(*command, folder=tmp_path, patches={"w2v.cli.progress.INTERVAL": 0.5})
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if line.lstrip().startswith("training ") and "tokens/s" in line:
            process.send_signal(signal.SIGINT)
        elif line.lstrip().startswith("stopping"):
            process.send_signal(signal.SIGINT)
            break
    out, err = process.communicate(timeout=300)
    assert process.returncode == 130, said + err
    assert "terminate" not in err and "Traceback" not in err
    if "resume with" in err:
        assert out == "corpus-lm-softmax\n"
    else:
        assert (out, err.splitlines()[-1]) == ("", "w2v train: interrupted")


def test_a_language_model_whose_worker_raises(
    w2v: Run, corpus: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from w2v.lm.engine import LanguageModelEngine

    assert w2v(*TRAIN, *LM, "--output", "whole").returncode == 0
    original = LanguageModelEngine.train

    def train(self: LanguageModelEngine, block: Any, lr: float, thread: int = 0) -> Any:
        if block.epoch == 3:
            raise ZeroDivisionError("broken")
        return original(self, block, lr, thread)

    with monkeypatch.context() as patch:
        patch.setattr(LanguageModelEngine, "train", train)
        done = w2v(*SAVED, *LM)
    assert (done.returncode, done.stdout) == (1, "")
    kept, failed = done.stderr.splitlines()[-2:]
    assert kept.startswith("warning: the run has failed. Kept: run/checkpoints/step-")
    assert kept.endswith("; to go on: w2v train --resume run")
    assert failed.startswith("w2v train: internal error: ZeroDivisionError: broken")
    assert begun(tmp_path / "run") == BEGUN
    assert w2v("train", "--resume", "run", "--quiet").returncode == 0
    assert names(tmp_path / "run") == LM_WHOLE
    for name in ("vectors.npy", "model.safetensors"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.parametrize("where", ["training", "validation"])
def test_a_language_model_that_diverges_keeps_what_was_sound(
    w2v: Run, corpus: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    from w2v.lm.engine import LanguageModelEngine

    original = LanguageModelEngine.train

    def train(self: LanguageModelEngine, block: Any, lr: float, thread: int = 0) -> Any:
        tally = original(
            self, block, 1e39 if (block.epoch, where) == (3, "training") else lr, thread
        )
        if (block.epoch, where) == (3, "validation"):
            self.model.input.weight.data.fill_(float("nan"))
        return tally

    monkeypatch.setattr(LanguageModelEngine, "train", train)
    done = w2v(*SAVED, *LM, "--clip", "0", "--epochs", "4" if where == "validation" else "6")
    assert (done.returncode, done.stdout) == (1, "")
    found, damaged = newest_checkpoint(tmp_path / "run")
    assert found is not None and not damaged
    assert all(np.isfinite(array).all() for array in found.tensors.values())
    message = done.stderr.splitlines()[-1]
    assert (
        "the loss became "
        if where == "training"
        else "corpus.txt after epoch 4: the model's loss is "
    ) in message
    assert "smaller --lr" in message
    # --init is for word vectors
    assert message.endswith(f". Kept: run/checkpoints/step-{found.step}, from before")
    assert begun(tmp_path / "run") == BEGUN
