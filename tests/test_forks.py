"""The processes that the tests fork."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys

from tests.forks import ROOT

# What pytest does, with a process that forks which imports nothing, and prints the id of a fork.
TESTS = """
import os, socket, sys, time
from pathlib import Path
from tests import forks

ours, theirs = socket.socketpair()
if not os.fork():
    ours.close()
    forks.IMPORTED, forks.warm_up = (), lambda: None
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("")  # any free name
        listener.listen()
        forks.serve(theirs, listener)
    os._exit(0)
theirs.close()
forks._server = lambda: (ours, "")
fork = forks.Fork(folder=Path(), code="import time; print('ready', flush=True); time.sleep(600)")
assert fork.stdout.readline() == "ready\\n"
print(fork.pid, flush=True)
time.sleep(600)
"""


def test_forks_end_with_the_tests_even_if_these_are_killed() -> None:
    command = [sys.executable, "-c", TESTS]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as tests:
        assert tests.stdout is not None
        fork = os.pidfd_open(int(tests.stdout.readline()))
        try:
            assert select.select([fork], [], [], 0.1)[0] == []
            tests.kill()
            assert select.select([fork], [], [], 60)[0] == [fork]
        finally:
            tests.kill()
            if not select.select([fork], [], [], 0)[0]:
                signal.pidfd_send_signal(fork, signal.SIGKILL)
            os.close(fork)
