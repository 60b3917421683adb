"""Trains one contender in a separate process, which isolates its memory use and its failures. The
process is a fresh interpreter that does not import the calling program; it receives its job and
sends its reports through a pipe."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from w2v.comparison.contenders import DECIDED
from w2v.comparison.table import ANALOGIES, SPEARMAN, Row, Score
from w2v.errors import InputError, W2VError
from w2v.evaluation.analogies import AnalogyResult
from w2v.evaluation.sets import Set
from w2v.evaluation.similarity import SimilarityResult
from w2v.run import run
from w2v.runs.directory import metrics_of
from w2v.runs.output import claimed
from w2v.runs.resume import finished, resumed_config
from w2v.settings.config import Config
from w2v.settings.groups import all_settings
from w2v.system.files import clean_up
from w2v.system.lock import locked
from w2v.training.report import Progress, Reporter
from w2v.training.task import Context
from w2v.vectors import load_vectors

POLL_SECONDS = 0.05
PROGRESS_SECONDS = 0.1  # between two reports of progress
GRACE_SECONDS = 5.0  # a child whose parent has died gets this long to save its state
START = "import sys; from w2v.comparison.child import main; main(int(sys.argv[1]))"


@dataclass(frozen=True)
class Job:
    """A training job for one row of the table."""

    row: Row
    config: Config  # including the run directory
    resume: bool  # whether to resume the run in that directory
    use_cache: bool
    sets: Mapping[str, Set]  # by name; what word vectors are asked
    of_demo: bool = False  # whether these are the demo's, because the user gave none


def train_apart(job: Job, reporter: Reporter, stop: threading.Event) -> Row:
    """Runs a job in a separate process, stopped gently once `stop` is set. Returns its row."""
    receiver, sender = Pipe()
    row = job.row
    with receiver:
        with sender:
            process = subprocess.Popen(
                [sys.executable, "-c", START, str(sender.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                pass_fds=[sender.fileno()],
                start_new_session=True,  # Ctrl-C in the terminal does not reach it
            )
        try:
            for kind, values in _messages(job, receiver, process, stop):
                if kind == "row":
                    row = replace(row, **values[0])
                else:
                    getattr(reporter, kind)(*values)
        except BaseException:
            process.kill()
            raise
        finally:
            status = process.wait()
            if status < 0:  # killed by a signal, it could not clean up
                _sweep(Path(str(job.config.output.output)))
    if row.status != job.row.status:
        return row
    if stop.is_set():
        problem = "stopped before there was anything to save"
        return replace(row, status="interrupted", problem=problem)
    problem = f"exit code {status}" if status >= 0 else f"killed by {signal.Signals(-status).name}"
    why = ", perhaps for lack of memory" if status == -signal.SIGKILL else ""
    return replace(row, status="failed", problem=problem + why)


def _sweep(folder: Path) -> None:
    """Removes the temporary files that a killed child has left."""
    with suppress(InputError), locked(folder) as alone:
        if alone:
            clean_up(folder)


def _messages(
    job: Job, connection: Connection, process: subprocess.Popen[bytes], stop: threading.Event
) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Sends the job to the child, and yields the child's messages until it ends."""
    terminated = False
    with suppress(EOFError, OSError):
        connection.send(job)
        while True:
            if stop.is_set() and not terminated:
                process.terminate()
                terminated = True
            if connection.poll(POLL_SECONDS):
                yield connection.recv()


class _Forwarder:
    """The child's Reporter: forwards calls to the parent's, with `name` before strings."""

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection, self._name = connection, name
        self._lock = threading.Lock()  # threads of the run report too
        self._due = 0.0
        self.training_began = False

    def send(self, kind: str, *values: object) -> None:
        """Calls a method of the parent's Reporter; "row" updates fields of the row instead."""
        with suppress(OSError), self._lock:  # if the parent is gone, this process is ending anyway
            self._connection.send((kind, values))

    def failed(self, problem: str) -> None:
        """Marks the row as failed, with the reason."""
        self.send("row", {"status": "failed", "problem": problem})

    def training(self, progress: Progress) -> None:
        self.training_began = True
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + PROGRESS_SECONDS
            self.send("training", progress)
            self.send("row", {"peak_memory_bytes": peak_memory()})

    def __getattr__(self, kind: str) -> Any:
        def forward(*values: Any) -> None:
            named = (f"{self._name}: {x}" if isinstance(x, str) else x for x in values)
            self.send(kind, *named)

        return forward


def main(descriptor: int) -> None:
    """Runs in the child: does the job that comes through the pipe `descriptor`, and ends."""
    os.set_inheritable(descriptor, False)
    connection, stop = Connection(descriptor), threading.Event()
    job: Job = connection.recv()
    reporter = _Forwarder(connection, job.row.name)

    def end(*_: object) -> None:
        if stop.is_set() or not reporter.training_began:
            raise KeyboardInterrupt
        stop.set()

    def end_with_parent() -> None:
        connection.poll(None)  # blocks until the parent has closed its end
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE_SECONDS)
        os._exit(1)

    signal.signal(signal.SIGTERM, end)
    threading.Thread(target=end_with_parent, daemon=True).start()
    try:
        reporter.send("row", _result(job, reporter, stop))
    except W2VError as error:
        reporter.failed(str(error))
    except MemoryError:
        reporter.failed("out of memory")
    except Exception as error:
        reporter.failed(f"internal error: {type(error).__name__}: {' '.join(str(error).split())}")


