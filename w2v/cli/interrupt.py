"""Handles Ctrl-C, SIGTERM and SIGHUP. During training, the first signal makes the run save its
state and end, and a second one ends it at once; at other times, the first one ends it at once.

Signals within AGAIN_SECONDS of a request belong to the same request: `timeout` sends its signal to
the process and to its group, and so do supervisors, sudo and terminals.

The exception that ends the program may be lost (in a callback of Python's import system, say), or
leave a lock held that another thread waits for. The process is therefore ended a few seconds later
in any case, if it belongs to this program.
"""

from __future__ import annotations

import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

from w2v.cli.output import say

GRACE_SECONDS = 10.0  # time to end the current training step and to remove temporary files
AGAIN_SECONDS = 2.0
_owned = False  # whether the process belongs to this program, which may then end it
_requested_at = -math.inf  # time of the latest request
_signal: int | None = None  # the signal that ends the program


class Interrupted(BaseException):
    """Raised when a signal ends the program. Like KeyboardInterrupt, it is not an Exception, so
    that `except Exception` does not catch it."""

    def __init__(self, number: int) -> None:
        super().__init__("interrupted" if number == signal.SIGINT else "terminated")
        self.exit_status = 128 + number


def claim_process() -> None:
    """Declares that the process belongs to this program: from now on, `leave` ends it even if the
    exception is lost. Once a signal ends the program, Python does not report lost exceptions, nor
    those of finalizers of objects whose construction was interrupted."""
    global _owned
    _owned = True

    def report(unraisable: Any) -> None:
        if _signal is None:
            sys.__unraisablehook__(unraisable)

    sys.unraisablehook = report


def leave(number: int) -> NoReturn:
    """Raises Interrupted for the signal `number`."""
    global _signal
    _signal = number

    def end() -> None:
        time.sleep(GRACE_SECONDS)
        with suppress(OSError):
            os.write(2, f"w2v: {Interrupted(number)}\n".encode())
        os._exit(128 + number)

    if _owned:
        threading.Thread(target=end, daemon=True).start()
    raise Interrupted(number)


@contextmanager
def leaving() -> Iterator[None]:
    """For the duration of the block, Ctrl-C and SIGTERM raise Interrupted, which unwinds the stack
    so that temporary files are removed. The caller gets Interrupted even if other code (a callback
    of a compiler, say) converts it to another exception or loses it."""
    global _requested_at, _signal
    _requested_at, _signal = -math.inf, None
    with handling(lambda number, frame: leave(number), signal.SIGINT, signal.SIGTERM):
        try:
            yield
        except (Exception, KeyboardInterrupt) as error:
            if _signal is None:
                raise
            raise Interrupted(_signal) from error
        if _signal is not None:
            raise Interrupted(_signal)


class Stop(threading.Event):
    """An event that is set by the first signal, whose number it stores."""

    signal_number: int = signal.SIGINT


@contextmanager
def stopping_softly(may_wait: Callable[[], bool], *, announce: bool = True) -> Iterator[Stop]:
    """For the duration of the block, the first signal sets the Stop and a later one raises
    Interrupted; so does the first while `may_wait` returns False, since there is nothing to save
    yet. `announce`: whether to print a message at once; several ranks print it once they agree."""
    stop = Stop()

    def handle(number: int, frame: Any) -> None:
        if stop.is_set() or not may_wait():
            leave(number)
        stop.signal_number = number
        stop.set()
        if announce:
            how = "a second signal ends at once, without saving"
            say(f"stopping: saving what was learnt so far ({how})")

    with handling(handle, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        yield stop


@contextmanager
def handling(handle: Callable[[int, Any], None], *numbers: int) -> Iterator[None]:
    """For the duration of the block, calls `handle` for these signals, once per request. Signals
    that are ignored, as under nohup and in background jobs, stay ignored."""
    before = {}

    def once(number: int, frame: Any) -> None:
        global _requested_at
        now = time.monotonic()
        if now - _requested_at >= AGAIN_SECONDS:
            _requested_at = now
            handle(number, frame)

    with suppress(ValueError):  # only the main thread can set signal handlers
        for number in numbers:
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, once)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
