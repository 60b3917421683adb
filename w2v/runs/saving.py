"""Where a run begins and what it leaves: its checkpoints on the way, its result, and what to say
when it fails.

with Saving(config, …) as saving:
    result, blocks_done = saving.begin(earlier)     # earlier: the checkpoint to go on from, or None
    …                                                # training, with saving.watchers
    path, checkpoint = saving.finish(blocks_done, result, summary)
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import numpy as np

from w2v.corpus import TokenStore, Vocabulary
from w2v.corpus.identity import describe
from w2v.errors import InputError, RunError
from w2v.runs.checkpoint import FOLDER, Checkpoint, save_checkpoint
from w2v.runs.checkpointer import Checkpointer, RunState
from w2v.runs.directory import Files
from w2v.runs.output import Output
from w2v.runs.resume import check_blocks, comparable, put_back
from w2v.settings.config import Config
from w2v.settings.interval import Interval, parse_interval
from w2v.training.engine import Engine
from w2v.training.report import Reporter, RunSummary
from w2v.training.schedule import Schedule
from w2v.training.trainer import Diverged, TrainingResult, Watcher


class Saving:
    """Everything about a run that outlives its process. A context manager: at its end nothing is
    being written.

    others: the run's watchers besides checkpoints. learnt: gives vectors and further files of the
    result, where they are not just the engine's vectors. bounds: of the blocks, after `begin` those
    of the run gone on with.
    """

    def __init__(
        self,
        config: Config,
        store: TokenStore,
        vocabulary: Vocabulary,
        output: Output,
        engine: Engine,
        bounds: np.ndarray,
        schedule: Schedule,
        reporter: Reporter,
        others: Sequence[Watcher] = (),
        learnt: Callable[[], tuple[np.ndarray, Files]] | None = None,
    ) -> None:
        self.bounds = bounds
        self._config, self._store, self._vocabulary, self._reporter = (
            config,
            store,
            vocabulary,
            reporter,
        )
        self._output, self._engine, self._schedule, self._others = output, engine, schedule, others
        self._learnt = learnt or (lambda: (engine.vectors, {}))
        self._facts: dict[str, object] = {}
        self._checkpointer: Checkpointer | None = None
        self._created = False  # whether the run's directory is this process's work

    def __enter__(self) -> Saving:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._checkpointer is not None:
            self._checkpointer.close()

    def begin(self, earlier: Checkpoint | None) -> tuple[TrainingResult, int]:
        """What an earlier run has booked, and how many blocks it has trained; nothing, for a new
        one.

        Raises:
            InputError: the checkpoint does not fit; or somebody else has made the run's directory
                meanwhile.
            RunError: the directory cannot be written.
        """
        every = self._config.checkpoints.checkpoint_every
        if not self._output.begun and every is None:
            return TrainingResult(), 0
        if earlier is not None:
            check_blocks(earlier, int(self.bounds[-1]), self._config.training.epochs)
            self.bounds = earlier.bounds
        state = self._state()
        result = TrainingResult() if earlier is None else put_back(state, earlier)
        if self._output.begun:
            # what stands in its way is told now, not when there is a result to lose
            self._restore()
            self._config.save_yaml(self._output.path / "config.yaml")  # `epochs` may have grown
        else:
            self._output, self._created = self._output.begin(self._config, self._vocabulary), True
        interval = Interval() if every is None else parse_interval(every)
        self._checkpointer = Checkpointer(
            self._output.directory.checkpoints,
            interval,
            self._config.checkpoints.keep,
            state,
            self._restore,
            self._reporter.warn,
            epoch_ends=every is not None,
        )
        if earlier is None:
            return result, 0
        self._checkpointer.resumed(earlier, result.total.read)
        self._reporter.stage(
            f"going on from {earlier.path}, after {100 * result.fraction:.1f} % of the words"
        )
        return result, earlier.step

    @property
    def watchers(self) -> list[Watcher]:
        """For the trainer, the one that saves last."""
        return [*self._others, *([self._checkpointer] if self._checkpointer else [])]

    @contextmanager
    def told_when_it_fails(self) -> Iterator[None]:
        """An error that ends the run also says what is kept of it."""
        try:
            yield
        except RunError as error:
            if self._checkpointer is not None:
                self._checkpointer.close()
            raise RunError(f"{error}{self._kept(isinstance(error, Diverged))}") from error
        except InputError:  # a text that nothing can be learnt from
            if self._created:
                shutil.rmtree(self._output.path, ignore_errors=True)
            raise
        except Exception:
            if self._checkpointer is not None:
                self._checkpointer.close()
                self._reporter.warn(f"the run has failed{self._kept(False)}")
            raise

    def finish(
        self, blocks_done: int, result: TrainingResult, summary: RunSummary
    ) -> tuple[Path, str | None]:
        """Writes the result; its path, and that of the checkpoint from which the run can go on.

        A run that was stopped leaves a checkpoint in its directory, whether `checkpoint_every` was
        given or not.

        Raises:
            RunError: it cannot be written, or holds NaN.
        """
        stopped = result.interrupted and not self._output.is_file
        every = self._config.checkpoints.checkpoint_every is not None
        kept: str | None = None

        def add_checkpoint(folder: Path) -> None:
            nonlocal kept
            if stopped:
                (folder / FOLDER).mkdir()
                try:
                    state = self._state().take(blocks_done, result, copy=False)
                    kept = save_checkpoint(folder / FOLDER, state).name
                except RunError as error:  # the vectors are there by now
                    self._reporter.warn(
                        f"the run cannot be gone on with, its state could not be saved: {error}"
                    )

        if self._checkpointer is not None and (stopped or every):
            self._checkpointer.finish(blocks_done, result)
            last = self._checkpointer.last
            kept = None if last is None or not last.is_dir() else last.name
        values = summary.as_dict()
        del values["checkpoint"]  # in the run's directory one sees it
        vectors, files = self._learnt()
        path = self._output.write(
            self._config, self._vocabulary, vectors, result.metrics, values, files, add_checkpoint
        )
        if self._output.begun and not stopped and not every:
            # of an earlier stop: not the state of this result
            shutil.rmtree(path / FOLDER, ignore_errors=True)
        return path, None if kept is None else str(path / FOLDER / kept)

    def _state(self) -> RunState:
        if not self._facts:
            self._facts = {
                "settings": comparable(self._config),
                "corpus": describe(self._store, self._vocabulary),
            }
        return RunState(self._engine, self.bounds, self._schedule, self._others, dict(self._facts))

    def _restore(self) -> bool:
        return self._output.directory.restore(self._config, self._vocabulary)

    def _kept(self, diverged: bool) -> str:
        if self._checkpointer is None:
            return ". Nothing was written"
        run = self._output.path
        last = self._checkpointer.last
        if last is None or not last.is_dir():  # somebody may have removed it
            if diverged and self._created:  # to go on with it would end the same way
                shutil.rmtree(run, ignore_errors=True)
                return ". Nothing was written"
            return f". No checkpoint is in {run} yet; to start again: `resume` {run}"
        if diverged and self._config.model.model == "lm":
            return f". Kept is {last}, from before"
        if diverged:
            return (
                f". Kept is {last}, from before; to start from its vectors, train with `init` {run}"
            )
        return f". Kept is {last}; to go on: `resume` {run}"
