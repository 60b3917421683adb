"""A whole training run: claim the output, read the text, build the job, train, write.

summary = run(Context(config, reporter, stop))

The differences between word vectors and language models are in `w2v.words.task`, `w2v.lm.task`.
"""

from __future__ import annotations

import pkgutil
import threading
import time
from contextlib import closing
from dataclasses import dataclass, replace

from w2v.errors import InputError, RunError
from w2v.runs.checkpoint import Checkpoint
from w2v.runs.metrics import check_tensorboard
from w2v.runs.output import Output, prepare_output
from w2v.runs.resume import latest
from w2v.runs.saving import Saving
from w2v.runs.together import among_ranks, check_same_text, claimed_for_all, shared
from w2v.system.compiled import kernel_note
from w2v.system.memory import return_freed_memory
from w2v.system.packages import reporting_missing
from w2v.training.forecast import forecast
from w2v.training.report import Plan, RunSummary, Seconds, SilentReporter
from w2v.training.result import TrainingResult
from w2v.training.task import Context, Job, Task, Text
from w2v.training.text import pinned_config, read_together
from w2v.training.trainer import Trainer
from w2v.training.world import World

WORSE = 2  # warn if the last loss exceeds that of an untrained model by this factor
PLAN_SECONDS = 1.0  # length of the trial training from which a plan estimates the speed
LONG_SECONDS = 3600.0  # if training takes longer, the plan says what would be faster


def run(context: Context) -> RunSummary:
    """Trains, writes the result and returns the summary. Raises InputError if the corpus, the
    output or a setting cannot be used, and RunError for lack of memory, a full disk or NaN."""
    began, world = time.perf_counter(), context.world
    with world.step():
        context = replace(context, config=pinned_config(context.config))
    context = among_ranks(context)
    with reporting_missing(), claimed_for_all(context) as output:
        earlier: Checkpoint | None = None
        with world.step():
            task = make_task(context)
            task.prepare()
            if world.rank == 0:
                check_tensorboard(context.config.checkpoints.tensorboard)
                earlier = latest(context)
                _report_surprises(context, output)
        earlier = shared(world, earlier, task.rows_of_rank)
        with closing(_read(task, earlier)) as text:
            return_freed_memory()
            read = time.perf_counter()
            with world.step():
                check_memory(task, len(text.vocabulary))
                if world.rank == 0:
                    output.check_space(task.output_bytes(len(text.vocabulary)))
                    output.check_words(text.vocabulary.words, context.config.model.vector_size)
                job = task.job(text)
                _check_ranks(job, world)
            note = kernel_note()
            if note and not any(note in warning for warning in text.store.warnings):
                context.reporter.note(note)
            try:
                return _train(task, text, job, output, earlier, _Clock(began, read))
            finally:
                job.engine.close()


def _read(task: Task, earlier: Checkpoint | None) -> Text:
    """Returns the texts. With several ranks, all of them read the corpus of a new run together;
    all other texts are read by rank 0 first, so that the other ranks find them in the cache."""
    world = task.context.world
    if earlier is None:
        task.context = replace(task.context, store=read_together(task.context))
    text: Text | None = None
    for first in (True, False):
        with world.step():
            if first == (world.rank == 0):
                text = task.read(earlier)
    assert text is not None
    check_same_text(world, text)
    return text


def _check_ranks(job: Job, world: World) -> None:
    if world.size > 1 and job.exchange is None:
        problem = f"runs in a single process, but there are {world.size} ranks"
        raise InputError(f"`engine` {job.engine.name} {problem}: start it without torchrun")


@dataclass(frozen=True)
class _Clock:
    """Timestamps in seconds (`time.perf_counter`) of the start of the run and of the end of reading
    its text; `before` is the training time in seconds of earlier processes."""

    began: float
    read: float
    before: float = 0.0

    def seconds(self, training: float) -> Seconds:
        total = time.perf_counter() - self.began + self.before
        return Seconds(self.read - self.began, training, total)


def _report_surprises(context: Context, output: Output) -> None:
    """Reports what may surprise the user, before the long part begins."""
    config, training, reporter = context.config, context.config.training, context.reporter
    if training.deterministic and training.engine == "hogwild":
        message = f"`deterministic` holds for `threads` {training.threads}"
        reporter.note(f"{message}: another number gives different vectors")
    if output.surprise is not None:
        reporter.note(output.surprise)
    # reading a corpus folder skips a run directory in it
    if output.is_file and (folder := output.lies_in(config.corpus.corpus)):
        message = f"`output` {output.path} lies in the corpus folder {folder}"
        reporter.warn(f"{message}: the next run on that folder will read it as text")


