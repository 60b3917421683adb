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
    engine = make_engine(ids, counts, dim=12, sample=0.05, loss=loss, model=model)
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


@pytest.fixture(scope="module")
def avx2_only(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, dict]]:
    """What two processes find, one after the other, where nothing was compiled before, on a CPU
    that has no AVX-512."""
    runs = "skip-gram neg", "skip-gram sampled-softmax", "cbow hsigmoid"
    there = {"NUMBA_CPU_NAME": "haswell", "NUMBA_CACHE_DIR": str(tmp_path_factory.mktemp("cache"))}
    return [train_in_a_process(*runs, **there) for _ in range(2)]


def counted(found: dict[str, dict]) -> set[tuple[int, int]]:
    return {(run["hits"], run["misses"]) for run in found.values()}


def test_the_second_process_compiles_nothing_and_avx2_is_enough(
    here: dict[str, dict], avx2_only: list[dict[str, dict]]
) -> None:
    second = train_in_a_process(*RUNS)
    assert all(hits + misses == 1 for hits, misses in counted(here))
    assert counted(second) == {(1, 0)}
    assert [counted(found) for found in avx2_only] == [{(0, 1)}, {(1, 0)}]
    for one, other in ((here, second), avx2_only):
        assert all(one[run]["vectors"] == other[run]["vectors"] for run in one)
    for run, found in avx2_only[0].items():
        np.testing.assert_allclose(found["vectors"], here[run]["vectors"], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(found["loss"], here[run]["loss"], rtol=1e-6)
