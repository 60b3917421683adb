"""Several commands, one after the other, in one process of its own: what an import takes, or its
lack says, is not to be had in a fork."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROGRAM = """
import io, json, sys
commands = json.loads(sys.argv[1])
from w2v.cli.app import main
told = sys.stdout
for command in commands:
    sys.stdin = io.TextIOWrapper(io.BytesIO(b"w1 w2\\n"))
    sys.stdout, sys.stderr = (io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(2))
    status, said = main(command), []
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        said.append(stream.buffer.getvalue().decode())
    print(json.dumps([status, *said]), file=told, flush=True)
"""


def several(
    before: str, commands: Sequence[Sequence[str]], folder: Path
) -> list[subprocess.CompletedProcess[str]]:
    """What becomes of each of the commands, in a process that runs a program `before`."""
    done = subprocess.run(
        [sys.executable, "-c", f"{before}\n{PROGRAM}", json.dumps(list(map(list, commands)))],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "W2V_CACHE_DIR": str(folder / "cache")},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    pairs = zip(commands, found, strict=True)
    return [subprocess.CompletedProcess(each, *end) for each, end in pairs]