def _train(
    task: Task, text: Text, job: Job, output: Output, earlier: Checkpoint | None, clock: _Clock
) -> RunSummary:
    """Trains, writes and summarises: the part of a run after the texts are read."""
    context, reporter, world = task.context, task.reporter, task.context.world
    if job.validation is not None:
        job.validation.world = world
    with closing(Saving(context, text, job, output)) as saving:
        with world.step():
            result, blocks_done = saving.begin(earlier)
        clock = replace(clock, before=result.seconds)
        hooks = (context.in_step, saving.feed)
        trainer = Trainer(job, saving.watchers, blocks_done, result, task.unit, *hooks)
        with saving.explained_failure():
            result = trainer.run(reporter, context.stop)
            with world.step():
                if not result.interrupted:
                    task.check(result.total)
            if (loss := result.last_loss) is not None and loss > WORSE * job.blind:
                reporter.warn(
                    f"the loss of the last epoch, {loss:.4g} nats per prediction, is worse than"
                    f" that of an untrained model ({job.blind:.2g}): try a smaller `lr`"
                    f" (given: {context.config.training.lr:g})"
                )
            if job.validation is not None:
                epochs = round(result.fraction * context.config.training.epochs, 6)
                job.validation.finish(epochs, result)
            reporter.stage("writing the result")
            summary = _summary(task, text, job, result, clock)
            path, checkpoint, fingerprints, learnt = output.path, None, dict[str, str](), None
            with world.step():
                if world.rank == 0:
                    learnt = task.result(text, job)
            saving.keep(trainer.blocks_done, result)
            with world.step():
                if learnt is not None:
                    written = saving.finish(trainer.blocks_done, result, summary, learnt)
                    path, checkpoint, fingerprints = written
            name, checkpoint, fingerprints = world.broadcast((str(path), checkpoint, fingerprints))
        if path != output.path and world.rank == 0:
            taken = f"{output.path} was taken by another run in the meantime"
            reporter.warn(f"{taken}; the result is in {path}")
        seconds = clock.seconds(result.seconds)
        summary = replace(summary, output=name, seconds=seconds, fingerprints=fingerprints)
        return replace(summary, checkpoint=checkpoint)


def plan(context: Context) -> Plan:
    """Returns what `run` would do and need; writes nothing. Raises InputError as `run` does.

    The time is extrapolated from about a second of training, if there is enough memory for it.
    """
    config, world = context.config, context.world
    context = among_ranks(context)
    with world.step():
        path = ""
        if world.rank == 0:
            output = prepare_output(config)
            path = str(output.path)
        task = make_task(context)
        task.prepare()
        if world.rank == 0:
            _report_surprises(context, output)
    with reporting_missing(), closing(_read(task, None)) as text:
        size = len(text.vocabulary)
        demands = task.demands(size)
        seconds, over_ranks = None, None
        fits = all(demand.fits for demand in demands)
        if world.agree([fits]).all():
            with world.step():
                job = task.job(text)
                _check_ranks(job, world)
            seconds, over_ranks = forecast(job, _training_seconds, task.reporter.warn)
            if seconds and seconds > LONG_SECONDS and (advice := task.faster(text, job, seconds)):
                task.reporter.note(advice)
        words = task.counts(text, TrainingResult().total)
        return Plan(
            output=path,
            model=config.model.model,
            loss=config.training.loss,
            words=words.read,
            in_vocabulary=words.in_vocabulary,
            distinct_words=len(text.store.vocabulary),
            vocabulary=size,
            dim=config.model.dim,
            epochs=config.training.epochs,
            threads=config.training.threads,
            memory_bytes=demands[-1].needed,
            memory_available_bytes=demands[-1].available,
            output_bytes=task.output_bytes(size),
            training_seconds=seconds,
            over_ranks={} if over_ranks is None else vars(over_ranks),
        )


def make_task(context: Context) -> Task:
    """Returns the task that the configuration names. Modules of the other task stay unimported."""
    return pkgutil.resolve_name(context.config.task_class)(context)  # type: ignore[no-any-return]


def check_memory(task: Task, vocabulary: int) -> None:
    """Raises RunError if training with a vocabulary of this size needs more memory than is free."""
    for number, demand in enumerate(task.demands(vocabulary)):
        if not demand.fits:
            needed, free = (f"{(n or 0) / 1e9:.1f} GB" for n in (demand.needed, demand.available))
            raise RunError(
                f"training {vocabulary:,} {task.unit} x {task.config.model.dim} needs {needed} of"
                f" {demand.where}, {free} are free; {task.remedy(number)}"
            )


def _training_seconds(job: Job) -> float | None:
    stop = threading.Event()
    timer = threading.Timer(PLAN_SECONDS, stop.set)
    timer.start()
    try:
        result = Trainer(job).run(SilentReporter(), stop)
    finally:
        timer.cancel()
    return result.seconds / result.fraction if result.fraction else None


def _summary(task: Task, text: Text, job: Job, result: TrainingResult, clock: _Clock) -> RunSummary:
    config, total = task.config, result.total
    return RunSummary(
        output="",
        model=config.model.model,
        loss=config.training.loss,
        engine=job.engine.name,
        words=task.counts(text, total),
        vocabulary=len(text.vocabulary),
        seconds=clock.seconds(result.seconds),
        words_per_second=total.read / max(result.seconds, 1e-9),
        final_loss=result.last_loss,
        predictions=total.predictions,
        dim=config.model.dim,
        epochs=config.training.epochs,
        epochs_done=result.fraction * config.training.epochs,
        interrupted=result.interrupted,
        seed=config.training.seed,
        threads=config.training.threads,
        validation=None if job.validation is None else job.validation.summary(),
        history=result.history(),
    )
