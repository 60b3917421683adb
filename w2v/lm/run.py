"""A whole run of `--model lm`: corpus, vocabulary, validation text, training, the run directory."""

from __future__ import annotations

import dataclasses
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from w2v.errors import RunError
from w2v.losses.table import LOSSES
from w2v.run import (
    BASE_BYTES,
    COMPILE_SECONDS,
    PLAN_SECONDS,
    check_device,
    import_meanwhile,
    read_vocabulary,
)
from w2v.runs.output import Output, claimed
from w2v.runs.resume import latest, read_again
from w2v.settings.config import Config
from w2v.system.memory import available_memory, return_freed_memory
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
    from w2v.lm.engine import LanguageModelEngine
    from w2v.lm.validation import ValidationText
    from w2v.lm.vocabulary import TokenVocabulary
    from w2v.runs.checkpoint import Checkpoint
    from w2v.runs.directory import Files
    from w2v.training.schedule import Scheduled
    from w2v.training.trainer import TrainingResult


def run_language_model(
    config: Config,
    *,
    use_cache: bool,
    reporter: Reporter,
    stop: StopSignal,
    resume: Path | None = None,
) -> RunSummary:
    """Trains a language model and writes its run directory: the best of the epochs if there is a
    validation text.

    resume: the directory of a run to go on with.

    Raises:
        InputError: the corpus, the validation text, the output or the settings cannot be used.
        RunError: not enough memory, a full disk, numbers that became NaN.
    """
    began = time.perf_counter()
    with claimed(config, resume) as output:
        check_device(config)
        import_meanwhile(config)
        valid = read_validation(config, use_cache, reporter)
        earlier = None if resume is None else latest(resume, config, reporter)
        if resume is not None and earlier is not None:
            store, _ = read_again(
                config, resume, earlier, use_cache, reporter, lambda text: _tokens(text, config)
            )
        else:
            store, _ = read_vocabulary(config, use_cache, reporter)
        with store:
            vocabulary, config = _vocabulary(config, store, reporter)
            text = _encoded(config, valid, vocabulary)
            return_freed_memory()
            return _train(config, store, vocabulary, text, output, earlier, reporter, stop, began)


def _train(
    config: Config,
    store: TokenStore,
    vocabulary: TokenVocabulary,
    text: ValidationText | None,
    output: Output,
    earlier: Checkpoint | None,
    reporter: Reporter,
    stop: StopSignal,
    began: float,
) -> RunSummary:
    """The part after the texts are read; `earlier` is the checkpoint to go on from."""
    from w2v.lm.saved import model_arrays, model_files
    from w2v.lm.validation import LanguageModelValidation
    from w2v.runs.saving import Saving
    from w2v.training.trainer import Trainer

    read = time.perf_counter()
    _check_memory(config, len(vocabulary))
    engine, schedule = _engine(config, store, vocabulary, reporter), _schedule(config)
    validation = None
    if text is not None:
        validation = LanguageModelValidation(
            engine, text, vocabulary, schedule, config.validation.patience, reporter
        )

    def learnt() -> tuple[np.ndarray, Files]:
        arrays = model_arrays(engine.model) if validation is None else validation.learnt()
        return arrays["input.weight"], model_files(arrays, vocabulary)

    with Saving(
        config,
        store,
        vocabulary.vocabulary,
        output,
        engine,
        engine.bounds(),
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
            watchers=saving.watchers,
            blocks_done=blocks_done,
            result=result,
            unit="tokens",
        )
        with saving.told_when_it_fails():
            result = trainer.run(reporter, stop)
            if validation is not None:
                validation.finish(round(result.fraction * config.training.epochs, 6), result)
            reporter.stage(f"writing {output.path}")
            seconds = Seconds(read - began, result.seconds, time.perf_counter() - began)
            summary = _summary(config, store, vocabulary, engine, result, output.path, seconds)
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


def plan_language_model(config: Config, *, use_cache: bool, reporter: Reporter) -> Plan:
    """What `run_language_model` would do and need; writes nothing. The time comes from about a
    second of training.

    Raises:
        InputError: the corpus, the validation text, the output or the settings cannot be used.
    """
    output = Output.prepare(config)
    check_device(config)
    valid = read_validation(config, use_cache, reporter)
    store, _ = read_vocabulary(config, use_cache, reporter)
    with store:
        vocabulary, config = _vocabulary(config, store, reporter)
        _encoded(config, valid, vocabulary)
        needed, available = _memory(config, len(vocabulary))
        fits = available is None or needed <= available
        words = _words(store, vocabulary, 0)
        from w2v.lm.cost import parameter_count

        return Plan(
            output=str(output.path),
            model=config.model.model,
            loss=config.training.loss,
            words=words.read,
            in_vocabulary=words.in_vocabulary,
            distinct_words=len(store.vocabulary),
            vocabulary=len(vocabulary),
            dim=config.model.dim,
            epochs=config.training.epochs,
            threads=config.threads,
            memory_bytes=needed,
            memory_available_bytes=available,
            output_bytes=4
            * (parameter_count(config, len(vocabulary)) + len(vocabulary) * config.model.dim),
            training_seconds=(
                _training_seconds(config, store, vocabulary, reporter) if fits else None
            ),
        )


