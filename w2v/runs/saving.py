"""Saves a run: its checkpoints during training, its result, and what a message says about them if
it fails.

with closing(Saving(context, text, job, output)) as saving:
    result, blocks_done = saving.begin(earlier)      # earlier: the checkpoint to resume, or None
    …                                                # training, with saving.watchers
    saving.keep(blocks_done, trained)
    path, checkpoint = saving.finish(blocks_done, trained, summary, result)
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from w2v.corpus.identity import describe
from w2v.errors import Elsewhere, InputError, RunError
from w2v.runs.checkpoint import FOLDER, Checkpoint, checkpoints_of
from w2v.runs.checkpointer import Checkpointer, RunState
from w2v.runs.directory import (
    CONFIG,
    METRICS,
    OWNER,
    RunDirectory,
    end_files,
    metrics_lines,
    start_files,
)
from w2v.runs.metrics import Feed, File, Lines, Sink, TensorBoard
from w2v.runs.output import Output
from w2v.runs.resume import MADE_WITH, RANKS, changes_since, check_blocks, comparable, put_back
from w2v.runs.rows import Follower
from w2v.system.versions import made_with
from w2v.training.report import RunSummary
from w2v.training.result import Diverged, TrainingResult
from w2v.training.schedule import Blocks
from w2v.training.task import Context, Files, Job, Result, Text
from w2v.training.trainer import Watcher
from w2v.vectors.fingerprints import fingerprints


class Saving:
    """Writes everything of a run that outlives its process. After `close` nothing is being written.
    Ranks other than 0 write nothing and only keep track."""

    def __init__(self, context: Context, text: Text, job: Job, output: Output) -> None:
        self._config, self._reporter = context.config, context.reporter
        self._world, self._writes = context.world, context.world.rank == 0
        self._text, self._job, self._output = text, job, output
        self._keep_state = context.keep_state
        self._every = self._config.checkpoints.checkpoint_every is not None
        self._others: list[Watcher] = [] if job.validation is None else [job.validation]
        self._start = start_files(context.config, text.vocabulary, context.world.owner)
        self._directory = RunDirectory(output.path, self._start)
        self._checkpointer: Checkpointer | None = None
        self._follower: Follower | None = None
        self._sinks: list[Sink] = []
        self._feed = Feed(self._sinks, 0, self._reporter)
        self._created = False  # whether this process created the run's directory

    def close(self) -> None:
        """Waits until the current checkpoint is written."""
        self._feed.close()
        if self._checkpointer is not None:
            self._checkpointer.close()

    def begin(self, earlier: Checkpoint | None) -> tuple[TrainingResult, int]:
        """Returns the results so far and the number of blocks trained, both empty for a new run.
        The job's blocks become those of the resumed run."""
        resumed = self._output.begun
        result, blocks_done = self._begun(earlier)
        folder = self._config.checkpoints.tensorboard
        if folder is not None and self._writes:
            self._sinks.append(TensorBoard(folder, result.metrics if resumed else None))
        self._feed = Feed(self._sinks, len(result.metrics), self._reporter)
        return result, blocks_done

    def _begun(self, earlier: Checkpoint | None) -> tuple[TrainingResult, int]:
        """Creates the run's directory, or restores the state of a resumed run."""
        if not self._output.begun and not self._every:
            # an output that will be replaced stays until then
            new = not self._output.is_file and not os.path.lexists(self._output.path)
            if self._writes and new:
                self._create()
            return TrainingResult(), 0
        if earlier is not None:
            check_blocks(earlier, self._job.blocks)
            self._job.blocks = Blocks(earlier.bounds, self._job.blocks.epochs)
        state = self._state()
        result = TrainingResult()
        if earlier is not None:
            result = put_back(state, earlier)
            earlier.tensors = {}  # with several ranks this was a full copy
        if not self._writes:
            self._follower = Follower(self._job.engine)
            return result, 0 if earlier is None else earlier.step
        if self._output.begun:
            # report obstacles now, before there is a result that could be lost
            self._directory.restore()
            self._directory.check_vocabulary()
            # `epochs` may have been raised, and metrics.jsonl may have lines after the checkpoint
            lines = metrics_lines(result.metrics)
            metrics: Files = {METRICS: lambda file: file.write(lines)}
            owner: Files = {OWNER: self._start[OWNER]} if OWNER in self._start else {}
            self._directory.add({CONFIG: self._start[CONFIG], **owner, **metrics})
            self._sinks.append(File(self._output.path / METRICS))
        else:
            self._create()
        settings, reporter = self._config.checkpoints, self._reporter
        self._checkpointer = Checkpointer(self._directory, settings, state, reporter)
        if earlier is None:
            return result, 0
        self._checkpointer.resumed(earlier, result.total.read)
        if changed := changes_since(earlier, self._world.size):
            reporter.note(changed)
        done = f"{100 * result.fraction:.1f} % of the words"
        reporter.stage(f"resuming from {earlier.path}, after {done}")
        return result, earlier.step

    def _create(self) -> None:
        self._directory.create(replace=self._output.overwrite, checkpoints=self._every)
        self._output, self._created = replace(self._output, begun=True), True
        self._sinks.append(File(self._output.path / METRICS))

    def feed(self, metrics: Lines) -> None:
        """Writes the new ones among the lines of metrics.jsonl so far; called by the trainer."""
        self._feed(metrics)

    @property
    def watchers(self) -> list[Watcher]:
        """The watchers for the trainer; the one that saves comes last."""
        saves = self._checkpointer or self._follower
        return [*self._others, *([saves] if saves else [])]

    @contextmanager
    def explained_failure(self) -> Iterator[None]:
        """Adds to an error that ends the run what was kept of it."""
        try:
            yield
        except Elsewhere:
            self.close()
            raise
        except RunError as error:
            self.close()
            raise RunError(f"{error}{self._what_was_kept(isinstance(error, Diverged))}") from error
        except InputError:  # nothing can be learnt from the text
            self._remove()
            raise
        except BaseException as error:
            self.close()
            if self._checkpointer is None:
                self._remove()
            elif isinstance(error, Exception):
                self._reporter.warn(f"the run has failed{self._what_was_kept(False)}")
            raise

    def _remove(self) -> None:
        """Stops writing to the directory and removes it if this process created it."""
        self.close()
        if self._created:
            shutil.rmtree(self._output.path, ignore_errors=True)

    def keep(self, blocks_done: int, trained: TrainingResult) -> None:
        """Saves the state at the end of training, if the run may be resumed; call on all ranks."""
        self._feed(trained.metrics)
        if not self._keeps(trained):
            return
        if self._checkpointer is not None:
            self._checkpointer.finish(blocks_done, trained)
        elif self._follower is not None:
            self._follower.finish()

    def _keeps(self, trained: TrainingResult) -> bool:
        return trained.interrupted or self._keep_state or self._every

    def finish(
        self, blocks_done: int, trained: TrainingResult, summary: RunSummary, result: Result
    ) -> tuple[Path, str | None, dict[str, str]]:
        """Writes the result; returns its path, the path of the checkpoint from which the run can be
        resumed, and the fingerprints. A stopped run has a checkpoint even without
        `checkpoint_every`."""
        keeps, last = self._keeps(trained), None
        if self._checkpointer is not None and keeps:
            last = self._checkpointer.last
        values = summary.as_dict()
        del values["checkpoint"]  # evident in the run's directory
        checkpoint = None
        if keeps and self._checkpointer is None and not self._output.is_file:
            checkpoint = self._state().take(blocks_done, trained, copy=False)

        def end(path: Path) -> Files:
            return end_files(result, trained.metrics, {**values, "output": str(path)})

        vocabulary = self._text.vocabulary
        written = self._output.write(result, vocabulary, self._start, end, checkpoint)
        for warning in written.warnings:
            self._reporter.warn(warning)
        folder = written.path / FOLDER
        if self._output.begun and not keeps:
            # from an earlier stop, so not the state of this result
            shutil.rmtree(folder, ignore_errors=True)
        if written.checkpoint is not None:
            last = folder / written.checkpoint
        elif last is not None:
            last = folder / last.name if last.is_dir() else None
        checkpoint_path = None if last is None else str(last)
        return written.path, checkpoint_path, fingerprints(written.path)

    def _state(self) -> RunState:
        corpus = describe(self._text.store, self._text.vocabulary)
        versions = made_with() | {RANKS: str(self._world.size)}
        facts = {"settings": comparable(self._config), "corpus": corpus, MADE_WITH: versions}
        return RunState(self._job, self._others, facts)

    def _what_was_kept(self, diverged: bool) -> str:
        run, last = self._output.path, None
        if self._checkpointer is not None:
            last = self._checkpointer.last
        elif self._writes or self._output.is_file:
            self._remove()
            return ". Nothing was written"
        elif checkpoints := checkpoints_of(run):
            last = checkpoints[0]
        if last is None or not last.is_dir():  # the user may have removed it
            if diverged and self._created:  # resuming would fail the same way
                self._remove()
                return ". Nothing was written"
            return f". {run} has no checkpoint yet; to start again: `resume` {run}"
        if not diverged:
            return f". Kept: {last}; to go on: `resume` {run}"
        if not self._config.only_vectors:
            return f". Kept: {last}, from before"
        return f". Kept: {last}, from before; to start from its vectors, train with `init` {run}"
