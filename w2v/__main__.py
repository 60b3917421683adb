"""`python -m w2v` is `w2v`."""

import contextlib
import os
import sys
import threading
from typing import NoReturn

try:
    from w2v.cli.app import main
    from w2v.cli.interrupt import own_process
except ModuleNotFoundError as error:
    sys.exit(f"w2v: this needs {error.name}, which is not installed: pip install {error.name}")


def run() -> NoReturn:
    """The program, as a process of its own."""
    own_process()
    status = main()
    if status > 128 or threading.active_count() > 1:
        # A signal ended it, perhaps with threads at work inside PyTorch, or a module is still being
        # imported beside: they would bring the interpreter's orderly end down ("terminate called
        # without an active exception").
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(status)
    sys.exit(status)


if __name__ == "__main__":
    run()
