"""Where a run begins and what it leaves: its checkpoints on the way, its result, and what to say
when it fails.

with closing(Saving(context, text, job, output)) as saving:
    result, blocks_done = saving.begin(earlier)      # the checkpoint to go on from, or None
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
from w2v.runs.resume import MADE_WITH, RANKS, check_blocks, comparable, made_otherwise, put_back
from w2v.runs.rows import Follower
from w2v.system.versions import made_with
from w2v.training.report import RunSummary
from w2v.training.result import Diverged, TrainingResult
from w2v.training.schedule import Blocks
from w2v.training.task import Context, Files, Job, Result, Text
from w2v.training.trainer import Watcher


class Saving:
    """Everything about a run that outlives its process. After `close` nothing is being written. All
    ranks but the first only know what is kept."""

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
        self._created = False  # whether the run's directory is this process's work

    def close(self) -> None:
        """Waits until the checkpoint in work is written."""
        self._feed.close()
        if self._checkpointer is not None:
            self._checkpointer.close()

    def begin(self, earlier: Checkpoint | None) -> tuple[TrainingResult, int]:
        """Returns what an earlier run has booked, and how many blocks it has trained; nothing, for
        a new one. The job's blocks become those of the run gone on with."""
        resumed = self._output.begun
        result, blocks_done = self._begun(earlier)
        folder = self._config.checkpoints.tensorboard
        if folder is not None and self._writes:
            self._sinks.append(TensorBoard(folder, result.metrics if resumed else None))
        self._feed = Feed(self._sinks, len(result.metrics), self._reporter)
        return result, blocks_done

    def _begun(self, earlier: Checkpoint | None) -> tuple[TrainingResult, int]:
        """Makes the run's directory, or reads it."""
        if not self._output.begun and not self._every:
            # what the result replaces stays until then
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
            earlier.tensors = {}  # over ranks this was a copy of all
        if not self._writes:
            self._follower = Follower(self._job.engine)
            return result, 0 if earlier is None else earlier.step
        if self._output.begun:
            # what stands in its way is told now, not when there is a result to lose
            self._directory.restore()
            self._directory.check_vocabulary()
            # `epochs` may have grown, and lines may have come after the checkpoint
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
        if changed := made_otherwise(earlier, self._world.size):
            reporter.note(changed)
        done = f"{100 * result.fraction:.1f} % of the words"
        reporter.stage(f"going on from {earlier.path}, after {done}")
        return result, earlier.step

    def _create(self) -> None:
        self._directory.create(replace=self._output.overwrite, checkpoints=self._every)
        self._output, self._created = replace(self._output, begun=True), True
        self._sinks.append(File(self._output.path / METRICS))

    def feed(self, metrics: Lines) -> None:
        """Takes the lines of metrics.jsonl so far, as the trainer gives them."""
        self._feed(metrics)

    @property
    def watchers(self) -> list[Watcher]:
        """For the trainer, the one that saves last."""
        saves = self._checkpointer or self._follower
        return [*self._others, *([saves] if saves else [])]

    @contextmanager
    def told_when_it_fails(self) -> Iterator[None]:
        """An error that ends the run also says what is kept of it."""
        try:
            yield
        except Elsewhere:
            self.close()
            raise
        except RunError as error:
            self.close()
            raise RunError(f"{error}{self._kept(isinstance(error, Diverged))}") from error
        except InputError:  # a text that nothing can be learnt from
            self._remove()
            raise
        except BaseException as error:
            self.close()
            if self._checkpointer is None:
                self._remove()
            elif isinstance(error, Exception):
                self._reporter.warn(f"the run has failed{self._kept(False)}")
            raise

    def _remove(self) -> None:
        """Removes what this process has made, when nothing is being written to it any more."""
        self.close()
        if self._created:
            shutil.rmtree(self._output.path, ignore_errors=True)

    def keep(self, blocks_done: int, trained: TrainingResult) -> None:
        """At the end of training, on all ranks: saves its state, if it may go on from there."""
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
    ) -> tuple[Path, str | None]:
        """Writes the result; returns its path, and that of the checkpoint from which the run can go
        on. One that was stopped has such a checkpoint, `checkpoint_every` or not."""
        keeps, kept = self._keeps(trained), None
        if self._checkpointer is not None and keeps:
            kept = self._checkpointer.last
        values = summary.as_dict()
        del values["checkpoint"]  # in the run's directory one sees it
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
            # of an earlier stop: not the state of this result
            shutil.rmtree(folder, ignore_errors=True)
        if written.checkpoint is not None:
            return written.path, str(folder / written.checkpoint)
        return written.path, None if kept is None or not kept.is_dir() else str(folder / kept.name)

    def _state(self) -> RunState:
        corpus = describe(self._text.store, self._text.vocabulary)
        made = made_with() | {RANKS: str(self._world.size)}
        facts = {"settings": comparable(self._config), "corpus": corpus, MADE_WITH: made}
        return RunState(self._job, self._others, facts)

    def _kept(self, diverged: bool) -> str:
        run, last = self._output.path, None
        if self._checkpointer is not None:
            last = self._checkpointer.last
        elif self._writes or self._output.is_file:
            self._remove()
            return ". Nothing was written"
        elif found := checkpoints_of(run):
            last = found[0]
        if last is None or not last.is_dir():  # somebody may have removed it
            if diverged and self._created:  # to go on with it would end the same way
                self._remove()
                return ". Nothing was written"
            return f". No checkpoint is in {run} yet; to start again: `resume` {run}"
        if not diverged:
            return f". Kept is {last}; to go on: `resume` {run}"
        if not self._config.only_vectors:
            return f". Kept is {last}, from before"
        return f". Kept is {last}, from before; to start from its vectors, train with `init` {run}"
