"""configs/pipeline.sh, as somebody would run it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

import w2v as package
from tests.forks import program

from .conftest import environment

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
def test_pipeline(tmp_path: Path) -> None:
    path = {"PATH": f"{program().parent}{os.pathsep}{os.environ['PATH']}"}
    command = ["sh", str(ROOT / "configs" / "pipeline.sh"), str(ROOT / "data" / "demo.txt.xz")]

    def run(*options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, "out", *options],
            cwd=tmp_path,
            env=environment(path),
            capture_output=True,
            text=True,
            timeout=300,
        )

    done = run("--epochs", "1", "--dim", "32")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    phrases = (tmp_path / "out" / "phrases.tsv").read_text().splitlines()
    assert lines[0] == f"{len(phrases)} phrases in out/phrases.tsv"
    scores = dict(line.split("\t") for line in lines[1:3])
    assert list(scores) == ["demo-analogies", "demo-similarity"]
    assert all(0 <= float(score) <= 1 for score in scores.values())
    vectors = package.load(tmp_path / "out" / "run")
    for line in lines[3:8]:
        phrase, *near = line.split("\t")
        assert "_" in phrase and near == [word for word, _ in vectors.nearest(phrase, k=3)]
    assert lines[8:] == ["out/vectors.parquet", "1000 words in out/map.html"]
    assert "</html>" in (tmp_path / "out" / "map.html").read_text()[-100:]
    assert package.load(tmp_path / "out" / "vectors.parquet").words == vectors.words
    assert json.loads((tmp_path / "out" / "map.json").read_text())["words"] == 1000
    # the first verb that fails ends it
    done = run()
    assert done.returncode == 2 and "out/phrases.tsv exists already" in done.stderr
