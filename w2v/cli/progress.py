"""Shows the progress of long tasks on stderr: as a bar in a terminal, else as a plain line per
interval, so that logs stay readable."""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from w2v.cli.output import (
    as_options,
    human_bytes,
    human_count,
    human_seconds,
    is_terminal,
    printable,
    say,
)
from w2v.training.report import Progress, SilentReporter

if TYPE_CHECKING:
    from w2v.corpus import TokenStore
    from w2v.settings.groups import CorpusSettings

INTERVAL = 10.0  # seconds between plain lines
DELAY = 2.0  # seconds before a bar appears: shorter tasks need none


@contextmanager
def announcing_if_slow(text: str, *, quiet: bool) -> Iterator[None]:
    """Prints `text` if the block takes longer than DELAY, unless `quiet`."""
    timer = threading.Timer(DELAY, say, [text])
    timer.daemon = True
    if not quiet:
        timer.start()
    try:
        yield
    finally:
        timer.cancel()


class ConsoleReporter(SilentReporter, AbstractContextManager["ConsoleReporter"]):
    """Prints the reports of a run on stderr, or with `quiet` only warnings. As a context manager,
    it removes the progress bar at the end of the block."""

    def __init__(self, *, quiet: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        self.training_began = False
        self.last: Progress | None = None
        self._quiet, self._clock = quiet, clock
        self._bar: Any = None
        self._bar_of: str | None = None
        self._due: dict[str, float] = {}

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Removes the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = self._bar_of = None

    def note(self, text: str) -> None:
        if not self._quiet:
            self._line(f"note: {text}")

    def warn(self, text: str) -> None:
        self._line(f"warning: {text}")

    def stage(self, text: str) -> None:
        self.close()
        if not self._quiet:
            say(text)

    def milestone(self, text: str) -> None:
        if not self._quiet:
            self._line(text)

    def reading(self, done_bytes: int, total_bytes: int | None) -> None:
        done = human_bytes(done_bytes)
        if total_bytes:
            text = f"{done} of {human_bytes(total_bytes)}"
            self._show("reading", done_bytes / total_bytes, text)
        else:
            self._show("reading", None, done)

    def read(
        self, names: Sequence[str], settings: CorpusSettings, *, use_cache: bool
    ) -> TokenStore:
        """Reads a corpus, and prints its warnings."""
        from w2v.corpus import read_corpus  # imports pyarrow

        store = read_corpus(names, settings, use_cache=use_cache, progress=self.reading)
        for warning in store.warnings:
            self.warn(warning)
        return store

    def training(self, progress: Progress) -> None:
        self.training_began = True
        self.last = progress
        loss = f"{progress.loss:.4f}" if math.isfinite(progress.loss) else "?"
        self._show(
            "training",
            progress.fraction,
            f"{human_count(progress.words_per_second)} {progress.unit}/s  lr {progress.lr:.5f} "
            f" loss {loss}  epoch {progress.epoch}  ETA {human_seconds(progress.seconds_left)}",
        )

    def working(self, what: str, done: int, total: int | None, unit: str) -> None:
        """Shows the progress of a task other than training: `done` of `total` units (None if
        unknown). May be called often."""
        if total is None:
            self._show(what, None, f"{human_count(done)} {unit}")
        else:
            self._show(what, done / total, f"{human_count(done)} of {human_count(total)} {unit}")

    def _show(self, task: str, fraction: float | None, text: str) -> None:
        if self._quiet:
            return
        now = self._clock()
        terminal = is_terminal(sys.stderr)
        due = self._due.setdefault(task, now + (DELAY if terminal else INTERVAL))
        if now < due:
            return
        if not terminal:
            self._due[task] = now + INTERVAL
            share = "" if fraction is None else f"{100 * fraction:.1f} %  "
            say(f"{task}  {share}{text}")
            return
        if self._bar_of != task:
            from tqdm import tqdm

            self.close()
            tqdm.monitor_interval = 0  # no monitor thread: the bar is refreshed only here
            shape = f"{task} {{percentage:3.0f}} % |{{bar}}| {{desc}}"
            options: dict[str, Any] = {"file": sys.stderr, "leave": False, "dynamic_ncols": True}
            self._bar, self._bar_of = tqdm(total=1000, bar_format=shape, **options), task
        self._due[task] = now + 0.1
        self._bar.n = round(1000 * (fraction or 0.0))
        self._bar.set_description_str(text, refresh=False)
        self._bar.refresh()

    def _line(self, text: str) -> None:
        if self._bar is None:
            say(text)
        else:
            with suppress(OSError):  # the terminal has been closed
                self._bar.write(printable(as_options(text), sys.stderr), file=sys.stderr)
