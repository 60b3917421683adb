"""`w2v embed`: lines from files and stdin, to files and stdout."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from w2v.vectors import WordVectors, load_vectors

from .conftest import Run, conversation

TEXT = "the king\r\n\nparis  berlin nobody\nnobody\nnaïve man"


@pytest.fixture
def expected(model: str, tmp_path: Path) -> np.ndarray:
    vectors = load_vectors(tmp_path / model)
    (tmp_path / "lines.txt").write_text("\ufeff" + TEXT, newline="")
    with pytest.warns(UserWarning, match="2 of 5"):
        return vectors.encode(TEXT.split("\n"))


def test_lines_to_stdout(w2v: Run, model: str, expected: np.ndarray) -> None:
    for arguments, stdin in (
        ([model, "lines.txt"], ""),
        ([model], TEXT),
        ([model, "-", "-o-"], TEXT),
    ):
        done = w2v("embed", *arguments, stdin=stdin)
        assert done.returncode == 0
        rows = [line.split("\t") for line in done.stdout.splitlines()]
        assert np.array_equal(np.array(rows, np.float32), expected)
        assert done.stderr.count("\n") == 1 and "2 of 5" in done.stderr
    done = w2v("embed", model, "lines.txt", "--json")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["text"] for line in lines] == TEXT.replace("\r", "").split("\n")
    assert np.array_equal(np.array([line["vector"] for line in lines], np.float32), expected)


def test_compressed_lines_to_files(
    w2v: Run, model: str, expected: np.ndarray, tmp_path: Path
) -> None:
    (tmp_path / "lines.gz").write_bytes(gzip.compress(TEXT.encode()))
    done = w2v("embed", model, "lines.gz", "-o", "x.npy")
    assert (done.returncode, done.stdout) == (0, "x.npy\n")
    assert np.array_equal(np.load(tmp_path / "x.npy"), expected)
    done = w2v("embed", model, "lines.gz", "-o", "x.npy", "--overwrite", "--json")
    assert json.loads(done.stdout) == {"output": "x.npy", "lines": 5, "dim": 5, "pooling": "mean"}


def test_sif_of_a_stream(w2v: Run, tmp_path: Path) -> None:
    vectors = WordVectors(["a", "b", "c"], np.eye(3) + 1, np.array([90, 9, 1]))
    vectors.save(tmp_path / "v.npy")
    done = w2v("embed", "v.npy", "--pooling", "sif", stdin="a b\nb c\nc c a\n")
    rows = np.array([line.split("\t") for line in done.stdout.splitlines()], np.float32)
    assert np.array_equal(rows, vectors.encode(["a b", "b c", "c c a"], "sif"))


def test_a_typed_line_is_answered_at_once(model: str, tmp_path: Path) -> None:
    with conversation(tmp_path, "embed", model) as ask:
        for word in ("king", "paris"):
            assert ask(word).count("\t") == 4


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["v.bin", "none.txt"], "none.txt"),
        (["v.bin", "latin.txt"], "line 2 of latin.txt"),
        (["v.bin", "lines.txt", "-o", "x.tsv"], ".npy, .parquet, .jsonl"),
        (["v.bin", "lines.txt", "-o", "taken.npy"], "--overwrite"),
        (["v.bin", "lines.txt", "--pooling", "max"], "--pooling max"),
        (["v.bin", "lines.txt", "--pooling", "sif"], "how often"),
        (["-", "-"], "only one stdin"),
    ],
)
def test_what_cannot_be_embedded(
    w2v: Run, model: str, expected: np.ndarray, tmp_path: Path, arguments: list[str], told: str
) -> None:
    (tmp_path / "latin.txt").write_bytes(b"king\nK\xf6nig\n")
    (tmp_path / "taken.npy").write_bytes(b"")
    before = sorted(tmp_path.iterdir())
    done = w2v("embed", *arguments)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert done.stderr.startswith("w2v embed: ") and told in done.stderr
    assert sorted(tmp_path.iterdir()) == before
    assert w2v("embed", model, "latin.txt", "--encoding-errors", "replace").returncode == 0
