"""Kernels that no measurement uses compile too. (The interpreter accepts types that the compiler
refuses.)"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import w2v

pytestmark = pytest.mark.triton
SCRIPT = """
import triton
from tests.gpu.compiled import NamedGpu, kernel_of

triton.runtime.driver.set_active(NamedGpu(90))
several = {"negatives": "20", "dim": "200"}  # tiles of noise words
learned = {"loss": "nce", "nce_log_z": "learned", "nce_bias": "true"}
for settings in (
    {**several, "loss": "sampled-softmax", "softmax_bias": "true"},
    {**several, **learned, "model": "cbow", "cbow_grad": "mean"},
    {**several, "loss": "hsigmoid+neg", "model": "cbow", "cbow_hidden": "sum"},
    {"dim": "1", "negatives": "1", "window": "1", "loss": "hsigmoid+neg"},
):
    for lr in (0.025, 0.0):
        code = kernel_of(settings, "tf32", lr=lr).asm["ptx"]
        assert ("add.v4.f32" in code) == (lr > 0)
"""


def test_tiles_and_measuring() -> None:
    """With a learning rate of 0 no row is written."""
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    root = str(Path(w2v.__file__).parents[1])
    environment["PYTHONPATH"] = os.pathsep.join([root, *sys.path[1:]])
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