def _vocabulary(
    config: Config, store: TokenStore, reporter: Reporter
) -> tuple[TokenVocabulary, Config]:
    """The tokens, and the configuration with no more noise words than there are to draw."""
    from w2v.lm.vocabulary import TokenVocabulary

    if config.lm.subwords:
        reporter.stage(f"training {config.lm.subwords:,} subwords")
    vocabulary = TokenVocabulary.of_corpus(store, config)
    if LOSSES[config.training.loss].negatives(config.loss) >= len(vocabulary):
        fewer = len(vocabulary) - 1
        reporter.note(f"`negatives` is {fewer:,}, for there are only {len(vocabulary):,} tokens")
        config = dataclasses.replace(config, loss=dataclasses.replace(config.loss, negatives=fewer))
    return vocabulary, config


def _tokens(store: TokenStore, config: Config) -> Vocabulary:
    """The vocabulary that a run with this text has."""
    from w2v.lm.vocabulary import TokenVocabulary

    return TokenVocabulary.of_corpus(store, config).vocabulary


def _encoded(
    config: Config, valid: TokenStore | None, vocabulary: TokenVocabulary
) -> ValidationText | None:
    if valid is None:
        return None
    from w2v.lm.validation import ValidationText

    with valid:
        return ValidationText.of_store(str(config.validation.valid), valid, vocabulary)


def _engine(
    config: Config, store: TokenStore, vocabulary: TokenVocabulary, reporter: Reporter
) -> LanguageModelEngine:
    """The engine over the corpus; says what it will do."""
    from w2v.lm.engine import LanguageModelEngine

    if vocabulary.subwords is None:
        engine = LanguageModelEngine(
            config,
            store.ids,
            vocabulary.table(store),
            vocabulary.counts,
            vocabulary.eos,
            store.release,
        )
    else:
        ids = vocabulary.encode_store(store)
        engine = LanguageModelEngine(config, ids, None, vocabulary.counts, vocabulary.eos)
    where = f"{config.threads} threads" if engine.device.type == "cpu" else str(engine.device)
    reporter.stage(
        f"training {config.lm.arch}, {len(vocabulary):,} tokens x {config.model.dim}, loss"
        f" {config.training.loss}, {where}, {config.optimizer}, learning rate {config.lr:g}"
        f" {config.lm.schedule}"
    )
    timer = threading.Timer(
        COMPILE_SECONDS, reporter.stage, ["compiling (once for this kind of model)"]
    )
    timer.start()
    try:
        engine.warm_up()
    finally:
        timer.cancel()
    return engine


def _schedule(config: Config) -> Scheduled:
    from w2v.training.schedule import Scheduled

    return Scheduled(config.lr, config.lm.schedule or "constant", config.lm.warmup or 0.0)


def _memory(config: Config, vocabulary: int) -> tuple[int, int | None]:
    """What the run will need, and what there is, in bytes."""
    from w2v.lm.cost import memory_bytes

    return BASE_BYTES + memory_bytes(config, vocabulary), available_memory()


def _check_memory(config: Config, vocabulary: int) -> None:
    needed, available = _memory(config, vocabulary)
    if available is not None and needed > available:
        raise RunError(
            f"training {vocabulary:,} tokens x {config.model.dim} needs {needed / 1e9:.1f} GB of"
            f" memory, {available / 1e9:.1f} GB are free; lower `dim`, `hidden` or `batch_size`,"
            " raise `min_count`, or set `max_vocab`"
        )


def _training_seconds(
    config: Config, store: TokenStore, vocabulary: TokenVocabulary, reporter: Reporter
) -> float | None:
    from w2v.training.trainer import Trainer

    engine = _engine(config, store, vocabulary, reporter)
    stop = threading.Event()
    timer = threading.Timer(PLAN_SECONDS, stop.set)
    timer.start()
    try:
        trainer = Trainer(engine, engine.bounds(), config.training.epochs, _schedule(config))
        result = trainer.run(SilentReporter(), stop)
    finally:
        timer.cancel()
    return result.seconds / result.fraction if result.fraction else None


def _words(store: TokenStore, vocabulary: TokenVocabulary, trained: int) -> Words:
    """Of the corpus as tokens; where a word is several, of its words and line ends."""
    read = store.n_words + store.n_lines
    unknown = 0 if vocabulary.subwords else int(vocabulary.counts[vocabulary.unk])
    unknown = min(unknown, read - int(vocabulary.counts.sum() - vocabulary.counts[vocabulary.unk]))
    return Words(read, read - unknown, unknown, trained, trained, 0, 0)


def _summary(
    config: Config,
    store: TokenStore,
    vocabulary: TokenVocabulary,
    engine: LanguageModelEngine,
    result: TrainingResult,
    output: Path,
    seconds: Seconds,
) -> RunSummary:
    finished = [tally.mean_loss for tally in result.epochs if tally.predictions]
    return RunSummary(
        output=str(output),
        model=config.model.model,
        loss=config.training.loss,
        engine=engine.name,
        words=_words(store, vocabulary, result.total.trained),
        vocabulary=len(vocabulary),
        seconds=seconds,
        words_per_second=result.total.read / max(result.seconds, 1e-9),
        final_loss=finished[-1] if finished else None,
        predictions=result.total.predictions,
        dim=config.model.dim,
        epochs=config.training.epochs,
        epochs_done=result.fraction * config.training.epochs,
        interrupted=result.interrupted,
        seed=config.training.seed,
        threads=config.threads,
    )
