"""Entry point of `python -m w2v`, which is the same program as `w2v`."""

import contextlib
import os
import signal
import sys
import threading
from typing import NoReturn


def run() -> NoReturn:
    """Runs the command line as its own process and exits with its status."""
    numbers = signal.SIGINT, signal.SIGTERM
    for number in numbers:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda number, frame: os._exit(128 + number))
    # Arrow bundles jemalloc, which is not used here but starts a thread and warns if it cannot
    os.environ.setdefault("JE_ARROW_MALLOC_CONF", "background_thread:false")
    # imported only now, because a signal during these imports would end in a traceback
    try:
        from w2v.cli.app import main
        from w2v.cli.interrupt import claim_process
    except ModuleNotFoundError as error:
        problem = f"w2v: this needs {error.name}, which is not installed"
        sys.exit(f"{problem}: pip install {error.name}")

    claim_process()
    status = main()
    failed = status not in (0, 2)
    if failed or threading.active_count() > 1 or "WORLD_SIZE" in os.environ:
        # Skip the interpreter's orderly shutdown, which could crash or hang: after a signal PyTorch
        # threads may still be working, an allocation inside a library may have failed, another
        # thread may still be importing a module, or other ranks may not have finished.
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(status)
    for number in numbers:  # the work is complete, so a late signal must not change the status
        signal.signal(number, signal.SIG_IGN)
    sys.exit(status)


if __name__ == "__main__":
    run()
