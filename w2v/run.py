"""A whole training run: check the output, read the corpus, build the vocabulary, train, write.

summary = run(config, use_cache=True, reporter=SilentReporter(), stop=threading.Event())
"""

from __future__ import annotations

import dataclasses
import importlib
import threading
import time
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from w2v.errors import InputError, RunError
from w2v.losses.table import LOSSES
from w2v.runs.output import Output, claimed
from w2v.runs.resume import latest, read_again
from w2v.settings.config import Config
from w2v.system.memory import Demand, available_memory, return_freed_memory
from w2v.training.report import (
    Plan,
    Reporter,
    RunSummary,
    Seconds,
    SilentReporter,
    StopSignal,
    Words,
)
from w2v.training.validation import read_validation

if TYPE_CHECKING:
    from w2v.corpus import TokenStore, Vocabulary
    from w2v.runs.checkpoint import Checkpoint
    from w2v.runs.directory import Files
    from w2v.training.engine import Measuring
    from w2v.training.trainer import TrainingResult
    from w2v.words.autograd import AutogradEngine
    from w2v.words.fused import HogwildEngine
    from w2v.words.start import Start
    from w2v.words.validation import WordValidation

BASE_BYTES = 200 << 20  # interpreter, libraries, buffers for reading
COMPILE_SECONDS = 1.0  # after which we say that we compile
PLAN_SECONDS = 1.0  # how long --dry-run trains to see the speed


def run(
    config: Config,
    *,
    use_cache: bool,
    reporter: Reporter,
    stop: StopSignal,
    resume: Path | None = None,
) -> RunSummary:
    """Trains and writes the result; `resume` is the directory of a run to go on with (see
    `w2v.runs.resume`).

    Raises:
        InputError: the corpus, the output or the settings cannot be used.
        RunError: not enough memory, a full disk, numbers that became NaN.
    """
    if config.model.model == "lm":
        from w2v.lm.run import run_language_model

        return run_language_model(
            config, use_cache=use_cache, reporter=reporter, stop=stop, resume=resume
        )
    began = time.perf_counter()
    with claimed(config, resume) as output:
        check_device(config)
        import_meanwhile(config)
        start = earlier = None
        valid = read_validation(config, use_cache, reporter)
        if resume is not None:
            earlier = latest(resume, config, reporter)
        if resume is not None and earlier is not None:
            store, vocabulary = read_again(config, resume, earlier, use_cache, reporter)
        else:
            store, vocabulary, start = _read_for_start(config, use_cache, reporter)
        with store, _renumbered(config, valid, vocabulary, reporter) as text:
            return_freed_memory()
            return _train(
                config, store, vocabulary, text, start, output, earlier, reporter, stop, began
            )


