"""Runs `w2v` as a process of its own and measures its peak of memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import w2v

# The peak comes from the process itself: what wait4 tells of a child includes the parent's memory
# at its fork.
PROGRAM = """
import re, sys
from w2v.cli.app import main
status = main(sys.argv[2:])
with open("/proc/self/status") as facts, open(sys.argv[1], "w") as file:
    file.write(re.search(r"VmHWM:\\s*(\\d+) kB", facts.read())[1])
sys.exit(status)
"""


def measured(folder: Path, *arguments: str, **environment: str) -> tuple[dict[str, Any], int]:
    """What the command, run in the folder, prints with --json, and its peak of resident memory in
    bytes (mapped files included). Fails if it does."""
    out, peak = folder / "out.json", folder / "peak"
    paths = {"PYTHONPATH": str(Path(w2v.__file__).parents[1]), "TMPDIR": str(folder)}
    with open(out, "wb") as file:
        subprocess.run(
            [sys.executable, "-c", PROGRAM, str(peak), *arguments, "--json"],
            cwd=folder,
            env={**os.environ, **paths, **environment},
            stdout=file,
            check=True,
        )
    return json.loads(out.read_text()), int(peak.read_text()) * 1024
