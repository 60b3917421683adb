"""A second process finds the kernel compiled, and the kernel is right on a CPU that has AVX2 only.
Both need processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from w2v.losses.table import LOSSES

SCRIPT = """
import json, sys
import numpy as np
from tests.kernels.engines import make_engine, random_text
from w2v.training.schedule import Block
ids, counts = random_text(600, vocabulary=12, line=15)
result = {}
for run in sys.argv[1:]:
    model, loss = run.split()
    engine = make_engine(ids, counts, dim=20, sample=0.05, loss=loss, model=model)
    tally = engine.train(Block(0, 0, 0, len(ids), 0.0), 0.05, 0)
    stats = engine._kernel.stats
    result[run] = {
        "hits": sum(stats.cache_hits.values()), "misses": sum(stats.cache_misses.values()),
        "loss": tally.loss, "vectors": engine.vectors.astype(float).tolist(),
    }
print(json.dumps(result))
"""
FUSED = [name for name, entry in LOSSES.items() if entry.fused]
RUNS = [f"{model} {loss}" for model in ("skip-gram", "cbow") for loss in FUSED]


def train_in_a_process(*runs: str, **environment: str) -> dict[str, dict]:
    """Result of SCRIPT by "model loss"."""
    root = Path(__file__).parents[2]
    env = {**os.environ, "PYTHONPATH": str(root), **environment}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *runs],
        env=env,
        capture_output=True,
        text=True,
        check=True,
        cwd=root,
    )
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def here() -> dict[str, dict]:
    """With kernels that other tests have compiled, or will find compiled."""
    assert len(RUNS) == 10
    return train_in_a_process(*RUNS)


def test_the_second_process_compiles_nothing(here: dict[str, dict], tmp_path: Path) -> None:
    second = train_in_a_process(*RUNS)
    for run in RUNS:
        assert here[run]["hits"] + here[run]["misses"] == 1
        assert (second[run]["hits"], second[run]["misses"]) == (1, 0)
        assert here[run]["vectors"] == second[run]["vectors"]
    first = train_in_a_process(RUNS[0], NUMBA_CACHE_DIR=str(tmp_path))[RUNS[0]]
    assert (first["hits"], first["misses"]) == (0, 1)
    assert first["vectors"] == second[RUNS[0]]["vectors"]


def test_right_with_avx2_only(here: dict[str, dict], tmp_path: Path) -> None:
    runs = "skip-gram neg", "skip-gram sampled-softmax", "cbow hsigmoid"
    haswell = train_in_a_process(*runs, NUMBA_CPU_NAME="haswell", NUMBA_CACHE_DIR=str(tmp_path))
    for run in runs:
        np.testing.assert_allclose(
            haswell[run]["vectors"], here[run]["vectors"], rtol=1e-5, atol=1e-6
        )
        np.testing.assert_allclose(haswell[run]["loss"], here[run]["loss"], rtol=1e-6)
