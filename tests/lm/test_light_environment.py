"""What does not need PyTorch or `tokenizers` works without them; what does says what to install."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import w2v
from tests.language_runs import corpus_text, write_run

ROOT = str(Path(w2v.__file__).parents[1])


@pytest.fixture
def without(tmp_path: Path):
    """without(package, *arguments): w2v as a process of its own that finds no such package."""
    (tmp_path / "text.txt").write_text(corpus_text())

    def call(package: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "path" / package).mkdir(parents=True)
        missing = f"raise ModuleNotFoundError('No module named {package}', name='{package}')\n"
        (tmp_path / "path" / package / "__init__.py").write_text(missing)
        paths = os.pathsep.join([str(tmp_path / "path"), ROOT])
        cache = str(tmp_path / "cache")
        return subprocess.run(
            [sys.executable, "-m", "w2v", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": paths, "W2V_CACHE_DIR": cache},
            input="w1 w2\n",
            capture_output=True,
            text=True,
        )

    return call


SMALL = ("--dim", "4", "--min-count", "1", "--epochs", "1", "--threads", "1", "--quiet")
TRAIN = ("train", "text.txt", "--output", "new", *SMALL)


@pytest.mark.parametrize(
    "arguments",
    [
        (*TRAIN, "--model", "lm"),
        (*TRAIN, "--model", "lm", "--dry-run"),
        (*TRAIN, "--loss", "softmax"),
        (*TRAIN, "--engine", "autograd"),
        (*TRAIN, "--device", "cuda"),
        ("eval", "lm", "--text", "text.txt"),
        ("score", "lm"),
        ("generate", "lm", "w1"),
    ],
    ids=str,
)
def test_without_pytorch(without, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    write_run(tmp_path / "lm", tmp_path / "text.txt")
    done = without("torch", *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1 and "pip install torch" in done.stderr
    assert "internal error" not in done.stderr and not (tmp_path / "new").exists()


def test_word_vectors_do_without_pytorch(without) -> None:
    assert without("torch", *TRAIN).returncode == 0


def test_a_comparison_without_pytorch(without) -> None:
    compared = ("compare", "text.txt", "--losses", "neg,softmax", "--output", "c", *SMALL)
    done = without("torch", *compared)
    assert done.returncode == 1
    vectors, softmax = done.stdout.splitlines()
    assert "\tdone" in vectors and "pip install torch" in softmax


@pytest.mark.parametrize("verb", ["train", "score"])
def test_without_tokenizers(without, tmp_path: Path, verb: str) -> None:
    pytest.importorskip("tokenizers")
    write_run(tmp_path / "lm", tmp_path / "text.txt", subwords=280)
    train = (*TRAIN, "--model", "lm", "--subwords", "280")
    done = without("tokenizers", *(train if verb == "train" else ("score", "lm", "--quiet")))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "pip install 'w2v[subwords]'" in done.stderr
