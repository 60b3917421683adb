"""A whole training run: check the output, read the corpus, build the vocabulary, train, write.

summary = run(config, use_cache=True, reporter=SilentReporter(), stop=threading.Event())
"""

from __future__ import annotations

import importlib
import threading
import time
from typing import TYPE_CHECKING

import numpy as np

from w2v.config import Config
from w2v.errors import InputError, RunError
from w2v.memory import Demand, available_memory, return_freed_memory
from w2v.training.output import Output
from w2v.training.report import Plan, Reporter, RunSummary, Seconds, SilentReporter, StopSignal, Words

if TYPE_CHECKING:
    from w2v.corpus import TokenStore, Vocabulary
    from w2v.training.engine import Engine
    from w2v.training.trainer import TrainingResult

BASE_BYTES = 200 << 20  # interpreter, libraries, buffers for reading
COMPILE_SECONDS = 1.0  # after which we say that we compile
PLAN_SECONDS = 1.0  # how long --dry-run trains to see the speed


def run(config: Config, *, use_cache: bool, reporter: Reporter, stop: StopSignal) -> RunSummary:
    """Trains and writes the result.

    Raises:
        InputError: the corpus, the output or the settings cannot be used.
        RunError: not enough memory, a full disk, numbers that became NaN.
    """
    began = time.perf_counter()
    output = Output.prepare(config)
    _check_device(config)
    _import_meanwhile(config)
    store, vocabulary = _read(config, use_cache, reporter)
    return_freed_memory()
    with store:
        read = time.perf_counter()
        _check_memory(config, len(vocabulary))
        engine, bounds = _engine(config, store, vocabulary, reporter)
        store.release(0, len(store.ids))
        engine.initialise()

        from w2v.training.schedule import LinearDecay
        from w2v.training.trainer import Trainer

        trainer = Trainer(engine, bounds, config.training.epochs, LinearDecay(config.lr), store.release)
        result = trainer.run(reporter, stop)
        if result.total.predictions == 0 and not result.interrupted:
            raise InputError(
                "no word has a context word to learn from: after --min-count, --max-vocab and --sample no line has two"
                f" words left ({result.total.rare:,} and {result.total.dropped:,} words were left out by them);"
                " put more words on a line, or try a smaller --min-count or --sample 0"
            )
        reporter.stage(f"writing {output.path}")

        def summary_after(seconds: Seconds) -> RunSummary:
            return _summary(config, store, vocabulary, result, str(output.path), engine.name, seconds)

        seconds = Seconds(read - began, result.seconds, time.perf_counter() - began)
        path = output.write(config, vocabulary, engine.vectors, result.metrics, summary_after(seconds).as_dict())
        if path != output.path:
            reporter.warn(f"{output.path} was taken by another run meanwhile; the result is in {path}")
        seconds = Seconds(read - began, result.seconds, time.perf_counter() - began)
        return _summary(config, store, vocabulary, result, str(path), engine.name, seconds)


def plan(config: Config, *, use_cache: bool, reporter: Reporter) -> Plan:
    """What `run` would do and need; writes nothing.

    The time is extrapolated from about a second of training, if there is memory for it.

    Raises:
        InputError: the corpus, the output or the settings cannot be used.
    """
    output = Output.prepare(config)
    _check_device(config)
    store, vocabulary = _read(config, use_cache, reporter)
    with store:
        memory = _memory(config, len(vocabulary))
        fits = all(available is None or needed <= available for _, needed, available in memory)
        in_vocabulary = int(vocabulary.counts.sum())
        return Plan(
            output=str(output.path), model=config.model.model, loss=config.training.loss,
            words=store.n_words, in_vocabulary=in_vocabulary, distinct_words=len(store.vocabulary),
            vocabulary=len(vocabulary), dim=config.model.dim, epochs=config.training.epochs, threads=config.threads,
            memory_bytes=memory[-1].needed, memory_available_bytes=memory[-1].available,
            output_bytes=4 * len(vocabulary) * config.model.dim,
            training_seconds=_training_seconds(config, store, vocabulary, reporter) if fits else None,
        )  # fmt: skip


def _import_meanwhile(config: Config) -> None:
    """Imports Numba, half a second, or PyTorch, two, while the corpus is being read."""
    name = f"w2v.training.{config.engine}"
    threading.Thread(target=importlib.import_module, args=(name,), daemon=True).start()


def _check_device(config: Config) -> None:
    """Before anything long: is there the GPU that was asked for?"""
    if config.training.device.startswith("cuda"):
        from w2v.training.autograd import find_device

        find_device(config.training.device)


def _engine(config: Config, store: TokenStore, vocabulary: Vocabulary, reporter: Reporter) -> tuple[Engine, np.ndarray]:
    """The engine and its blocks' bounds; says which it is and why."""
    what = f"training {len(vocabulary):,} words x {config.model.dim}, {config.model.model}, loss {config.training.loss}"
    if config.engine == "hogwild":
        from w2v.training.hogwild import HogwildEngine
        from w2v.training.hogwild import block_bounds as hogwild_bounds

        reporter.stage(f"{what}, {config.threads} threads; engine hogwild: {config.why_engine}")
        _compile(config, reporter)
        return HogwildEngine(config, store.ids, vocabulary.counts), hogwild_bounds(config, store.ids)

    from w2v.training.autograd import AutogradEngine, block_bounds
    from w2v.training.estimate import warning

    engine = AutogradEngine(config, store.ids, vocabulary.counts)
    where = f"{config.threads} threads" if engine.device.type == "cpu" else str(engine.device)
    reporter.stage(f"{what}, {where}; engine autograd with {config.optimizer}: {config.why_engine}")
    if slow := warning(config, vocabulary.counts, len(store.ids), engine.device):
        reporter.warn(slow)
    return engine, block_bounds(config, store.ids)


