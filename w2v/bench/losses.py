"""Forward + backward of the output layers against other libraries' own, paired: A B A B, round by round.

Every library runs in a process of its own, with as many threads, on the same numbers (`peers/serve.py`); a turn is as
many calls as fit into `seconds`, its result the mean time of a call. Labels follow Zipf's law with exponent 1.3.
"""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from w2v.bench.machine import machine
from w2v.bench.process import how_it_ended, own_environment, run
from w2v.bench.spread import as_dict, paired_ratio, spread
from w2v.bench.worker import Worker
from w2v.errors import InputError, RunError

PEERS = Path(__file__).parent / "peers"
# distributions that may hold a library, to name its version
DISTRIBUTIONS = {
    "torch": ("torch",), "tensorflow": ("tensorflow", "tensorflow-cpu"), "paddle": ("paddlepaddle", "paddlepaddle-gpu"),
}  # fmt: skip
SANE = 1.25  # losses of the same data may differ by this factor: noise words and starting weights are random


@dataclass(frozen=True)
class Contest:
    """One loss: our function and the references' for the same thing, as (library, function)."""

    loss: str
    full: bool  # scores all rows: runs at the other shape
    ours: str
    references: tuple[tuple[str, str], ...] = ()


CONTESTS = (
    Contest("nce", False, "functional.nce_loss(sparse=True)", (("tensorflow", "nce_loss"),)),
    Contest(
        "sampled-softmax", False, "functional.sampled_softmax_loss(sparse=True)",
        (("tensorflow", "sampled_softmax_loss"),),
    ),
    Contest(
        "hsigmoid", False, "functional.hsigmoid_loss(is_sparse=True)",
        (("paddle", "hsigmoid_loss(is_sparse=True)"), ("paddle", "hsigmoid_loss(is_sparse=False)")),
    ),
    Contest("adaptive-softmax", False, "AdaptiveSoftmax", (("torch", "AdaptiveLogSoftmaxWithLoss"),)),
    Contest("neg", False, "Neg(sparse=True)"),
    Contest("softmax", True, "Softmax", (("torch", "log_softmax + nll_loss"),)),
    Contest("label-smoothing", True, "LabelSmoothing", (("torch", "cross_entropy(label_smoothing=0.1)"),)),
    Contest("sparse-softmax", True, "SparseSoftmax"),
    Contest("am-softmax", True, "AmSoftmax"),
    Contest("l-softmax", True, "LSoftmax"),
    Contest("sm-softmax", True, "SmSoftmax"),
)  # fmt: skip
MEMORY = "softmax-memory"
NAMES = (*(contest.loss for contest in CONTESTS), MEMORY)


@dataclass(frozen=True)
class Shape:
    """Rows of hidden vectors, their dimension, classes."""

    n: int
    dim: int
    vocabulary: int

    def __str__(self) -> str:
        return f"N = {self.n:,}, D = {self.dim}, V = {self.vocabulary:,}"


@dataclass(frozen=True)
class Setup:
    """What to measure, and how. `pythons`: the interpreter of each library; one that is left out is not measured."""

    pythons: Mapping[str, str]
    losses: tuple[str, ...] = NAMES
    sampled: Shape = Shape(1024, 100, 50_000)
    full: Shape = Shape(700, 200, 33_278)
    memory: Shape = Shape(4096, 256, 250_000)
    samples: int = 64
    cutoffs: tuple[int, ...] = (2000, 10_000)
    threads: int = 2
    repeat: int = 7
    seconds: float = 0.5


def check(setup: Setup) -> None:
    """Raises InputError for shapes that do not fit together."""
    shape = setup.sampled
    if setup.samples > shape.vocabulary:
        raise InputError(f"--samples {setup.samples} is more than --vocabulary {shape.vocabulary}; draw fewer")
    cutoffs = setup.cutoffs
    if list(cutoffs) != sorted(set(cutoffs)) or not cutoffs or cutoffs[0] < 1 or cutoffs[-1] >= shape.vocabulary:
        raise InputError(
            f"--cutoffs {','.join(map(str, cutoffs))} must ascend and lie in 1 to {shape.vocabulary - 1}; "
            "give others, or a larger --vocabulary"
        )


