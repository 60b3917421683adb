"""The result of a training run as a Python object."""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Any

from w2v.errors import Elsewhere, InputError, RunError
from w2v.listening import Callback, Listener, soft_stop
from w2v.settings.keywords import plain
from w2v.system.arguments import warn

if TYPE_CHECKING:
    from w2v.lm.language_model import LanguageModel
    from w2v.settings.config import Config
    from w2v.training.report import RunSummary
    from w2v.training.task import Context
    from w2v.vectors import WordVectors


class Run:
    """A finished or stopped training run.

    Attributes:
        path: its location: a run directory, or the file of vectors named by `output`. Without
            `output` it is a temporary directory, deleted together with this object and pickled
            with it; a corpus in memory is not pickled.
        summary: the content of summary.json: words, times, losses.
        history: the content of metrics.jsonl, and one entry for each epoch.
    """

    def __init__(self, summary: RunSummary, context: Context, temporary: Path | None) -> None:
        self.path, self.summary = Path(summary.output).absolute(), summary.as_dict()
        self.history: list[dict[str, Any]] = summary.history
        self._context = context
        self._written = summary.fingerprints or self._fingerprints()
        self._owner: object = None  # the run that owns the temporary directory, kept alive
        self._adopt(temporary)

    def _adopt(self, temporary: Path | None) -> None:
        self._temporary = temporary
        if temporary is not None:
            weakref.finalize(self, _remove, temporary, os.getpid())

    def _fingerprints(self) -> dict[str, str]:
        from w2v.vectors.fingerprints import fingerprints

        return fingerprints(self.path)

    def warn_if_replaced(self) -> None:
        """Warns if the files of the run are there, but are not those that it wrote."""
        if (now := self._fingerprints()) and now != self._written:
            problem = f"{self.path} was resumed or overwritten after this run"
            warn(f"{problem}: what is there now is used")

    @cached_property
    def vectors(self) -> WordVectors:
        """The word vectors; for a language model, its input embeddings. They are read when they are
        first asked for: a UserWarning says if there are those of a later run by then."""
        from w2v.vectors import load_vectors

        self.warn_if_replaced()
        vectors = load_vectors(self.path)
        _ = vectors.config  # read now, because a temporary directory ends with this object
        return vectors

    @cached_property
    def model(self) -> LanguageModel:
        """The language model.

        Raises:
            InputError: the run trained word vectors.
        """
        from w2v.lm.saved import load_language_model

        self.warn_if_replaced()
        return load_language_model(self.path)

    def resume(
        self,
        epochs: int | None = None,
        *,
        callbacks: Sequence[Callback] = (),
        progress: bool | str = "auto",
    ) -> Run:
        """Resumes training until `epochs` are done in total (None: the number the run was started
        with) and returns the resumed run. A corpus that was a generator is exhausted: resume with
        `w2v.train(corpus, resume=run)` and a new generator.

        Raises:
            InputError: there is no checkpoint, or fewer `epochs` than before are asked for.
            RunError: as in `train`.
        """
        from w2v.runs.resume import resumed_config

        if isinstance(self._context.lines, Iterator):
            raise InputError(
                "the corpus was an iterator, which is exhausted, or is in another process's memory:"
                " pass it again, w2v.train(corpus, resume=run, epochs=...)"
            )
        values = {} if epochs is None else plain({"epochs": epochs})
        self.warn_if_replaced()
        listener = Listener(callbacks, progress)
        config = tell_notes(resumed_config(self.path, values), listener.note)
        resumed = carry_out(replace(self._context, config=config, resume=self.path), listener)
        resumed._owner = self
        return resumed

    def __copy__(self) -> Run:
        copy = object.__new__(Run)
        vars(copy).update(vars(self), _owner=self)
        return copy

    def __deepcopy__(self, memo: dict[int, Any]) -> Run:
        copy = self.__copy__()
        for name in ("summary", "history", "vectors", "model"):
            if name in vars(self):
                setattr(copy, name, deepcopy(vars(self)[name], memo))
        return copy

    def __getstate__(self) -> dict[str, Any]:
        context, files = self._context, None
        if self._is_temporary:
            entries = [entry for entry in self.path.rglob("*") if entry.is_file()]
            files = {str(entry.relative_to(self.path)): entry.read_bytes() for entry in entries}
        lines = None if context.lines is None else iter(())
        facts = {"path": self.path, "summary": self.summary, "history": self.history}
        facts["written"] = self._written
        return {**facts, "of": (context.config, context.use_cache, lines), "files": files}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        from w2v.training.task import Context

        config, use_cache, lines = state["of"]
        self._context = Context(config, use_cache=use_cache, lines=lines, keep_state=True)
        self.path, self.summary, self.history = state["path"], state["summary"], state["history"]
        self._written = state["written"]
        self._owner, temporary = None, None
        if state["files"] is not None:
            temporary = Path(tempfile.mkdtemp(prefix="w2v-"))
            self.path = temporary / "run"
            self.summary = {**self.summary, "output": str(self.path)}
        self._adopt(temporary)
        for name, data in (state["files"] or {}).items():
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            (self.path / name).write_bytes(data)

    @property
    def _is_temporary(self) -> bool:
        owned = isinstance(self._owner, Run) and self._owner._is_temporary
        return owned or self._temporary is not None

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        done, epochs = self.summary["epochs_done"], self.summary["epochs"]
        kind = f"{self.summary['model']}, {self.summary['loss']}"
        rows = f"{self.summary['vocabulary']:,} x {self.summary['dim']}"
        return f"Run({kind}, {rows}, {done:.3g} of {epochs} epochs, in {self.path})"


def _remove(temporary: Path, process: int) -> None:
    if os.getpid() == process:  # not that of a child by fork, which has the object too
        rmtree(temporary, ignore_errors=True)


def tell_notes(config: Config, tell: Callable[[str], None]) -> Config:
    """Passes the notes of the configuration to `tell` and returns the configuration."""
    for note in config.notes:
        tell(note)
    return config


def carry_out(context: Context, listener: Listener, temporary: Path | None = None) -> Run:
    """Trains and returns the run; `temporary` is deleted together with it."""
    from w2v.run import run
    from w2v.training.world import World

    context = replace(context, reporter=listener, stop=listener.stop, keep_state=True)
    context = replace(context, in_step=bool(listener.callbacks))
    stopping = soft_stop(listener.stop, lambda: listener.training_began)
    try:
        with listener, World.join() as world, stopping:
            summary = run(replace(context, world=world))
    except Elsewhere as error:  # so that a caller catches the same class on every rank
        raise (InputError if error.exit_status == 2 else RunError)(str(error)) from error
    if (failure := listener.failure) is not None:
        listener.failure = None  # whose frames hold the listener
        if temporary is None:
            kept = f"so far is in {summary.output}, and `resume` continues it"
            warn(f"a callback raised {type(failure).__name__}: what was trained {kept}")
        raise failure
    return Run(summary, context, temporary)
