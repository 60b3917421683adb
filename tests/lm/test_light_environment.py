"""What does not need PyTorch or `tokenizers` works without them; what does says what to install."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.language_runs import corpus_text, write_run
from tests.several import several

SMALL = ("--dim", "4", "--min-count", "1", "--epochs", "1", "--threads", "1", "--quiet")
TRAIN = ("train", "text.txt", "--output", "new", *SMALL)
NEEDED = [
    (*TRAIN, "--model", "lm"),
    (*TRAIN, "--model", "lm", "--dry-run"),
    (*TRAIN, "--loss", "softmax"),
    (*TRAIN, "--engine", "autograd"),
    (*TRAIN, "--device", "cuda"),
    ("eval", "lm", "--text", "text.txt"),
    ("score", "lm"),
    ("generate", "lm", "w1"),
]


def without(package: str, folder: Path, *commands: Sequence[str]):
    """What w2v says in a process that finds no such package; so do those that it starts."""
    (folder / "path" / package).mkdir(parents=True)
    missing = f"raise ModuleNotFoundError('No module named {package}', name='{package}')\n"
    (folder / "path" / package / "__init__.py").write_text(missing)
    path = str(folder / "path")
    before = f"import os, sys; sys.path.insert(0, {path!r})\n"
    before += f"os.environ['PYTHONPATH'] = {path!r} + os.pathsep + os.environ['PYTHONPATH']"
    return several(before, commands, folder)


@pytest.fixture(scope="module")
def without_pytorch(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("light")
    (folder / "text.txt").write_text(corpus_text())
    write_run(folder / "lm", folder / "text.txt")
    compare = ("compare", "text.txt", "--losses", "neg,softmax", "--output", "c", *SMALL)
    told = without("torch", folder, *NEEDED, TRAIN, compare)
    return dict(zip([*NEEDED, "train", "compare"], told, strict=True))


@pytest.mark.parametrize("arguments", NEEDED, ids=str)
def test_without_pytorch(without_pytorch, arguments: tuple[str, ...]) -> None:
    done = without_pytorch[arguments]
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1 and "pip install torch" in done.stderr
    assert "internal error" not in done.stderr


def test_word_vectors_do_without_pytorch(without_pytorch) -> None:
    done = without_pytorch["train"]  # after those that failed, whose --output it has
    assert (done.returncode, done.stdout) == (0, "new\n")


def test_a_comparison_without_pytorch(without_pytorch) -> None:
    done = without_pytorch["compare"]
    assert done.returncode == 1
    vectors, softmax = done.stdout.splitlines()
    assert "\tdone" in vectors and "pip install torch" in softmax


def test_without_tokenizers(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers")
    (tmp_path / "text.txt").write_text(corpus_text())
    write_run(tmp_path / "lm", tmp_path / "text.txt", subwords=280)
    train = (*TRAIN, "--model", "lm", "--subwords", "280")
    for done in without("tokenizers", tmp_path, train, ("score", "lm", "--quiet")):
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
        assert "pip install 'w2v[subwords]'" in done.stderr
