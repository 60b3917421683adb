"""The machine: its processor's name, and its rate of matrix products, which is the yardstick for
the kernels."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.process import how_it_ended, own_environment, run
from w2v.errors import RunError
from w2v.system.cores import available_cores

SCRIPT = Path(__file__).parent / "peers" / "matrix_rate.py"


def machine() -> dict[str, object]:
    """The processor's name and the cores that this process may use."""
    return {"processor": processor(), "cores": available_cores()}


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's name, with family and model where Linux tells them: virtual machines call
    processors of very different speed by one name."""
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        lines = []
    pairs = (line.partition(":") for line in reversed(lines))  # the first processor wins
    fields = {key.strip(): value.strip() for key, _, value in pairs}
    name = fields.get("model name") or platform.processor() or platform.machine()
    if "cpu family" in fields and "model" in fields:
        name += f" (family {fields['cpu family']}, model {fields['model']})"
    return name


def matrix_rates(threads: Sequence[int]) -> dict[int, float]:
    """Floating-point operations per second of `torch.mm`, float32, by number of threads, measured
    now.

    Raises:
        RunError: it cannot be measured.
    """
    done = run([sys.executable, str(SCRIPT), *map(str, threads)], own_environment())
    if done.status:
        raise RunError(f"the rate of matrix products could not be measured ({how_it_ended(done)})")
    return {int(number): rate for number, rate in json.loads(done.output.last_line).items()}
