"""Files of a run directory that another run wrote, or that were changed: told in one line, and used
as they are, since they may have been changed on purpose."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import w2v
from tests.forks import run
from w2v.vectors import load_vectors

LINES = [f"{i % 7} {i % 5} {(i * i) % 6}" for i in range(300)]
SMALL: dict[str, Any] = {"dim": 8, "min_count": 1, "epochs": 1, "threads": 1, "progress": False}
LM: dict[str, Any] = {"model": "lm", "arch": "lbl", "loss": "softmax", "context": 2}


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of equal shape for each story."""
    folder = tmp_path_factory.mktemp("runs")
    for seed in (1, 2):
        w2v.train(LINES, **SMALL, seed=seed, output=folder / f"v{seed}")
        lines = [line.replace("6", "x") for line in LINES] if seed == 2 else LINES
        w2v.train(lines, **SMALL, **LM, seed=seed, output=folder / f"m{seed}")
    return folder


@pytest.fixture
def runs(two: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(two, tmp_path / "runs"))


def said(path: Path) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        w2v.load(path)
    return [str(warning.message) for warning in caught]


def test_a_run_as_it_was_written_says_nothing(runs: Path) -> None:
    for name in ("v1", "v2", "m1", "m2"):
        assert said(runs / name) == []
        # as summary.json was before: nothing is known, and nothing said
        summary = json.loads((runs / name / "summary.json").read_text())
        assert set(summary.pop("fingerprints")) >= {"config.yaml", "vocab.tsv", "vectors.npy"}
        (runs / name / "summary.json").write_text(json.dumps(summary))
        np.save(runs / name / "vectors.npy", np.zeros_like(np.load(runs / name / "vectors.npy")))
        assert said(runs / name) == []


@pytest.mark.parametrize("story", ["v", "m"])
@pytest.mark.parametrize(
    "names",
    [["vectors.npy"], ["vocab.tsv"], ["config.yaml"], ["summary.json"], ["model.safetensors"]],
)
def test_a_file_of_another_run_is_told_and_used(runs: Path, story: str, names: list[str]) -> None:
    if names == ["model.safetensors"] and story == "v":
        return
    ours, theirs = runs / f"{story}1", runs / f"{story}2"
    for name in names:
        shutil.copyfile(theirs / name, ours / name)
    different = ours.name == "m1" or names != ["vocab.tsv"]  # the words of v1 and v2 are the same
    (sentence,) = said(ours) if different else ("vocab.tsv",)
    assert (names[0] in sentence or names == ["summary.json"]) and "\n" not in sentence
    if names == ["vectors.npy"] and story == "v":
        assert (load_vectors(ours).matrix == np.load(theirs / "vectors.npy")).all()


def test_what_users_change_on_purpose_is_one_line(runs: Path, tmp_path: Path) -> None:
    vectors = np.load(runs / "v1" / "vectors.npy")
    np.save(runs / "v1" / "vectors.npy", vectors - vectors.mean(0))
    done = run("similarity", "runs/v1", "1", "2", folder=tmp_path)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 0 and line.startswith("warning: runs/v1: vectors.npy is not as")
    done = run("info", "runs/v1", "--json", folder=tmp_path)
    assert "fingerprints" not in json.loads(done.stdout)["summary"]
    # where the text is, comments and what may change in a resumed run
    config = runs / "v2" / "config.yaml"
    config.write_text(f"# mine\n{config.read_text()}".replace("epochs: 1", "epochs: 3"))
    assert said(runs / "v2") == []
    config.write_text(config.read_text().replace("lowercase: false", "lowercase: true"))
    assert "config.yaml" in said(runs / "v2")[0]


def test_odd_fingerprints_are_passed_over(runs: Path) -> None:
    path = runs / "v1" / "summary.json"
    for odd in (7, [], {"../x": "y", "vectors.npy": None}, {"vectors.npy": {"a": 1}}):
        path.write_text(json.dumps({"fingerprints": odd}))
        assert len(said(runs / "v1")) == ("vectors.npy" in str(odd))
    (runs / "v1" / "config.yaml").unlink()
    path.write_text("{")
    assert said(runs / "v1") == []


def test_a_run_that_went_on_has_the_fingerprints_of_its_new_files(tmp_path: Path) -> None:
    first = w2v.train(LINES, **SMALL, output=tmp_path / "run", checkpoint_every="5m")
    again = w2v.train(LINES, resume=tmp_path / "run", epochs=2, progress=False)
    assert said(tmp_path / "run") == []
    assert first.summary["fingerprints"] != again.summary["fingerprints"]