def _compile(config: Config, reporter: Reporter) -> None:
    """Loads the kernel from Numba's cache, or compiles it. Not while the corpus is read: both take memory."""
    from w2v.training.hogwild import compiled_kernel

    timer = threading.Timer(COMPILE_SECONDS, reporter.stage, ["compiling the kernel (once for this kind of run)"])
    timer.start()
    try:
        compiled_kernel(config)
    finally:
        timer.cancel()
    return_freed_memory()  # the compiler's


def _read(config: Config, use_cache: bool, reporter: Reporter) -> tuple[TokenStore, Vocabulary]:
    from w2v.corpus import read_corpus
    from w2v.corpus.selection import select_vocabulary

    store = read_corpus(config.corpus.corpus, config.corpus, use_cache=use_cache, progress=reporter.reading)
    for warning in store.warnings:
        reporter.warn(warning)
    full, settings = store.vocabulary, config.corpus
    vocabulary = select_vocabulary(full, settings)
    if len(vocabulary) < 2:
        store.close()
        if len(full) == 1:
            raise InputError(f"the corpus repeats a single word, {full.words[0]!r}: there is nothing to predict")
        if settings.max_vocab == 1:
            raise InputError("--max-vocab 1 leaves one word: training needs two at least")
        raise InputError(
            f"only one word, {full.words[0]!r}, reaches --min-count {settings.min_count}, and training needs two;"
            f" try --min-count {full.counts[1]}"
        )
    return store, vocabulary


def _memory(config: Config, vocabulary: int) -> list[Demand]:
    """What is needed where; the last is where training happens."""
    if config.engine == "hogwild":
        from w2v.training.hogwild import memory_bytes

        return [Demand("memory", BASE_BYTES + memory_bytes(config, vocabulary), available_memory())]
    from w2v.training.estimate import device_demand, host_bytes

    here = Demand("memory", BASE_BYTES + host_bytes(config, vocabulary), available_memory())
    there = device_demand(config, vocabulary)
    return [here] if there is None else [here, there]


def _check_memory(config: Config, vocabulary: int) -> None:
    for number, (where, needed, available) in enumerate(_memory(config, vocabulary)):
        if available is None or needed <= available:
            continue
        fewer = "raise --min-count or set --max-vocab"
        if _memory(config, 2)[number].needed > available:  # fewer words would not help
            fewer = "--window or --negatives" if hasattr(config.loss, "negatives") else "--window or --threads"
            fewer = f"--batch-size, {fewer}" if config.engine == "autograd" else fewer
        elsewhere = ", or use --device cpu" if where != "memory" else ""
        raise RunError(
            f"training {vocabulary:,} words x {config.model.dim} needs {needed / 1e9:.1f} GB of {where},"
            f" {available / 1e9:.1f} GB are free; lower --dim, {fewer}{elsewhere}"
        )


def _training_seconds(config: Config, store: TokenStore, vocabulary: Vocabulary, reporter: Reporter) -> float | None:
    from w2v.training.schedule import LinearDecay
    from w2v.training.trainer import Trainer

    engine, bounds = _engine(config, store, vocabulary, reporter)
    engine.initialise()
    stop = threading.Event()
    timer = threading.Timer(PLAN_SECONDS, stop.set)
    timer.start()
    try:
        result = Trainer(engine, bounds, config.training.epochs, LinearDecay(config.lr)).run(SilentReporter(), stop)
    finally:
        timer.cancel()
    return result.seconds / result.fraction if result.fraction else None


def _summary(
    config: Config, store: TokenStore, vocabulary: Vocabulary, result: TrainingResult,
    output: str, engine: str, seconds: Seconds,
) -> RunSummary:  # fmt: skip
    total, in_vocabulary = result.total, int(vocabulary.counts.sum())
    finished = [tally.mean_loss for tally in result.epochs if tally.predictions]
    return RunSummary(
        output=output, model=config.model.model, loss=config.training.loss, engine=engine,
        words=Words(
            read=store.n_words, in_vocabulary=in_vocabulary, left_out=store.n_words - in_vocabulary,
            passed=total.read, trained=total.trained, subsampled=total.dropped, passed_left_out=total.rare,
        ),
        vocabulary=len(vocabulary), seconds=seconds, words_per_second=total.read / max(result.seconds, 1e-9),
        final_loss=float(np.float64(finished[-1])) if finished else None, predictions=total.predictions,
        dim=config.model.dim, epochs=config.training.epochs, epochs_done=result.fraction * config.training.epochs,
        interrupted=result.interrupted, seed=config.training.seed, threads=config.threads,
    )  # fmt: skip