def _train(
    config: Config,
    store: TokenStore,
    vocabulary: Vocabulary,
    text: TokenStore | None,
    start: Start | None,
    output: Output,
    earlier: Checkpoint | None,
    reporter: Reporter,
    stop: StopSignal,
    began: float,
) -> RunSummary:
    """The part of `run` after the texts are read, `text` for validation. start: other rows than
    usual; earlier: the checkpoint to go on from."""
    from w2v.runs.saving import Saving
    from w2v.training.schedule import LinearDecay
    from w2v.training.trainer import Trainer

    read = time.perf_counter()
    _check_memory(config, len(vocabulary))
    engine, bounds = _engine(config, store, vocabulary, reporter)
    store.release(0, len(store.ids))
    engine.initialise()
    if start is not None:
        start.apply(engine, reporter)
    schedule = LinearDecay(config.lr)
    validation = _validation(config, engine, text, reporter)

    def learnt() -> tuple[np.ndarray, Files]:
        return engine.vectors if validation is None else validation.learnt()["vectors"], {}

    with Saving(
        config,
        store,
        vocabulary,
        output,
        engine,
        bounds,
        schedule,
        reporter,
        [] if validation is None else [validation],
        learnt,
    ) as saving:
        result, blocks_done = saving.begin(earlier)
        trainer = Trainer(
            engine,
            saving.bounds,
            config.training.epochs,
            schedule,
            store.release,
            saving.watchers,
            blocks_done,
            result,
        )
        with saving.told_when_it_fails():
            result = trainer.run(reporter, stop)
            if result.total.predictions == 0 and not result.interrupted:
                raise InputError(
                    "no word has a context word to learn from: after `min_count`, `max_vocab` and"
                    f" `sample` no line has two words left ({result.total.rare:,} and"
                    f" {result.total.dropped:,} words were left out by them); put more words on a"
                    " line, or try a smaller `min_count` or `sample` 0"
                )
            if validation is not None:
                validation.finish(round(result.fraction * config.training.epochs, 6), result)
            reporter.stage(f"writing {output.path}")
            seconds = Seconds(read - began, result.seconds, time.perf_counter() - began)
            summary = _summary(
                config, store, vocabulary, result, str(output.path), engine.name, seconds
            )
            if validation is not None:
                summary = dataclasses.replace(summary, validation=validation.summary())
            path, checkpoint = saving.finish(trainer.blocks_done, result, summary)
        if path != output.path:
            reporter.warn(
                f"{output.path} was taken by another run meanwhile; the result is in {path}"
            )
        seconds = Seconds(read - began, result.seconds, time.perf_counter() - began)
        return dataclasses.replace(
            summary, output=str(path), seconds=seconds, checkpoint=checkpoint
        )


def plan(config: Config, *, use_cache: bool, reporter: Reporter) -> Plan:
    """What `run` would do and need; writes nothing.

    The time is extrapolated from about a second of training, if there is memory for it.

    Raises:
        InputError: the corpus, the output or the settings cannot be used.
    """
    if config.model.model == "lm":
        from w2v.lm.run import plan_language_model

        return plan_language_model(config, use_cache=use_cache, reporter=reporter)
    output = Output.prepare(config)
    check_device(config)
    valid = read_validation(config, use_cache, reporter)
    store, vocabulary, _ = _read_for_start(config, use_cache, reporter)
    with store, _renumbered(config, valid, vocabulary, reporter):
        memory = _memory(config, len(vocabulary))
        fits = all(available is None or needed <= available for _, needed, available in memory)
        in_vocabulary = _in_vocabulary(store, vocabulary)
        return Plan(
            output=str(output.path),
            model=config.model.model,
            loss=config.training.loss,
            words=store.n_words,
            in_vocabulary=in_vocabulary,
            distinct_words=len(store.vocabulary),
            vocabulary=len(vocabulary),
            dim=config.model.dim,
            epochs=config.training.epochs,
            threads=config.threads,
            memory_bytes=memory[-1].needed,
            memory_available_bytes=memory[-1].available,
            output_bytes=4 * len(vocabulary) * config.model.dim,
            training_seconds=(
                _training_seconds(config, store, vocabulary, reporter) if fits else None
            ),
        )


def _renumbered(
    config: Config, valid: TokenStore | None, vocabulary: Vocabulary, reporter: Reporter
) -> AbstractContextManager[TokenStore | None]:
    """The validation text, if there is one, with the ids of the run's vocabulary; closed at the
    context's end."""
    if valid is None:
        return nullcontext()
    from w2v.words.validation import validation_text

    return validation_text(config, valid, vocabulary, reporter)


def _validation(
    config: Config, engine: Measuring, text: TokenStore | None, reporter: Reporter
) -> WordValidation | None:
    if text is None:
        return None
    from w2v.words.validation import WordValidation

    return WordValidation(config, engine, text, reporter)


def import_meanwhile(config: Config) -> None:
    """Imports Numba, half a second, or PyTorch, two, while the corpus is being read."""
    name = {"hogwild": "w2v.words.fused", "autograd": "w2v.words.autograd", "lm": "w2v.lm.engine"}[
        "lm" if config.model.model == "lm" else config.engine
    ]

    def import_it() -> None:
        with suppress(Exception):  # comes again, and is told, where the module is used
            importlib.import_module(name)

    threading.Thread(target=import_it, daemon=True).start()