def _result(job: Job, reporter: _Forwarder, stop: threading.Event) -> dict[str, Any]:
    """Trains unless the run is finished already, and returns the values of its row."""
    summary = _train(job, reporter, stop)
    folder = Path(summary["output"])
    figures = figures_of(summary, folder)
    if not job.sets or summary["interrupted"]:
        return figures
    reporter.stage("asking the questions")
    vectors: Any = load_vectors(folder)
    scores = []
    for name, asked in job.sets.items():
        result: AnalogyResult | SimilarityResult = vectors.evaluate(asked, intervals=True)
        scores.append(score_of(name, result))
        if isinstance(result, SimilarityResult) and result.oov:
            pairs = f"{result.oov:,} of {result.covered:,} pairs of {name}"
            reporter.note(f"{pairs} have a word known only by its n-grams")
        if result.covered < result.total / 2:
            noun = "questions" if isinstance(result, AnalogyResult) else "pairs"
            covered = f"{result.covered:,} of the {result.total:,} {noun} of {name}"
            origin = ", which are about the demo corpus" if job.of_demo else ""
            remedy = "give questions about words of your text with `questions`"
            reporter.warn(f"all words are known in only {covered}{origin}: {remedy}")
    return figures | scored(scores)


def score_of(name: str, result: AnalogyResult | SimilarityResult) -> Score:
    """Returns the score on the set `name`, with its 95 % interval."""
    coverage = result.covered / result.total if result.total else 0.0
    if isinstance(result, AnalogyResult):
        measure, value, ends = ANALOGIES, result.accuracy, result.interval()
    else:
        measure, value, ends = SPEARMAN, result.spearman, result.spearman_ci
    low, high = ends or (None, None)
    return Score(name, measure, value, low, high, coverage)


def scored(scores: Sequence[Score]) -> dict[str, Any]:
    """Returns the values of a row that has these scores."""
    first = next((score for score in scores if score.measure == ANALOGIES), None)
    values = {"accuracy": first.value, "coverage": first.coverage} if first else {}
    return {"accuracy": None, "coverage": None, **values, "scores": tuple(scores)}


def _train(job: Job, reporter: _Forwarder, stop: threading.Event) -> dict[str, Any]:
    config, folder = job.config, None
    _wait_for_earlier(Path(str(config.output.output)))
    if job.resume:
        folder = Path(str(config.output.output))
        config = resumed_config(folder, {})
        _check_same(folder, config, job.config)
        with claimed(config, folder):
            if summary := finished(folder, config):
                return {**summary, "output": str(folder)}
    trained = run(Context(config, reporter, stop, job.use_cache, folder))
    reporter.send("row", {"peak_memory_bytes": peak_memory()})
    return trained.as_dict()


def _check_same(folder: Path, config: Config, wanted: Config) -> None:
    """Raises InputError if the run in the folder has other settings than those `wanted`, which it
    had when it was compared; paths may be written in another way."""
    settings, found = all_settings(), config.saved_values()
    for name, value in wanted.saved_values().items():
        if name in DECIDED or name == "corpus" or settings[name].is_path(value):
            continue
        if found.get(name) != value:
            changed = f"was trained since with {name} {found.get(name)}, not {value}"
            remedy = "add `overwrite` to train all again, or name another `output`"
            raise InputError(f"{folder} {changed}: {remedy}")


def _wait_for_earlier(folder: Path) -> None:
    """Waits, for a limited time, until no other process locks the run: a child of a comparison that
    was killed may still be saving it."""
    deadline = time.monotonic() + 2 * GRACE_SECONDS
    while time.monotonic() < deadline:
        with suppress(InputError), locked(folder):
            return
        time.sleep(POLL_SECONDS)


def figures_of(summary: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Returns the values of a row from the summary of its run. All seconds are those of training
    alone, without validation."""
    epochs, seconds = summary["epochs_done"], summary["seconds"]["training"]
    stopped = summary["interrupted"]
    return {
        "status": "interrupted" if stopped else "done",
        "problem": "stopped before the end" if stopped else None,
        "perplexity": (summary.get("validation") or {}).get("perplexity"),
        "curve": read_curve(folder, summary),
        "epochs": epochs,
        "seconds_per_epoch": seconds / epochs if epochs else None,
        "tokens_per_second": summary["words_per_second"],
    }


def read_curve(folder: Path, summary: dict[str, Any]) -> tuple[tuple[float, float], ...]:
    """Returns (seconds of training, validation perplexity) for each validation of a run. Entries of
    validations name only the epoch; its time is interpolated from the entries of training."""
    times, values = {0.0: 0.0}, []  # seconds by epoch; (epoch, perplexity)
    for entry in metrics_of(folder):
        if "validation_perplexity" in entry:
            values.append((entry["epoch"], entry["validation_perplexity"]))
        elif "fraction" in entry:
            times[entry["fraction"] * summary["epochs"]] = entry["seconds"]
    times[summary["epochs_done"]] = summary["seconds"]["training"]
    epochs, seconds = zip(*sorted(times.items()), strict=True)
    return tuple((float(np.interp(epoch, epochs, seconds)), value) for epoch, value in values)


def peak_memory() -> int:
    """Returns the peak resident memory of this process in bytes. On Linux, `getrusage` would
    include the memory of the parent process before exec."""
    try:
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024
    except (OSError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
