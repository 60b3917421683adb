"""How a run reports to a Python program and is stopped by it: callbacks, a progress bar, warnings,
the logger "w2v" and the first Ctrl-C."""

from __future__ import annotations

import logging
import math
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from w2v.errors import InputError, shown
from w2v.system.arguments import warn
from w2v.training.report import Event, Progress, SilentReporter

Callback = Callable[[Event], object]  # returning "stop" ends the run as Ctrl-C does

log = logging.getLogger("w2v")


class Listener(SilentReporter):
    """Reporter that passes on what a run reports. Events from other threads are queued and
    delivered in the thread of the run, so that callbacks need not be thread-safe. An exception of a
    callback, `failure`, ends the run as Ctrl-C does, so that what was learnt is not lost."""

    def __init__(self, callbacks: Iterable[Callback], progress: bool | str) -> None:
        if not isinstance(progress, bool) and (not isinstance(progress, str) or progress != "auto"):
            raise InputError(f"`progress` is {shown(progress)}, it must be True, False or 'auto'")
        if not isinstance(callbacks, (list, tuple)) or not all(map(callable, callbacks)):
            raise InputError(f"`callbacks` is {shown(callbacks)}, it must be a list of functions")
        self.stop = threading.Event()
        self.training_began = False
        self.failure: Exception | None = None
        self.callbacks: Iterable[Callback] = callbacks
        self._waiting: deque[Event] = deque()
        self._misunderstood: set[str] = set()
        self._bar: Any = None
        is_open = sys.stderr is not None and not getattr(sys.stderr, "closed", False)
        # stderr is not a terminal in a notebook, but tqdm can draw a bar there
        watched = is_open and ("ipykernel" in sys.modules or getattr(sys.stderr, "isatty", bool)())
        self._shows = watched if progress == "auto" else is_open and bool(progress)

    def note(self, text: str) -> None:
        log.info(text)

    stage = milestone = note

    def warn(self, text: str) -> None:
        warn(text)

    def happened(self, event: Event) -> None:
        self._waiting.append(event)

    def training(self, progress: Progress) -> None:
        self.training_began = True
        self._deliver()
        self._call(Event("progress", {**vars(progress)}))
        if self._shows:
            self._show(progress)

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Closes the bar and, unless the run failed, delivers the queued events."""
        if self._bar is not None:
            self._bar.close()
        if kind is None:
            self._deliver()

    def _deliver(self) -> None:
        while self._waiting:
            self._call(self._waiting.popleft())

    def _call(self, event: Event) -> None:
        for callback in self.callbacks:
            try:
                answer = None if self.failure is not None else callback(event)
            except Exception as failure:
                self.failure = failure
                self.stop.set()
                return
            if not isinstance(answer, str):
                continue  # None, or whatever the last call in a lambda returned
            if answer == "stop":
                self.stop.set()
            elif answer not in self._misunderstood:
                self._misunderstood.add(answer)
                problem = f"a callback returned {shown(answer)}, which has no effect"
                self.warn(f"{problem}: only 'stop' has one, it ends the run")

    def _show(self, progress: Progress) -> None:
        if self._bar is None:
            from tqdm.auto import tqdm  # importing it takes 0.1 s

            class Bar(tqdm):  # type: ignore[type-arg]  # generic in the stubs only
                monitor_interval = 0  # tqdm's monitor thread would outlive the run

            shape = "{percentage:3.0f} % |{bar}| {desc} ETA {remaining}"
            self._bar = Bar(total=1000, bar_format=shape, file=sys.stderr, leave=False)
        self._bar.n = round(1000 * progress.fraction)
        rate = f"{progress.words_per_second:,.0f} {progress.unit}/s"
        loss = f"{progress.loss:.4f}" if math.isfinite(progress.loss) else "?"
        self._bar.set_description_str(f"{rate} lr {progress.lr:.4g} loss {loss}")


@contextmanager
def soft_stop(stop: threading.Event, may_wait: Callable[[], bool]) -> Iterator[None]:
    """Within the block, makes the first Ctrl-C set `stop`, so that the run ends and keeps its
    result, if `may_wait()`; otherwise, and the second time, Ctrl-C raises KeyboardInterrupt."""

    def handle(number: int, frame: FrameType | None) -> None:
        if stop.is_set() or not may_wait():
            raise KeyboardInterrupt
        stop.set()

    in_main_thread = threading.current_thread() is threading.main_thread()
    if not in_main_thread or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield  # the calling program handles signals itself
        return
    previous = signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
