"""Ctrl-C, SIGTERM and SIGHUP: during training the first asks the run to end and keep what it has,
a later one ends at once; at other times the first does.

What comes within AGAIN_SECONDS of a request is the same one: `timeout` sends its signal to the
process and to its group, and supervisors, sudo and terminals do the like.

The exception may be lost (in a callback of Python's import system, say), or leave a lock behind
that somebody waits for: a program of its own is ended a few seconds later in any case.
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

GRACE_SECONDS = 10.0  # for the way out: the step that is being trained, temporary files
AGAIN_SECONDS = 2.0
_owned = False  # whether the process is this program's, to be ended whatever its threads do
_asked = -math.inf  # when the latest request came
_left: int | None = None  # the signal that ends the program


class Interrupted(BaseException):
    """A signal ends the program. Like KeyboardInterrupt it is not an Exception, so that nothing
    swallows it by mistake."""

    def __init__(self, number: int) -> None:
        super().__init__("interrupted" if number == signal.SIGINT else "terminated")
        self.exit_status = 128 + number


def own_process() -> None:
    """From now on `leave` ends the process even if its exception is lost, and a lost one is not
    reported."""
    global _owned
    _owned = True

    def tell(unraisable: Any) -> None:
        if not isinstance(unraisable.exc_value, Interrupted):
            sys.__unraisablehook__(unraisable)

    sys.unraisablehook = tell


def leave(number: int) -> NoReturn:
    """Raises Interrupted for the signal `number`."""
    global _left
    _left = number

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
    """While the block runs, Ctrl-C and SIGTERM unwind the stack, so that temporary files go away.
    An error that comes of it (a compiler's callback turns the exception into one of its own, or
    loses it) is the same to the caller."""
    global _asked, _left
    _asked, _left = -math.inf, None
    with handling(lambda number, frame: leave(number), signal.SIGINT, signal.SIGTERM):
        try:
            yield
        except (Exception, KeyboardInterrupt) as error:
            if _left is None:
                raise
            raise Interrupted(_left) from error
        if _left is not None:
            raise Interrupted(_left)


class Stop(threading.Event):
    """Is set by the first signal, and remembers which one it was."""

    signal_number: int = signal.SIGINT


@contextmanager
def stopping_softly(may_wait: Callable[[], bool], *, tells: bool = True) -> Iterator[Stop]:
    """While the block runs, the first signal sets the Stop, a later one raises Interrupted, and so
    does the first while `may_wait` says that there is nothing to keep yet. `tells`: the Stop is
    said at once; ranks say it when they have agreed."""
    stop = Stop()

    def handle(number: int, frame: Any) -> None:
        if stop.is_set() or not may_wait():
            leave(number)
        stop.signal_number = number
        stop.set()
        if tells:
            how = "once more ends at once, without saving"
            say(f"stopping: what was learnt so far is being saved ({how})")

    with handling(handle, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        yield stop


@contextmanager
def handling(handle: Callable[[int, Any], None], *numbers: int) -> Iterator[None]:
    """While the block runs, `handle` gets these signals, each request once, but for those that are
    ignored, as under nohup and in background jobs."""
    before = {}

    def once(number: int, frame: Any) -> None:
        global _asked
        now = time.monotonic()
        if now - _asked >= AGAIN_SECONDS:
            _asked = now
            handle(number, frame)

    with suppress(ValueError):  # not in the main thread: signals are somebody else's
        for number in numbers:
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, once)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
