"""Forward + backward of the output layers against other libraries' own, paired: A B A B, round by
round.

Every library runs in a process of its own, with as many threads, on the same numbers
(`peers/serve.py`); a turn is as many calls as fit into `seconds`, its result the mean time of a
call. Labels follow Zipf's law with exponent 1.3.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.machine import machine
from harness.process import how_it_ended, own_environment, run
from harness.spread import as_dict, paired_ratio, spread
from harness.worker import Worker
from w2v.errors import InputError, RunError

PEERS = Path(__file__).parent / "peers"
# losses of the same data may differ by this factor: noise words and starting weights are random
SANE = 1.5


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
        "sampled-softmax",
        False,
        "functional.sampled_softmax_loss(sparse=True)",
        (("tensorflow", "sampled_softmax_loss"),),
    ),
    # Paddle 3.3 crashes with is_sparse=True, and its layer ignores it; both are tried, the faster
    # one is its best.
    Contest(
        "hsigmoid",
        False,
        "functional.hsigmoid_loss(is_sparse=True)",
        (("paddle", "hsigmoid_loss(is_sparse=True)"), ("paddle", "hsigmoid_loss(is_sparse=False)")),
    ),
    Contest(
        "adaptive-softmax", False, "AdaptiveSoftmax", (("torch", "AdaptiveLogSoftmaxWithLoss"),)
    ),
    Contest("neg", False, "Neg(sparse=True)"),
    Contest("hsigmoid+neg", False, "HsigmoidNeg(sparse=True)"),
    Contest("softmax", True, "Softmax", (("torch", "log_softmax + nll_loss"),)),
    Contest(
        "label-smoothing",
        True,
        "LabelSmoothing",
        (("torch", "cross_entropy(label_smoothing=0.1)"),),
    ),
    Contest("sparse-softmax", True, "SparseSoftmax"),
    Contest("am-softmax", True, "AmSoftmax"),
    Contest("l-softmax", True, "LSoftmax"),
    Contest("sm-softmax", True, "SmSoftmax"),
)
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
    """What to measure, and how. `pythons`: the interpreter of each library; one that is left out is
    not measured."""

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
    if {"nce", "sampled-softmax"} & {*setup.losses} and setup.samples > shape.vocabulary:
        raise InputError(
            f"--samples {setup.samples} is more than --vocabulary {shape.vocabulary}; draw fewer"
        )
    cutoffs = setup.cutoffs
    if "adaptive-softmax" not in setup.losses:
        return
    if (
        list(cutoffs) != sorted(set(cutoffs))
        or not cutoffs
        or cutoffs[0] < 1
        or cutoffs[-1] >= shape.vocabulary
    ):
        raise InputError(
            f"--cutoffs {','.join(map(str, cutoffs))} must ascend and lie in 1 to"
            f" {shape.vocabulary - 1}; give others, or a larger --vocabulary"
        )


def measure(setup: Setup, say: Callable[[str], None]) -> dict[str, Any]:
    """All results as plain values: what --json prints.

    Raises:
        InputError: the setup does not fit together.
        RunError: this library fails. A reference that fails is left out, with a line to `say`.
    """
    check(setup)
    rows: list[dict[str, Any]] = []
    for contest in CONTESTS:
        if contest.loss in setup.losses:
            rows += _contest(contest, setup, say)
    memory = None
    if MEMORY in setup.losses:
        say(f"memory of the full softmax, {setup.memory} ...")
        memory = softmax_memory(setup.memory, setup.threads)
    return {
        "bench": "losses",
        "machine": machine(),
        "settings": {
            "threads": setup.threads,
            "repeat": setup.repeat,
            "samples": setup.samples,
            "cutoffs": list(setup.cutoffs),
        },
        "versions": {
            library: version(library, python)
            for library, python in (("torch", sys.executable), *setup.pythons.items())
        },
        "rows": rows,
        "memory": memory,
    }


def thread_limits(threads: int) -> dict[str, str]:
    """The environment that holds every library to so many threads."""
    names = (
        "OMP_NUM_THREADS",
        "MKL_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "FLAGS_paddle_num_threads",
    )
    return {
        **{name: str(threads) for name in names},
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "",
    }


def _contest(contest: Contest, setup: Setup, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """The rows of one loss, ours first. Every contestant has its own process: one that crashes
    takes none along."""
    shape = setup.full if contest.full else setup.sampled
    case = {
        "n": shape.n,
        "dim": shape.dim,
        "vocabulary": shape.vocabulary,
        "samples": setup.samples,
        "cutoffs": list(setup.cutoffs),
        "seconds": setup.seconds,
    }
    ours = ("w2v", contest.ours)
    losses: dict[tuple[str, str], float] = {}
    times: dict[tuple[str, str], dict[int, float | None]] = {}
    say(f"{contest.loss}, {shape} ...")
    with ExitStack() as stack:
        workers: dict[tuple[str, str], Worker] = {}
        for who in (ours, *(each for each in contest.references if each[0] in setup.pythons)):
            worker = stack.enter_context(_worker(who[0], setup))
            try:
                losses[who] = worker.ask({**case, "build": who[1]})["loss"]
                workers[who], times[who] = worker, {}
            except RunError as error:
                if who == ours:
                    raise RunError(f"{contest.loss} failed ({error})") from None
                say(f"warning: {who[0]} {who[1]} failed and is left out ({error})")
        for number in range(1, setup.repeat + 1):
            for who, worker in workers.items():
                times[who][number] = worker.ask({"seconds": setup.seconds})["seconds"]
    for who, loss in losses.items():
        if not 1 / SANE < loss / losses[ours] < SANE:
            say(
                f"warning: {contest.loss}: the loss of {' '.join(who)} is {loss:.4f}, w2v's is"
                f" {losses[ours]:.4f}"
            )
    return [
        {
            "loss": contest.loss,
            "n": shape.n,
            "dim": shape.dim,
            "vocabulary": shape.vocabulary,
            "library": who[0],
            "function": who[1],
            "mean_loss": losses[who],
            "milliseconds": as_dict(
                spread(1e3 * value for value in found.values() if value is not None)
            ),
            "ratio": None if who == ours else as_dict(paired_ratio(found, times[ours])),
        }
        for who, found in times.items()
    ]


def _worker(library: str, setup: Setup) -> Worker:
    """A process of a library's Python that waits for what to measure."""
    environment = thread_limits(setup.threads)
    if library == "w2v":
        environment |= own_environment()
    python = sys.executable if library == "w2v" else setup.pythons[library]
    return Worker([python, str(PEERS / "serve.py"), f"{library}_losses"], environment)


def softmax_memory(shape: Shape, threads: int) -> dict[str, Any]:
    """Growth of the peak memory in forward + backward of the full softmax, and the size of the [N,
    V] logits, in bytes.

    Raises:
        RunError: the measurement failed.
    """
    case = {"n": shape.n, "dim": shape.dim, "vocabulary": shape.vocabulary}
    command = [
        sys.executable,
        str(PEERS / "softmax_memory.py"),
        json.dumps({**case, "threads": threads}),
    ]
    done = run(command, {**thread_limits(threads), **own_environment()})
    if done.status:
        raise RunError(
            f"the memory of the full softmax could not be measured ({how_it_ended(done)})"
        )
    found = json.loads(done.output.last_line)
    return {**case, "growth_bytes": found["growth"], "logits_bytes": found["logits"]}


def version(library: str, python: str) -> str | None:
    """The version of a library that an interpreter has, under whatever name it is distributed."""
    code = (
        "import importlib.metadata as m, sys\n"
        "print(*(m.version(name) for name in m.packages_distributions().get(sys.argv[1], [])))"
    )
    done = subprocess.run([python, "-c", code, library], capture_output=True, text=True)
    return done.stdout.split()[0] if done.stdout.split() else None
