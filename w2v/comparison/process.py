"""One verb of w2v as a process of its own, so that its memory is its own and its failure is only
its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import IO

POLL_SECONDS = 0.05
MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024  # the unit of ru_maxrss


@dataclass(frozen=True)
class Finished:
    """What a process left behind: exit code (negative: the signal that killed it), stdout, the last
    line of its stderr, and the most memory it had resident at a time, in bytes."""

    status: int
    output: str
    last_words: str
    peak_memory: int

    @property
    def problem(self) -> str:
        """Why it failed, in one phrase."""
        if self.status < 0:
            name = signal.Signals(-self.status).name
            return f"killed by {name}" + (
                ", perhaps for want of memory" if name == "SIGKILL" else ""
            )
        return self.last_words or f"exit code {self.status}"


def run_verb(
    arguments: Sequence[str],
    heard: Callable[[str], None],
    stopped: Callable[[], int | None] = lambda: None,
) -> Finished:
    """Runs `w2v ARGUMENTS` to its end.

    Args:
        heard: gets every line of its stderr.
        stopped: the number of the signal by which it is to end softly, None as long as it may go
            on.
    """
    # A session of its own: Ctrl-C in the terminal reaches this process only, which passes it on
    # once.
    process = subprocess.Popen(
        [sys.executable, "-m", "w2v", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout and process.stderr
    output: list[bytes] = []
    lines: list[str] = []
    readers = [
        threading.Thread(target=_read_all, args=(process.stdout, output), daemon=True),
        threading.Thread(target=_read_lines, args=(process.stderr, lines, heard), daemon=True),
    ]
    for reader in readers:
        reader.start()
    told = False
    waiter = threading.Event()
    try:
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            if not told and (number := stopped()) is not None:
                os.kill(process.pid, number)
                told = True
            waiter.wait(POLL_SECONDS)
    except BaseException:
        process.kill()
        process.wait()
        raise
    process.returncode = os.waitstatus_to_exitcode(status)
    for reader in readers:
        reader.join()
    process.stdout.close()
    process.stderr.close()
    last = next((line for line in reversed(lines) if line.strip()), "")
    return Finished(
        process.returncode,
        b"".join(output).decode("utf-8", "replace"),
        last.removeprefix(f"w2v {arguments[0]}: "),
        usage.ru_maxrss * MAXRSS_BYTES,
    )


def _read_all(stream: IO[bytes], into: list[bytes]) -> None:
    into.append(stream.read())


def _read_lines(stream: IO[bytes], into: list[str], heard: Callable[[str], None]) -> None:
    for raw in stream:
        line = raw.decode("utf-8", "replace").rstrip()
        into.append(line)
        heard(line)
