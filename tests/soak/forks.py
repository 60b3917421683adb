"""Runs `w2v` in forks of one process that has imported everything: a run starts in milliseconds,
and can be killed.

As a script it reads one JSON object a line, {"arguments": […], "folder": …, "kill_after": seconds
or null}, and answers with {"status": exit code, -9 when killed, "seconds": …, "out": …, "err": …}.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Any


class Forks:
    """The process that forks; a context manager."""

    def __init__(self) -> None:
        import w2v

        environment = {
            **os.environ,
            "PYTHONPATH": str(Path(w2v.__file__).parents[1]),
            "OMP_NUM_THREADS": "1",
        }
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def __enter__(self) -> Forks:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(timeout=60)

    def w2v(self, folder: Path, *arguments: str, kill_after: float | None = None) -> dict[str, Any]:
        """Runs `w2v` with these arguments in a folder, killed after so many seconds if it has not
        ended by then."""
        assert self._process.stdin and self._process.stdout
        task = {"arguments": arguments, "folder": str(folder), "kill_after": kill_after}
        self._process.stdin.write(json.dumps(task) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


def serve() -> None:
    # what the verbs import when they need it, the forks have already
    for name in ("corpus.read", "run", "words.autograd", "words.fused", "lm.engine"):
        importlib.import_module(f"w2v.{name}")
    from w2v.cli.app import main

    for line in sys.stdin:
        task = json.loads(line)
        names = [os.path.join(task["folder"], f".{name}") for name in ("out", "err")]
        began = time.perf_counter()
        child = os.fork()
        if not child:
            status = 70
            try:
                os.chdir(task["folder"])
                sys.stdin = open(os.devnull)  # noqa: SIM115  the one at hand is read already
                for descriptor, name in zip((1, 2), names, strict=True):
                    os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
                status = main(task["arguments"])
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(status)
        status = _wait(child, began, task["kill_after"])
        texts = [Path(name).read_text() if os.path.exists(name) else "" for name in names]
        for name in names:
            Path(name).unlink(missing_ok=True)
        answer = {
            "status": status,
            "seconds": time.perf_counter() - began,
            "out": texts[0],
            "err": texts[1],
        }
        print(json.dumps(answer), flush=True)


def _wait(child: int, began: float, kill_after: float | None) -> int:
    while True:
        done, status = os.waitpid(child, 0 if kill_after is None else os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if kill_after is not None and time.perf_counter() - began >= kill_after:
            os.kill(child, signal.SIGKILL)
            kill_after = None
        time.sleep(0.0005)


if __name__ == "__main__":
    serve()