def measure(setup: Setup, say: Callable[[str], None]) -> dict[str, Any]:
    """All results as plain values: what `w2v bench losses --json` prints.

    Raises:
        InputError: the setup does not fit together.
        RunError: this library fails. A reference that fails is left out, with a line to `say`.
    """
    check(setup)
    environment = thread_limits(setup.threads)
    rows: list[dict[str, Any]] = []
    with ExitStack() as stack:
        workers = {
            library: stack.enter_context(Worker([python, str(PEERS / "serve.py"), f"{library}_losses"], changes))
            for library, python, changes in (
                ("w2v", sys.executable, {**environment, **own_environment()}),
                *((library, python, environment) for library, python in setup.pythons.items()),
            )
        }
        for contest in CONTESTS:
            if contest.loss in setup.losses:
                rows += _contest(contest, setup, workers, say)
    memory = None
    if MEMORY in setup.losses:
        say(f"memory of the full softmax, {setup.memory} ...")
        memory = softmax_memory(setup.memory, setup.threads)
    return {
        "bench": "losses",
        "machine": machine(),
        "settings": {
            "threads": setup.threads, "repeat": setup.repeat, "samples": setup.samples, "cutoffs": list(setup.cutoffs),
        },
        "versions": {
            library: version(library, python)
            for library, python in (("torch", sys.executable), *setup.pythons.items())
        },
        "rows": rows,
        "memory": memory,
    }  # fmt: skip


def thread_limits(threads: int) -> dict[str, str]:
    """The environment that holds every library to so many threads."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "FLAGS_paddle_num_threads")
    return {**{name: str(threads) for name in names}, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}


def _contest(
    contest: Contest, setup: Setup, workers: Mapping[str, Worker], say: Callable[[str], None]
) -> list[dict[str, Any]]:
    """The rows of one loss, ours first."""
    shape = setup.full if contest.full else setup.sampled
    case = {
        "n": shape.n, "dim": shape.dim, "vocabulary": shape.vocabulary, "samples": setup.samples,
        "cutoffs": list(setup.cutoffs),
    }  # fmt: skip
    losses: dict[tuple[str, str], float] = {}
    times: dict[tuple[str, str], dict[int, float | None]] = {}
    say(f"{contest.loss}, {shape} ...")
    for library, function in (("w2v", contest.ours), *contest.references):
        if library not in workers:
            continue
        try:
            losses[library, function] = workers[library].ask({"build": function, **case})["loss"]
            times[library, function] = {}
        except RunError as error:
            if library == "w2v":
                raise RunError(f"{contest.loss} failed ({error})") from None
            say(f"warning: {library} {function} failed and is left out ({error})")
    for number in range(1, setup.repeat + 1):
        for library, function in times:
            reply = workers[library].ask({"run": function, "seconds": setup.seconds})
            times[library, function][number] = reply["seconds"]
    for library in {library for library, _ in times}:
        workers[library].ask({"forget": True})
    ours = ("w2v", contest.ours)
    for who, loss in losses.items():
        if not 1 / SANE < loss / losses[ours] < SANE:
            say(f"warning: {contest.loss}: the loss of {' '.join(who)} is {loss:.4f}, w2v's is {losses[ours]:.4f}")
    return [
        {
            "loss": contest.loss, "n": shape.n, "dim": shape.dim, "vocabulary": shape.vocabulary,
            "library": library, "function": function, "mean_loss": losses[library, function],
            "milliseconds": as_dict(spread(1e3 * value for value in found.values() if value is not None)),
            "ratio": None if library == "w2v" else as_dict(paired_ratio(found, times[ours])),
        }
        for (library, function), found in times.items()
    ]  # fmt: skip


def softmax_memory(shape: Shape, threads: int) -> dict[str, Any]:
    """Growth of the peak memory in forward + backward of the full softmax, and the size of the [N, V] logits, in bytes.

    Raises:
        RunError: the measurement failed.
    """
    case = {"n": shape.n, "dim": shape.dim, "vocabulary": shape.vocabulary}
    command = [sys.executable, str(PEERS / "softmax_memory.py"), json.dumps({**case, "threads": threads})]
    done = run(command, {**thread_limits(threads), **own_environment()})
    if done.status:
        raise RunError(f"the memory of the full softmax could not be measured ({how_it_ended(done)})")
    found = json.loads(done.output.last_line)
    return {**case, "growth_bytes": found["growth"], "logits_bytes": found["logits"]}


def version(library: str, python: str) -> str | None:
    """The version of a library that an interpreter has."""
    names: Sequence[str] = DISTRIBUTIONS[library]
    if python == sys.executable:
        for name in names:
            try:
                return importlib.metadata.version(name)
            except importlib.metadata.PackageNotFoundError:
                pass
        return None
    code = (
        "import importlib.metadata as m\n"
        f"print(*(d.version for d in m.distributions() if (d.metadata['Name'] or '').lower() in {tuple(names)!r}))"
    )
    done = subprocess.run([python, "-c", code], capture_output=True, text=True)
    return done.stdout.split()[0] if done.stdout.split() else None
