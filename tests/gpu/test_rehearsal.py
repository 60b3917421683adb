"""`make gpu` from beginning to end in the interpreter, so that mistakes in it are found without a
GPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import w2v

pytestmark = pytest.mark.triton
ROOT = Path(w2v.__file__).parents[1]


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(ROOT), *sys.path[1:]])
    return subprocess.run(
        [sys.executable, str(ROOT / "tests" / "bench" / "run.py"), *arguments],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        encoding="utf-8",
        timeout=900,
    )


def test_everything_is_measured(tmp_path: Path) -> None:
    output = tmp_path / "gpu.json"
    done = bench("gpu", "--rehearse", "--output", str(output))
    assert done.returncode == 0, done.stderr
    results = json.loads(output.read_text())
    assert results["rehearsal"] and results["tests"]["passed"] and not results["tests"]["failed"]
    assert {"torch", "triton"} <= {name for name, value in results["versions"].items() if value}
    for figure in results["figures"]:
        assert figure["value"] > 0 and figure["unit"], figure
    names = {figure["name"].partition(":")[0] for figure in results["figures"]}
    assert names == {"rows", "kernel", "an epoch", "five epochs", "layer", "language model"}
    assert results["bound"]["reached"] > 0
    table = bench("gpu-table", str(output)).stdout
    assert table.count("\n") > 8 and "words/s" in table and "tokens/s" in table
