"""What a training run came to, as programs meet it."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Any

from w2v.errors import Elsewhere, InputError, RunError
from w2v.listening import Callback, Listener, soft_stop
from w2v.settings.keywords import plain

if TYPE_CHECKING:
    from w2v.lm.language_model import LanguageModel
    from w2v.settings.config import Config
    from w2v.training.report import RunSummary
    from w2v.training.task import Context
    from w2v.vectors import WordVectors


class Run:
    """What a training run came to.

    Attributes:
        path: where it is: a run directory, or the file of vectors that `output` named. Without
            `output` it is a temporary directory that goes with this object.
        summary: what summary.json says: words, times, losses.
        history: what metrics.jsonl says, and a line for each epoch.
    """

    def __init__(self, summary: RunSummary, context: Context, temporary: Path | None) -> None:
        self.path, self.summary = Path(summary.output).absolute(), summary.as_dict()
        self.history: list[dict[str, Any]] = summary.history
        self._context = context
        self._keeps: object = None  # a temporary directory stays as long as the run that made it
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
        returns it as it is then. A corpus that was a generator is used up:
        `w2v.train(corpus, resume=run)` goes on with a new one.

        Raises:
            InputError: there is nothing to go on from, or `epochs` is less than it was.
            RunError: as `train`.
        """
        from w2v.runs.resume import resumed_config

        if isinstance(self._context.lines, Iterator):
            raise InputError(
                "the corpus was an iterator, which is used up: give it again,"
                " w2v.train(corpus, resume=run, epochs=...)"
            )
        given = {} if epochs is None else plain({"epochs": epochs})
        listener = Listener(callbacks, progress)
        config = told(resumed_config(self.path, given), listener.note)
        after = carry_out(replace(self._context, config=config, resume=self.path), listener)
        after._keeps = self
        return after

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        done, asked = self.summary["epochs_done"], self.summary["epochs"]
        what = f"{self.summary['model']}, {self.summary['loss']}"
        rows = f"{self.summary['vocabulary']:,} x {self.summary['dim']}"
        return f"Run({what}, {rows}, {done:.3g} of {asked} epochs, in {self.path})"


def told(config: Config, tell: Callable[[str], None]) -> Config:
    """Returns the configuration, and tells what it has to say."""
    for note in config.notes:
        tell(note)
    return config


def carry_out(context: Context, listener: Listener, temporary: Path | None = None) -> Run:
    """Trains, and returns what it came to; `temporary` goes with it."""
    from w2v.run import run
    from w2v.training.world import World

    context = replace(context, reporter=listener, stop=listener.stop, keep_state=True)
    context = replace(context, in_step=bool(listener.callbacks))
    stopping = soft_stop(listener.stop, lambda: listener.training_began)
    try:
        with listener, World.join() as world, stopping:
            summary = run(replace(context, world=world))
    except Elsewhere as error:  # who trains again here catches the same on all ranks
        raise (InputError if error.exit_status == 2 else RunError)(str(error)) from error
    return Run(summary, context, temporary)
