"""Makes sure, before ranks train together, that they have the same settings and the same text, one
output, and the same state if a run is resumed.

Only rank 0 reads and writes the run's directory, reports, and decides.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from w2v import __version__
from w2v.corpus import identity
from w2v.errors import InputError, shown
from w2v.runs.checkpoint import Checkpoint
from w2v.runs.directory import OWNER
from w2v.runs.output import Output, claimed, default_name, numbered
from w2v.runs.resume import comparable, resumed_config
from w2v.runs.rows import send_rows
from w2v.settings.config import Config
from w2v.system.json import read_object
from w2v.system.versions import made_with
from w2v.training.report import Progress, SilentReporter
from w2v.training.task import Context, Text
from w2v.training.world import World
from w2v.vectors import named_format

CHECKPOINT_EVERY = "5m"  # where nobody says how often: one of many processes may end at any time


class Following(SilentReporter):
    """The reporter of all ranks but rank 0: prints nothing, and records that training began."""

    def __init__(self, reporter: Any) -> None:
        self._reporter = reporter

    def training(self, progress: Progress) -> None:
        self._reporter.training_began = True


def among_ranks(context: Context) -> Context:
    """Returns the context of this rank in a run with several ranks.

    Raises:
        InputError: the ranks have different settings, or only a single process can do this.
    """
    world, config = context.world, context.config
    if world.size == 1:
        return context
    with world.step():
        if "-" in config.corpus.corpus:
            problem = f"a stream, which only one process can read, and there are {world.size}"
            raise InputError(f"`corpus` - is {problem}: name files that all of them see")
    versions = {name: version for name, version in made_with().items() if name != "processor"}
    facts = {**comparable(config), "epochs": config.training.epochs, **versions}
    facts |= {"resume": str(context.resume), "w2v": __version__}
    check_same(world, facts, "give all ranks the same settings and versions")
    run, every = context.resume, config.checkpoints.checkpoint_every
    if every is None and named_format(config.output.output or "") is None:
        checkpoints = replace(config.checkpoints, checkpoint_every=CHECKPOINT_EVERY)
        config = replace(config, checkpoints=checkpoints)
    with world.step():
        if world.rank == 0 and run is None and (run := begun_run(config, world.owner)) is not None:
            config = resumed_config(run, {})
            context.reporter.note(f"going on with {run}, which these ranks have begun")
    name = world.broadcast(None if run is None else str(run))
    reporter = context.reporter if world.rank == 0 else Following(context.reporter)
    return replace(
        context,
        config=config,
        resume=None if name is None else Path(name),
        reporter=reporter,
        in_step=context.in_step and world.rank == 0,
    )


def begun_run(config: Config, owner: str | None) -> Path | None:
    """Returns the run that these ranks began before torchrun restarted them, or None."""
    path = Path(config.output.output) if config.output.output else default_name(config)
    for candidate in [path] if config.output.output else numbered(path):
        try:
            if owner is not None and read_object(candidate / OWNER).get("owner") == owner:
                return candidate
        except (OSError, ValueError):
            if not candidate.exists():
                break
    return None


@contextmanager
def claimed_for_all(context: Context) -> Iterator[Output]:
    """As `claimed`; rank 0 claims the output for all ranks."""
    world = context.world
    with ExitStack() as stack:
        output: Any = None
        with world.step():
            if world.rank == 0:
                output = stack.enter_context(claimed(context.config, context.resume))
        claim = world.broadcast(output and [str(output.path), output.is_file, output.begun])
        yield output or Output(Path(claim[0]), claim[1], False, claim[2])


def check_same(world: World, facts: Mapping[str, Any], remedy: str) -> None:
    """Raises InputError on all ranks if a value on one of them differs from that on rank 0."""
    encoded = np.frombuffer(json.dumps(facts).encode(), np.uint8)
    error: InputError | None = None
    for rank, data in reversed(list(enumerate(world.gather(encoded)))):
        other = json.loads(data.tobytes())
        for name in sorted({*facts, *other}) if world.rank == 0 else ():
            if other.get(name) != facts.get(name):
                first, value = (shown(values.get(name)) for values in (facts, other))
                problem = f"`{name}` is {value} on rank {rank}, {first} on rank 0"
                error = InputError(f"{problem}: {remedy}")
                break
    world.settle(error)


def check_same_text(world: World, text: Text) -> None:
    """Raises InputError if ranks have read different texts."""
    if world.size == 1:
        return
    described = identity.describe(text.store, text.vocabulary)
    names = ("words", "lines", "vocabulary", "ids", "vocabulary_sha256")
    encoded = np.frombuffer(json.dumps([described[name] for name in names]).encode(), np.uint8)
    first, *others = [json.loads(data.tobytes()) for data in world.gather(encoded)]
    error: InputError | None = None
    expected = dict(zip(names, first, strict=True))
    for rank, actual in enumerate(others, 1):
        problem = identity.difference(expected, dict(zip(names, actual, strict=True)))
        if problem is not None and error is None:
            problem = problem.replace(" then,", " on rank 0,").replace(" now", f" on rank {rank}")
            error = InputError(
                f"rank {rank} reads another corpus than rank 0: {problem}; give all ranks the same"
            )
    world.settle(error)


def shared(
    world: World, checkpoint: Checkpoint | None, own_rows: Callable[[str, Sequence[int]], slice]
) -> Checkpoint | None:
    """Returns rank 0's checkpoint on all ranks; on others its tensors contain only the rows
    `own_rows(name, shape)`."""
    if world.size == 1:
        return checkpoint
    head: dict[str, Any] | None = None
    tensors: Mapping[str, np.ndarray] = {}
    if checkpoint is not None:
        tensors = {**checkpoint.tensors, "": checkpoint.bounds}
        kinds = {name: [array.dtype.str, array.shape] for name, array in tensors.items()}
        head = {"step": checkpoint.step, "state": checkpoint.state, "kinds": kinds}
        head |= {"metrics": list(checkpoint.metrics), "path": str(checkpoint.path)}
    head = world.broadcast(head)
    if head is None:
        return None
    received: dict[str, np.ndarray] = {}
    for name, (kind, shape) in head["kinds"].items():
        tensor, rows = tensors.get(name), own_rows(name, shape)
        if rows != slice(None):
            array = send_rows(world, tensor, rows, np.empty((0, *shape[1:]), kind))
        else:
            array = np.empty(shape, kind) if tensor is None else np.array(tensor)
            world.share(array.reshape(-1).view(np.uint8))
        if world.rank:
            received[name] = array
    if world.rank == 0:
        return checkpoint
    bounds, state, metrics = received.pop(""), head["state"], head["metrics"]
    return Checkpoint(head["step"], received, bounds, state, metrics, Path(head["path"]))
