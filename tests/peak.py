"""Runs `w2v` as a process and measures by how much its resident memory grows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.forks import forked

# The peak comes from the process itself, beyond what it takes with all its modules. Freed blocks
# are given back at once (mallopt's M_MMAP_THRESHOLD): what glibc keeps of them differs by 60 MB
# between two runs of the same command.
PROGRAM = """
import ctypes, re, sys
mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
if mallopt is not None:
    mallopt(-3, 1 << 18)
from w2v.cli.app import main
def memory(name):
    with open("/proc/self/status") as facts:
        return int(re.search(name + r":\\s*(\\d+) kB", facts.read())[1])
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")  # the peak is that of now
before = memory("VmRSS")
status = main(sys.argv[2:])
with open(sys.argv[1], "w") as file:
    file.write(str(memory("VmHWM") - before))
sys.exit(status)
"""


def measured(folder: Path, *arguments: str, **environment: str) -> tuple[dict[str, Any], int]:
    """What the command, run in the folder, prints with --json, and its peak of resident memory in
    bytes, without what modules take (mapped files included). Fails if it does."""
    out, peak = folder / "out.json", folder / "peak"
    where: Any = {"folder": folder, "changes": {"TMPDIR": str(folder), **environment}}
    given = (str(peak), *arguments, "--json")
    with open(out, "wb") as file:
        streams = (None, file.fileno(), None)
        with forked(*given, code=PROGRAM, streams=streams, **where) as process:
            _, told = process.communicate()
    assert process.returncode == 0, told
    return json.loads(out.read_text()), int(peak.read_text()) * 1024
