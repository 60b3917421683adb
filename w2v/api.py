"""The front door for programs: `train`, `load` and `compare`, with the settings of the command line
as keywords.

    run = w2v.train("corpus.txt", loss="hsigmoid", dim=200)
    run.vectors.nearest("king - man + woman", k=5)

Nothing is printed unless `progress` says so: warnings are Python's, what is merely good to know
goes to the logger "w2v".
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import tempfile
import threading
import warnings
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from shutil import rmtree
from types import FrameType
from typing import TYPE_CHECKING, Any

from w2v.errors import InputError
from w2v.settings.config import IN_MEMORY
from w2v.training.report import Event, Progress, SilentReporter

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from w2v.comparison.table import Compared
    from w2v.lm.language_model import LanguageModel
    from w2v.settings.keywords import Keywords
    from w2v.training.report import RunSummary
    from w2v.training.task import Context
    from w2v.vectors import WordVectors

Callback = Callable[[Event], object]  # "stop" ends the run as Ctrl-C does
PathLike = str | os.PathLike[str]
_PATHS = ("output", "valid", "init")  # settings that take a path-like object, such as a Run

log = logging.getLogger("w2v")


class Run:
    """What a training run came to.

    Attributes:
        path: where it is: a run directory, or the file of vectors that `output` named. Without
            `output` it is a temporary directory that goes with this object.
        summary: what summary.json says: words, times, losses.
        history: what metrics.jsonl says, and a line for each epoch.
    """

    def __init__(self, summary: RunSummary, context: Context, temporary: Path | None) -> None:
        self.path, self.summary = Path(summary.output), summary.as_dict()
        self.history: list[dict[str, Any]] = summary.history
        self._context = context
        if temporary is not None:
            weakref.finalize(self, rmtree, temporary, ignore_errors=True)

    @cached_property
    def vectors(self) -> WordVectors:
        """The word vectors; of a language model its input embeddings."""
        from w2v.vectors import load_vectors

        return load_vectors(self.path)

    @cached_property
    def model(self) -> LanguageModel:
        """The language model.

        Raises:
            InputError: word vectors were trained.
        """
        from w2v.lm.saved import load_language_model

        return load_language_model(self.path)

    def resume(
        self,
        epochs: int | None = None,
        *,
        callbacks: Sequence[Callback] = (),
        progress: bool | str = "auto",
    ) -> Run:
        """Goes on with the run until `epochs` are done in all (None: as many as it was begun for);
        returns it as it is then. A corpus from memory that cannot be read twice cannot be gone on
        with.

        Raises:
            InputError: there is nothing to go on from, or `epochs` is less than it was.
            RunError: as `train`.
        """
        from dataclasses import replace

        from w2v.runs.resume import resumed_config

        given = {} if epochs is None else {"epochs": epochs}
        context = replace(self._context, config=resumed_config(self.path, given), resume=self.path)
        after = _run(context, callbacks, progress, None)
        after._keeps = self  # a temporary directory stays as long as the run that made it
        return after

    _keeps: Run | None = None

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        done, asked = self.summary["epochs_done"], self.summary["epochs"]
        what = f"{self.summary['model']}, {self.summary['loss']}"
        rows = f"{self.summary['vocabulary']:,} x {self.summary['dim']}"
        return f"Run({what}, {rows}, {done:.3g} of {asked} epochs, in {self.path})"


def train(
    corpus: object = None,
    *,
    callbacks: Sequence[Callback] = (),
    progress: bool | str = "auto",
    use_cache: bool = True,
    config: PathLike | None = None,
    resume: PathLike | None = None,
    **settings: Unpack[Keywords],
) -> Run:
    """Trains word vectors, or with model="lm" a language model.

    Args:
        corpus: a path, several, a glob; or text from memory: an iterable of strings (lines), of
            lists of tokens or of lists of integers, a column of pandas, Polars or Arrow, a table
            or a `datasets.Dataset` with `column=`. It is read once. None: the one in `config`.
        callbacks: functions that are called with an Event (progress, epoch, validation,
            checkpoint) in this thread; one that returns "stop" ends the run, which keeps what it
            has.
        progress: whether a bar is shown on stderr; "auto": if that is a terminal.
        use_cache: whether tokenised files are looked up in the cache, and kept there.
        config: a YAML file of settings; those given as keywords win.
        resume: a run, or its directory, to go on with; only `epochs`, `threads` and `device` may be
            given beside it.
        settings: as on the command line, `w2v train --help`: dim=200, min_count=3, …

    Raises:
        InputError: a ValueError: the corpus, the output or the settings cannot be used.
        RunError: a RuntimeError: not enough memory, a full disk, numbers that became NaN.
    """
    from w2v.corpus.memory import is_in_memory
    from w2v.settings.build import build_config
    from w2v.training.task import Context

    given: dict[str, Any] = dict(settings)
    for name in _PATHS:
        value = given.get(name)
        if value is not None:
            given[name] = os.fspath(value)
    lines = None
    if corpus is not None and is_in_memory(corpus):
        lines, given["corpus"] = corpus, (IN_MEMORY,)
    elif corpus is not None:
        given["corpus"] = _names(corpus)
    if resume is not None:
        from w2v.runs.resume import resumed_config

        run = Path(resume)
        if lines is not None:
            del given["corpus"]
        context = Context(resumed_config(run, given), resume=run)
        context = _with(context, use_cache=use_cache, lines=lines)
        return _run(context, callbacks, progress, None)
    temporary = None
    if given.get("output") is None:
        temporary = Path(tempfile.mkdtemp(prefix="w2v-"))
        given["output"] = str(temporary / "run")
    try:
        built = build_config(given, config)
        context = _with(Context(built), use_cache=use_cache, lines=lines)
        return _run(context, callbacks, progress, temporary)
    except BaseException:
        if temporary is not None:
            rmtree(temporary, ignore_errors=True)
        raise


def load(path: PathLike) -> WordVectors | LanguageModel:
    """Returns what is at `path`: the word vectors of a run or a file, or the language model of a
    run.

    Raises:
        InputError: there is nothing of the kind, or it is damaged.
    """
    if (Path(path) / "model.safetensors").is_file():
        from w2v.lm.saved import load_language_model

        return load_language_model(os.fspath(path))
    from w2v.vectors import load_vectors

    return load_vectors(os.fspath(path))


def compare(
    corpus: PathLike | Sequence[PathLike] | None = None,
    losses: Sequence[str] | Mapping[str, Mapping[str, Any]] | None = None,
    *,
    output: PathLike | None = None,
    questions: PathLike | None = None,
    overwrite: bool = False,
    config: PathLike | None = None,
    **settings: Any,
) -> Compared:
    """Trains the same model under several losses, each in a process of its own.

    Args:
        losses: names, or by name the settings of each; None: those that `config` lists.
        output: the folder of their runs; None: MODEL-compare in the working directory.
        questions: analogies that word vectors are compared by; None: the demo's.
        overwrite: trains all anew; else finished runs are kept, stopped ones gone on with.

    Raises:
        InputError: the texts, the settings or the folder cannot be used.
    """
    from w2v.comparison.compare import Comparison

    comparison = Comparison(corpus, losses, settings, config, output, questions, overwrite)
    with _soft_stop(comparison.stop, lambda: True):  # type: ignore[arg-type]
        return comparison.run()


def _names(corpus: Any) -> tuple[str, ...]:
    entries = [corpus] if isinstance(corpus, (str, os.PathLike)) else corpus
    return tuple(os.fspath(entry) for entry in entries)


def _with(context: Context, **changes: Any) -> Context:
    from dataclasses import replace

    return replace(context, keep_state=True, **changes)


def _run(
    context: Context, callbacks: Sequence[Callback], progress: bool | str, temporary: Path | None
) -> Run:
    from w2v.run import run

    stop = threading.Event()
    reporter = _Reporter(callbacks, stop, progress)
    for note in context.config.notes:
        reporter.note(note)
    context = _with(context, reporter=reporter, stop=stop, in_step=bool(callbacks))
    try:
        with _soft_stop(stop, lambda: reporter.training_began):
            summary = run(context)
    finally:
        reporter.close()
    return Run(summary, context, temporary)


class _Reporter(SilentReporter):
    """Hands on what a run reports: to the callbacks, to the bar, to Python's warnings and the log.

    Events of other threads wait for this one: callbacks need not be safe against threads.
    """

    def __init__(
        self, callbacks: Sequence[Callback], stop: threading.Event, progress: bool | str
    ) -> None:
        if progress not in (True, False, "auto"):
            raise InputError(f"progress {progress!r} is none of True, False and 'auto'")
        self.training_began = False
        self._callbacks, self._stop = callbacks, stop
        self._waiting: deque[Event] = deque()
        self._bar: Any = None
        terminal = sys.stderr is not None and sys.stderr.isatty()
        self._shows = progress is True or (progress == "auto" and terminal)

    def note(self, text: str) -> None:
        log.info(text)

    stage = milestone = note

    def warn(self, text: str) -> None:
        warnings.warn(text, UserWarning, stacklevel=2)

    def happened(self, event: Event) -> None:
        self._waiting.append(event)

    def training(self, progress: Progress) -> None:
        self.training_began = True
        self._deliver()
        self._call(Event("progress", vars(progress)))
        if self._shows:
            self._show(progress)

    def close(self) -> None:
        """Delivers what still waits, and removes the bar."""
        if self._bar is not None:
            self._bar.close()
        self._deliver()

    def _deliver(self) -> None:
        while self._waiting:
            self._call(self._waiting.popleft())

    def _call(self, event: Event) -> None:
        for callback in self._callbacks:
            if callback(event) == "stop":
                self._stop.set()

    def _show(self, progress: Progress) -> None:
        if self._bar is None:
            from tqdm.auto import tqdm

            shape = "{percentage:3.0f} % |{bar}| {desc} ETA {remaining}"
            self._bar = tqdm(total=1000, bar_format=shape, file=sys.stderr, leave=False)
        self._bar.n = round(1000 * progress.fraction)
        rate = f"{progress.words_per_second:,.0f} {progress.unit}/s"
        self._bar.set_description_str(f"{rate} lr {progress.lr:.4g} loss {progress.loss:.4f}")


@contextmanager
def _soft_stop(stop: threading.Event, may_wait: Callable[[], bool]) -> Iterator[None]:
    """While the block runs, the first Ctrl-C asks the run to end and keep what it has, if there is
    something to keep; the next one raises KeyboardInterrupt, as it does elsewhere."""

    def handle(number: int, frame: FrameType | None) -> None:
        if stop.is_set() or not may_wait():
            raise KeyboardInterrupt
        stop.set()

    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield  # signals are somebody else's
        return
    before = signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
