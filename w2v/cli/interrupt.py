"""Ctrl-C and SIGTERM during training: the first asks the run to end and keep what it has, the second ends at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from w2v.cli.output import say


class Interrupted(BaseException):
    """A signal ends the program. Like KeyboardInterrupt not an Exception, so that nothing swallows it by mistake."""

    def __init__(self, number: int, message: str | None = None) -> None:
        super().__init__(message or ("interrupted" if number == signal.SIGINT else "terminated"))
        self.exit_status = 128 + number


class Stop(threading.Event):
    """Set by the first signal; remembers which one."""

    signal_number: int = signal.SIGINT


@contextmanager
def stopping_softly(may_wait: Callable[[], bool]) -> Iterator[Stop]:
    """While the block runs, the first Ctrl-C or SIGTERM sets the Stop, a second one raises Interrupted.

    Args:
        may_wait: whether there is something to keep yet; if not, already the first signal raises.
    """
    stop = Stop()

    def handle(number: int, frame: FrameType | None) -> None:
        if stop.is_set() or not may_wait():
            raise Interrupted(number)
        stop.signal_number = number
        stop.set()
        say("stopping: what was learnt so far is being saved (once more ends at once, without saving)")

    before = {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # ignored under nohup and in background jobs
                before[number] = signal.signal(number, handle)
    except ValueError:  # not in the main thread: signals are somebody else's
        pass
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
