"""The kernels compiled for GPUs that need not be present: their registers and shared memory allow
several programs per multiprocessor, nothing is spilled, and rows are changed by reductions that
return no value."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import w2v

from .compiled import SETTINGS

pytestmark = pytest.mark.triton
MOST_REGISTERS = 128  # of a thread: 16 warps share a multiprocessor's 65,536
MOST_SHARED = 48 << 10  # bytes that a program has without asking for more
# long rows ask for more (an A100 has 163 KiB, an H100 227)
SHARED = {"neg-300-skip-gram": 96 << 10}


def compiled(capability: int, precision: str, *names: str) -> list[dict[str, Any]]:
    """Returns the output of `compiled.py` from a process in which Triton does not interpret."""
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    root = str(Path(w2v.__file__).parents[1])
    environment["PYTHONPATH"] = os.pathsep.join([root, *sys.path[1:]])
    command = [sys.executable, "-m", "tests.gpu.compiled", str(capability), precision, *names]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def check_instructions(found: dict[str, Any]) -> None:
    assert found["spilled"] == 0, found
    assert found["registers"] <= MOST_REGISTERS, found
    assert found["returning"] == {}, found


def check(capability: int, found: dict[str, Any]) -> None:
    check_instructions(found)
    assert found["shared"] <= SHARED.get(found["variant"], MOST_SHARED), found
    # four floats at a time, which GPUs before Hopper cannot
    rows = "ADD.F32x4" if capability >= 90 else "ADD.F32"
    assert any(name.startswith(rows) for name in found["reductions"]), found


@pytest.mark.parametrize(
    ("capability", "names"),
    [
        (
            90,
            [
                "neg-skip-gram",
                "neg skip-gram dim=50 window=10 negatives=64",
                "sampled-softmax cbow dim=100 window=20 negatives=15",
            ],
        ),
        (80, ["hsigmoid+neg skip-gram dim=100 window=5 negatives=15"]),
    ],
    ids=["sm_90", "sm_80"],
)
def test_no_spills_and_reductions_only(capability: int, names: list[str]) -> None:
    found = compiled(capability, "tf32", *names)
    assert [each["variant"] for each in found] == names
    for each in found:
        check(capability, each)


@pytest.mark.soak
@pytest.mark.parametrize("capability", [80, 90])
def test_every_kernel(capability: int) -> None:
    found = compiled(capability, "tf32")
    assert [each["variant"] for each in found] == list(SETTINGS)
    for each in found:
        check(capability, each)


@pytest.mark.soak
@pytest.mark.parametrize("capability", [80, 90])
def test_no_shape_whose_context_rows_fit_spills(capability: int) -> None:
    found = compiled(capability, "tf32", "--sweep")
    assert len(found) > 300
    for each in found:
        check_instructions(each)
