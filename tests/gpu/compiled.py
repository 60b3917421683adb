"""What the kernels become on a GPU, found without one: Triton compiles the launches that the
product makes, for a GPU that is named, and never loads them.

    python -m tests.gpu.compiled 90 tf32 neg-skip-gram hsigmoid-cbow

prints a line of JSON with registers, spilled bytes, shared memory, barriers and reductions of each.
A name can also be one of `sweep`, as "nce cbow dim=300 window=5 negatives=25", and --sweep stands
for all of these: every shape that is accepted, half an hour. Not in a process that interprets.
"""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

# The machine code's: in PTX, Triton 3.7 writes atom. for what the assembler makes a reduction.
REDUCTION = re.compile(r"\bREDG?\.E\.([\w.]+)")
RETURNING = re.compile(r"\bATOMG?\.E\.([\w.]+)")
SETTINGS = {
    f"{name}-{model}": {"model": model, "loss": loss, **more}
    for model in ("skip-gram", "cbow")
    for name, loss, more in (
        ("neg", "neg", {}),
        ("nce", "nce", {}),
        ("nce-learned", "nce", {"nce_bias": "true", "nce_log_z": "learned"}),
        ("sampled-softmax", "sampled-softmax", {}),
        ("hsigmoid", "hsigmoid", {}),
        ("hsigmoid+neg", "hsigmoid+neg", {}),
        ("neg-25", "neg", {"negatives": "25"}),
        ("neg-300", "neg", {"dim": "300"}),
        ("neg-window-10", "neg", {"window": "10"}),
    )
}


LOSSES = {
    "neg": {},
    "nce": {},
    "nce-learned": SETTINGS["nce-learned-cbow"],
    "sampled-softmax": {},
    "sampled-softmax-bias": {"loss": "sampled-softmax", "softmax_bias": "true"},
    "hsigmoid": {},
    "hsigmoid+neg": {},
}
# Of dims 50 to 1000 and windows 2 to 20, one of those that become the same tiles, longest rings
# first; noise words that take one tile, two, and several
ROWS = [(512, 5), (300, 5), (200, 10), (128, 20), (100, 20), (50, 20)]
ROWS += [(200, 5), (128, 10), (100, 10), (50, 10), (128, 5), (100, 5), (50, 5)]
NEGATIVES = [15, 25, 64]


def sweep() -> Iterator[str]:
    """Yields the names of kernels of all shapes whose context rows fit into registers."""
    from w2v.kernels.gpu.shape import MOST_WARPS, variant_of, warps_needed
    from w2v.settings.build import build_config

    for (dim, window), loss in itertools.product(ROWS, LOSSES):
        for model in ("skip-gram", "cbow"):
            for negatives in NEGATIVES if loss != "hsigmoid" else [None]:
                name = f"{loss} {model} dim={dim} window={window}"
                name += "" if negatives is None else f" negatives={negatives}"
                config = build_config({"corpus": ("x",), **settings_of(name)})
                if warps_needed(variant_of(config)) <= MOST_WARPS:
                    yield name


def settings_of(name: str) -> dict[str, str]:
    """Returns the settings that the name of a kernel stands for."""
    if name in SETTINGS:
        return SETTINGS[name]
    loss, model, *more = name.split()
    return {"loss": loss, **LOSSES[loss], "model": model, **dict(each.split("=") for each in more)}


class NamedGpu:
    """A Triton driver for a GPU that is not there: it knows only its compute capability."""

    def __init__(self, capability: int) -> None:
        self.capability = capability

    def get_current_target(self) -> Any:
        from triton.backends.compiler import GPUTarget

        return GPUTarget("cuda", self.capability, 32)

    def get_current_device(self) -> int:
        return 0

    def get_current_stream(self, device: int) -> int:
        return 0


def kernel_of(
    settings: dict[str, str], precision: str, warps: int | None = None, lr: float = 0.025
) -> Any:
    """Returns the compiled kernel that a launch with these settings would run."""
    from tests.gpu import definition
    from w2v.kernels.gpu import launch
    from w2v.kernels.gpu.shape import warps_of

    found: list[Any] = []

    class Compiler:
        """Takes the place of the kernel: compiles it instead of running it."""

        def __getitem__(self, grid: Any) -> Any:
            def run(*arguments: Any, **options: Any) -> None:
                found.append(kernel.warmup(*arguments, grid=grid, **options))

            return run

    def default_tuning(variant: Any, device: Any) -> launch.Tuning:
        return launch.Tuning(warps or warps_of(variant), precision)

    case = definition.make_case(np.arange(10, dtype=np.int32), np.arange(10, 0, -1), **settings)
    kernel = launch.train_runs
    with mock.patch.multiple(launch, train_runs=Compiler(), default_tuning=default_tuning):
        definition.launch(case, lr)
    return found[0]


def figures(kernel: Any) -> dict[str, Any]:
    """Returns the registers, spilled bytes, shared memory and instructions of a compiled kernel."""
    import triton
    from triton import knobs

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kernel.cubin"
        path.write_bytes(kernel.asm["cubin"])

        def read(*command: str) -> str:
            done = subprocess.run([*command, str(path)], capture_output=True, text=True, check=True)
            return done.stdout

        usage = read(knobs.nvidia.cuobjdump.path, "--dump-resource-usage")
        code = read(knobs.nvidia.nvdisasm.path)
    used = {name: int(value) for name, value in re.findall(r"(REG|STACK|LOCAL):(\d+)", usage)}
    return {
        "triton": triton.__version__,
        "warps": kernel.metadata.num_warps,
        "registers": used["REG"],
        "spilled": used["STACK"] + used["LOCAL"],
        "shared": kernel.metadata.shared,
        "barriers": kernel.asm["ptx"].count("bar.sync"),
        "reductions": Counter(REDUCTION.findall(code)),
        "returning": Counter(RETURNING.findall(code)),
    }


def main(capability: str, precision: str, *names: str) -> None:
    import triton

    triton.runtime.driver.set_active(NamedGpu(int(capability)))
    for name in sweep() if names == ("--sweep",) else names or SETTINGS:
        name, _, warps = name.partition("/")
        kernel = kernel_of(settings_of(name), precision, int(warps) if warps else None)
        print(json.dumps({"variant": name, **figures(kernel)}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