def check_device(config: Config) -> None:
    """Before anything long: is there the GPU that was asked for?"""
    if config.training.device.startswith("cuda"):
        from w2v.words.autograd import find_device

        find_device(config.training.device)


def _engine(
    config: Config, store: TokenStore, vocabulary: Vocabulary, reporter: Reporter
) -> tuple[HogwildEngine | AutogradEngine, np.ndarray]:
    """The engine and its blocks' bounds; says which it is and why."""
    what = (
        f"training {len(vocabulary):,} words x {config.model.dim}, {config.model.model}, loss"
        f" {config.training.loss}"
    )
    if config.engine == "hogwild":
        from w2v.words.fused import HogwildEngine
        from w2v.words.fused import block_bounds as hogwild_bounds

        reporter.stage(f"{what}, {config.threads} threads; engine hogwild: {config.why_engine}")
        _compile(config, reporter)
        return HogwildEngine(config, store.ids, vocabulary.counts), hogwild_bounds(
            config, store.ids
        )

    from w2v.words.autograd import AutogradEngine, block_bounds
    from w2v.words.cost import warning

    engine = AutogradEngine(config, store.ids, vocabulary.counts)
    where = f"{config.threads} threads" if engine.device.type == "cpu" else str(engine.device)
    reporter.stage(f"{what}, {where}; engine autograd with {config.optimizer}: {config.why_engine}")
    if slow := warning(config, vocabulary.counts, len(store.ids), engine.device):
        reporter.warn(slow)
    return engine, block_bounds(config, store.ids)


def _compile(config: Config, reporter: Reporter) -> None:
    """Loads the kernel from Numba's cache, or compiles it. Not while the corpus is read: both take
    memory."""
    from w2v.words.fused import compiled_kernel

    timer = threading.Timer(
        COMPILE_SECONDS, reporter.stage, ["compiling the kernel (once for this kind of run)"]
    )
    timer.start()
    try:
        compiled_kernel(config)
    finally:
        timer.cancel()
    return_freed_memory()  # the compiler's


def read_vocabulary(
    config: Config, use_cache: bool, reporter: Reporter
) -> tuple[TokenStore, Vocabulary]:
    """The corpus, and the words of it that `min_count` and `max_vocab` leave.

    Raises:
        InputError: the corpus cannot be used, or fewer than two words are left.
    """
    from w2v.corpus import read_corpus
    from w2v.corpus.selection import select_vocabulary

    store = read_corpus(
        config.corpus.corpus, config.corpus, use_cache=use_cache, progress=reporter.reading
    )
    for warning in store.warnings:
        reporter.warn(warning)
    full, settings = store.vocabulary, config.corpus
    vocabulary = select_vocabulary(full, settings)
    if len(vocabulary) < 2:
        store.close()
        if len(full) == 1:
            raise InputError(
                f"the corpus repeats a single word, {full.words[0]!r}: there is nothing to predict"
            )
        if settings.max_vocab == 1:
            raise InputError("`max_vocab` 1 leaves one word: training needs two at least")
        raise InputError(
            f"only one word, {full.words[0]!r}, reaches `min_count` {settings.min_count}, and"
            f" training needs two; try `min_count` {full.counts[1]}"
        )
    return store, vocabulary


def _read_for_start(
    config: Config, use_cache: bool, reporter: Reporter
) -> tuple[TokenStore, Vocabulary, Start | None]:
    """As `read_vocabulary`, and what `init` says about rows and vocabulary."""
    store, vocabulary = read_vocabulary(config, use_cache, reporter)
    if config.start.init is None:
        return store, vocabulary, None
    from w2v.words.start import start_from

    return start_from(config, store, vocabulary, reporter)


