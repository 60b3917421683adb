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
    """The processor's name."""
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


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
