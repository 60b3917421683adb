"""The kernels as machine code for GPUs that need not be there: registers and shared memory such
that several programs are resident, nothing spilled, and changes added by reductions that nobody
waits for."""

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
MOST_REGISTERS = 168  # of a thread: 3 programs of 4 warps share a multiprocessor's 65,536
MOST_SHARED = 48 << 10  # bytes that a program has without asking for more
# Long rows ask for more (an A100 has 163 KiB, an H100 227), and large tiles spill a little.
SHARED = {"neg-300-skip-gram": 96 << 10}
SPILLED = {"neg-25-skip-gram": 128}
OTHER_SPILLED = 160  # by another Triton than the pinned one


def compiled(capability: int, precision: str, *names: str) -> list[dict[str, Any]]:
    """What `compiled.py` finds, in a process that does not interpret."""
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    root = str(Path(w2v.__file__).parents[1])
    environment["PYTHONPATH"] = os.pathsep.join([root, *sys.path[1:]])
    command = [sys.executable, "-m", "tests.gpu.compiled", str(capability), precision, *names]
    done = subprocess.run(
        command, cwd=root, env=environment, capture_output=True, text=True, timeout=1800
    )
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def check(capability: int, found: dict[str, Any]) -> None:
    spilled = SPILLED.get(found["variant"], 0)
    if not found["triton"].startswith("3.7."):
        spilled = OTHER_SPILLED
    assert found["spilled"] <= spilled, found
    assert found["registers"] <= MOST_REGISTERS, found
    assert found["shared"] <= SHARED.get(found["variant"], MOST_SHARED), found
    assert found["returning"] == {}, found
    # four floats at a time, which GPUs before Hopper cannot
    rows = "ADD.F32x4" if capability >= 90 else "ADD.F32"
    assert any(name.startswith(rows) for name in found["reductions"]), found


@pytest.mark.parametrize(
    ("capability", "name"), [(90, "neg-skip-gram"), (80, "hsigmoid-cbow")], ids=str
)
def test_no_spills_and_reductions_only(capability: int, name: str) -> None:
    (found,) = compiled(capability, "tf32", name)
    check(capability, found)


@pytest.mark.soak
@pytest.mark.parametrize("capability", [80, 90])
def test_every_kernel(capability: int) -> None:
    found = compiled(capability, "tf32")
    assert [each["variant"] for each in found] == list(SETTINGS)
    for each in found:
        check(capability, each)
