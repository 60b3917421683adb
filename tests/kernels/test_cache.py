"""A second process finds the kernel compiled, and the kernel is right on a CPU that has AVX2 only. Both need
processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import json, sys
import numpy as np
from tests.kernels.test_block import make_engine, random_text
from w2v.training.schedule import Block
ids, counts = random_text(600, vocabulary=12, line=15)
result = {}
for loss in sys.argv[1:]:
    engine = make_engine(ids, counts, dim=20, sample=0.05, loss=loss)
    tally = engine.train(Block(0, 0, 0, len(ids), 0.0), 0.05, 0)
    stats = engine._kernel.stats
    result[loss] = {
        "hits": sum(stats.cache_hits.values()), "misses": sum(stats.cache_misses.values()),
        "loss": tally.loss, "vectors": engine.vectors.astype(float).tolist(),
    }
print(json.dumps(result))
"""


def train_in_a_process(cache: Path, *losses: str, **environment: str) -> dict[str, dict]:
    """Result of SCRIPT by loss, with Numba's cache in `cache`."""
    root = Path(__file__).parents[2]
    env = {**os.environ, "NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(root), **environment}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *losses], env=env, capture_output=True, text=True, check=True, cwd=root
    )
    return json.loads(done.stdout)


def test_the_second_process_compiles_nothing(tmp_path: Path) -> None:
    first = train_in_a_process(tmp_path, "neg", "hsigmoid")
    second = train_in_a_process(tmp_path, "neg", "hsigmoid")
    for loss in ("neg", "hsigmoid"):
        assert (first[loss]["hits"], first[loss]["misses"]) == (0, 1)
        assert (second[loss]["hits"], second[loss]["misses"]) == (1, 0)
        assert first[loss]["vectors"] == second[loss]["vectors"]


def test_right_with_avx2_only(tmp_path: Path) -> None:
    import numpy as np

    here = train_in_a_process(tmp_path, "neg", "hsigmoid")
    haswell = train_in_a_process(tmp_path, "neg", "hsigmoid", NUMBA_CPU_NAME="haswell")
    for loss in ("neg", "hsigmoid"):
        np.testing.assert_allclose(haswell[loss]["vectors"], here[loss]["vectors"], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(haswell[loss]["loss"], here[loss]["loss"], rtol=1e-6)