def _memory(config: Config, vocabulary: int) -> list[Demand]:
    """What is needed where; the last is where training happens."""
    saved = config.checkpoints.checkpoint_every is not None
    rows = 2 * vocabulary if saved else 0  # copied for a checkpoint
    # of the best epoch
    kept = (1 + saved) * vocabulary * config.model.dim * 4 if config.validation.patience else 0
    if config.engine == "hogwild":
        from w2v.words.fused import memory_bytes

        copied = kept + rows * config.model.dim * 4
        return [
            Demand(
                "memory", BASE_BYTES + memory_bytes(config, vocabulary) + copied, available_memory()
            )
        ]
    from w2v.training.optimizers import STATE_ROWS
    from w2v.words.cost import device_demand, host_bytes

    copied = kept + rows * (1 + STATE_ROWS[config.optimizer]) * config.model.dim * 4
    here = Demand(
        "memory", BASE_BYTES + host_bytes(config, vocabulary) + copied, available_memory()
    )
    there = device_demand(config, vocabulary)
    return [here] if there is None else [here, there]


def _check_memory(config: Config, vocabulary: int) -> None:
    for number, (where, needed, available) in enumerate(_memory(config, vocabulary)):
        if available is None or needed <= available:
            continue
        fewer = "raise `min_count` or set `max_vocab`"
        if _memory(config, 2)[number].needed > available:  # fewer words would not help
            fewer = (
                "`window` or `negatives`"
                if LOSSES[config.training.loss].draws_noise
                else "`window` or `threads`"
            )
            fewer = f"`batch_size`, {fewer}" if config.engine == "autograd" else fewer
        elsewhere = ", or use `device` cpu" if where != "memory" else ""
        raise RunError(
            f"training {vocabulary:,} words x {config.model.dim} needs {needed / 1e9:.1f} GB of"
            f" {where}, {available / 1e9:.1f} GB are free; lower `dim`, {fewer}{elsewhere}"
        )


def _training_seconds(
    config: Config, store: TokenStore, vocabulary: Vocabulary, reporter: Reporter
) -> float | None:
    from w2v.training.schedule import LinearDecay
    from w2v.training.trainer import Trainer

    engine, bounds = _engine(config, store, vocabulary, reporter)
    engine.initialise()
    stop = threading.Event()
    timer = threading.Timer(PLAN_SECONDS, stop.set)
    timer.start()
    try:
        result = Trainer(engine, bounds, config.training.epochs, LinearDecay(config.lr)).run(
            SilentReporter(), stop
        )
    finally:
        timer.cancel()
    return result.seconds / result.fraction if result.fraction else None


def _in_vocabulary(store: TokenStore, vocabulary: Vocabulary) -> int:
    """How many words of the text are in the vocabulary, whose counts may be those of another text
    (`init`)."""
    return int(vocabulary.counts.sum()) if store.known_words is None else store.known_words


def _summary(
    config: Config,
    store: TokenStore,
    vocabulary: Vocabulary,
    result: TrainingResult,
    output: str,
    engine: str,
    seconds: Seconds,
) -> RunSummary:
    total, in_vocabulary = result.total, _in_vocabulary(store, vocabulary)
    finished = [tally.mean_loss for tally in result.epochs if tally.predictions]
    return RunSummary(
        output=output,
        model=config.model.model,
        loss=config.training.loss,
        engine=engine,
        words=Words(
            read=store.n_words,
            in_vocabulary=in_vocabulary,
            left_out=store.n_words - in_vocabulary,
            passed=total.read,
            trained=total.trained,
            subsampled=total.dropped,
            passed_left_out=total.rare,
        ),
        vocabulary=len(vocabulary),
        seconds=seconds,
        words_per_second=total.read / max(result.seconds, 1e-9),
        final_loss=float(np.float64(finished[-1])) if finished else None,
        predictions=total.predictions,
        dim=config.model.dim,
        epochs=config.training.epochs,
        epochs_done=result.fraction * config.training.epochs,
        interrupted=result.interrupted,
        seed=config.training.seed,
        threads=config.threads,
    )
