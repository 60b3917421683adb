"""A process that stays, answers requests, and is stopped (SIGSTOP) while it has none.

Stopped, because the threads of an idle library spin for a while and would take cores from the one
that is measured.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from w2v.errors import RunError


class Worker:
    """A program that answers JSON lines with JSON lines. A context manager: the program ends with
    the block."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the block
        # A process group of its own keeps Ctrl-C away from it; in the same session, so that the
        # system wakes it up and ends it should this process die while it is stopped.
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, **environment},
            preexec_fn=os.setpgrp,
        )

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            try:
                pipe.close()
            except BrokenPipeError:
                pass
        self._process.wait()
        self._errors.close()

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to one request.

        Raises:
            RunError: the program has ended, or answers that it failed.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        self._process.send_signal(signal.SIGCONT)
        try:
            stdin.write(json.dumps(request).encode() + b"\n")
            stdin.flush()
        except BrokenPipeError:
            raise RunError(self._last_words()) from None
        line = stdout.readline()
        if not line:
            raise RunError(self._last_words())
        self._process.send_signal(signal.SIGSTOP)
        reply: dict[str, Any] = json.loads(line)
        if "error" in reply:
            raise RunError(reply["error"])
        return reply

    def _last_words(self) -> str:
        self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().decode("utf-8", "replace").split("\n")
        said = next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
        return f"it ended with status {self._process.returncode}: {said}"
