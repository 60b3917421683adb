"""`python -m w2v` is `w2v`."""

import contextlib
import os
import signal
import sys
import threading
from typing import NoReturn


def run() -> NoReturn:
    """The program, as a process of its own."""
    numbers = signal.SIGINT, signal.SIGTERM
    for number in numbers:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda number, frame: os._exit(128 + number))
    # Arrow's second allocator, which is not used, starts a thread, and complains where it cannot
    os.environ.setdefault("JE_ARROW_MALLOC_CONF", "background_thread:false")
    # only now: a signal during these imports would end in a traceback
    try:
        from w2v.cli.app import main
        from w2v.cli.interrupt import own_process
    except ModuleNotFoundError as error:
        what = f"w2v: this needs {error.name}, which is not installed"
        sys.exit(f"{what}: pip install {error.name}")

    own_process()
    status = main()
    failed = status not in (0, 2)
    if failed or threading.active_count() > 1 or "WORLD_SIZE" in os.environ:
        # A signal ended it, perhaps with threads at work inside PyTorch, or a library got no
        # memory, or a module is still being imported beside, or other ranks are waited for: that
        # would bring the interpreter's orderly end down.
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(status)
    for number in numbers:  # all is done
        signal.signal(number, signal.SIG_IGN)
    sys.exit(status)


if __name__ == "__main__":
    run()
