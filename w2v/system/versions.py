"""The processor and the versions of libraries, on which the exact bytes of a result depend."""

from __future__ import annotations

import platform
import sys
from contextlib import suppress
from pathlib import Path

LIBRARIES = ("numpy", "numba", "torch", "triton")


def made_with() -> dict[str, str]:
    """Returns the name of the processor, and the versions of the LIBRARIES that are loaded."""
    processor = platform.processor() or platform.machine()
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                processor = value.strip()
                break
    loaded = {name: getattr(sys.modules.get(name), "__version__", None) for name in LIBRARIES}
    versions = {name: str(version) for name, version in loaded.items() if version}
    return {"processor": processor, **versions}
