"""`w2v export` to the formats of other tools, and these formats wherever vectors are read."""

from __future__ import annotations

import json
import subprocess
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyarrow import parquet

import w2v as package
from tests.forks import program
from w2v.cli import export
from w2v.evaluation.sets import default_sets
from w2v.settings.groups import all_settings
from w2v.vectors import FORMATS, KINDS, load_vectors, save_vectors

from .conftest import WORDS, Run, environment

NAMES = ["w.parquet", "w.arrow", "w.feather", "w.safetensors", "w.txt.gz", "w.bin.zst"]
TRAINING = ["--dim", "4", "--epochs", "1", "--min-count", "1", "--quiet", "--sample", "0"]


def test_the_formats_of_the_command_line_are_those_there_are() -> None:
    assert export.FORMATS == KINDS and set(FORMATS.values()) <= set(KINDS)
    told = all_settings()["output"].help.split()
    assert {FORMATS.get(word) for word in told if word.startswith(".")} == set(FORMATS.values())


@pytest.mark.parametrize("name", [*NAMES, "folder"])
def test_every_verb_reads_what_export_writes(
    w2v: Run, model: str, tmp_path: Path, name: str
) -> None:
    more = [] if "." in name else ["--format", "sentence-transformers"]
    done = w2v("export", model, "-o", name, *more)
    assert (done.returncode, done.stdout, done.stderr) == (0, name + "\n", "")
    before, after = load_vectors(tmp_path / model), load_vectors(tmp_path / name)
    assert after.words == before.words and np.array_equal(after.matrix, before.matrix)
    facts = json.loads(w2v("info", name, "--json").stdout)
    assert (facts["vectors"], facts["dim"]) == (len(WORDS), 5)
    assert w2v("nearest", name, "king").stdout == w2v("nearest", model, "king").stdout
    assert w2v("eval", name, "--quiet").stdout == w2v("eval", model, "--quiet").stdout
    done = w2v("export", name, "-o", name, *more)
    assert done.returncode == 2 and "exists already" in done.stderr
    assert w2v("export", name, "-o", name, "--overwrite", "--limit", "3", *more).returncode == 0
    assert load_vectors(tmp_path / name).words == before.words[:3]


@pytest.mark.parametrize("dtype", ["float16", "int8"])
def test_smaller_numbers(w2v: Run, model: str, tmp_path: Path, dtype: str) -> None:
    done = w2v("export", model, "-o", "w.parquet", "--dtype", dtype, "--json")
    assert json.loads(done.stdout)["dtype"] == dtype
    kind = str(parquet.read_schema(tmp_path / "w.parquet").field("vector").type)
    assert {"float16": "halffloat", "int8": "int8"}[dtype] in kind
    before, after = load_vectors(tmp_path / model), load_vectors(tmp_path / "w.parquet")
    assert np.allclose(before.matrix, after.matrix, atol=0.01)


def test_the_projector(w2v: Run, model: str, tmp_path: Path) -> None:
    assert w2v("export", model, "-o", "w", "--format", "projector").returncode == 0
    assert (tmp_path / "w/metadata.tsv").read_text().splitlines() == WORDS
    (tmp_path / "w/notes.txt").write_text("mine")
    done = w2v("export", model, "-o", "w", "--format", "projector", "--overwrite")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1) and "another name" in done.stderr
    assert (tmp_path / "w/notes.txt").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-o", "w.txt", "--dtype", "float16"], "text cannot hold --dtype float16"),
        (["-o", "w.npy", "--dtype", "int8"], "npy cannot hold --dtype int8"),
        (["-o", "w.npy", "--dtype", "double"], "--dtype double is not one of float32"),
        (["-o", "-", "--format", "projector"], "several files"),
        (["-o", "-", "--format", "text", "--dtype", "int8"], "text cannot hold --dtype int8"),
        (["-o", "w.parquet.gz"], ".parquet"),
        (["-o", "w"], "--format"),
    ],
)
def test_what_does_not_fit(
    w2v: Run, model: str, tmp_path: Path, arguments: list[str], said: str
) -> None:
    before = sorted(tmp_path.iterdir())
    done = w2v("export", model, *arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert said in done.stderr and sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("kind", ["parquet", "arrow", "safetensors"])
def test_through_pipes(model: str, tmp_path: Path, kind: str) -> None:
    w2v = program()
    shell: Any = {"shell": True, "cwd": tmp_path, "env": environment(), "capture_output": True}
    command = f"{w2v} export {model} -o - --format {kind} | cat > w && {w2v} info - < w"
    done = subprocess.run(command, text=True, **shell)
    assert f"vectors\t{len(WORDS)}" in done.stdout
    assert load_vectors(tmp_path / "w").words == WORDS
    done = subprocess.run(f"cat w | {w2v} info -", text=True, **shell)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1) and "pipe" in done.stderr


@pytest.mark.parametrize("name", [*NAMES, "W.TXT.BZ2"])
def test_a_run_that_is_only_vectors(w2v: Run, tmp_path: Path, name: str) -> None:
    (tmp_path / "c.txt").write_text("the cat sat on the mat\n" * 5)
    done = w2v("train", "c.txt", "--output", name, *TRAINING)
    assert (done.returncode, done.stdout) == (0, name + "\n")
    vectors = load_vectors(tmp_path / name)
    assert vectors.words[0] == "the" and vectors.dim == 4
    assert (vectors.counts is None) == (".txt" in name.lower() or ".bin" in name)
    assert w2v("train", "c.txt", "--output", name, *TRAINING).returncode == 2


def test_a_run_as_a_folder_for_others(w2v: Run, tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text("The cat sat on the mat\n" * 5)
    assert w2v("train", "c.txt", "--output", "run", "--lowercase", *TRAINING).returncode == 0
    assert w2v("export", "run", "-o", "hub", "--format", "sentence-transformers").returncode == 0
    card = (tmp_path / "hub/README.md").read_text()
    assert "| dim | 4 |" in card and "| corpus | c.txt |" in card and str(tmp_path) not in card
    assert "## Scores" not in card  # no set has its words
    assert package.load(tmp_path / "hub").words == package.load(tmp_path / "run").words


def test_scores_in_the_card(tmp_path: Path) -> None:
    sets = default_sets()
    text = " ".join(
        path.read_text() for path in Path(str(resources.files("w2v.evaluation") / "sets")).iterdir()
    )
    words = sorted(set(text.split()))
    matrix = np.random.default_rng(1).standard_normal((len(words), 8)).astype(np.float32)
    save_vectors(tmp_path / "v.npy", words, matrix)
    load_vectors(tmp_path / "v.npy").save(tmp_path / "hub", "sentence-transformers")
    rows = [
        line
        for line in (tmp_path / "hub/README.md").read_text().splitlines()
        if "| accuracy |" in line or "| Spearman |" in line
    ]
    assert len(rows) == len(sets) and all("…" in line and " of " in line for line in rows)
