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
from w2v.runs.rows import hand_out
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

    def __init__(self, own: Any) -> None:
        self._own = own

    def training(self, progress: Progress) -> None:
        self._own.training_began = True


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
            what = f"a stream, which only one process can read, and there are {world.size}"
            raise InputError(f"`corpus` - is {what}: name files that all of them see")
    versions = {name: what for name, what in made_with().items() if name != "processor"}
    told = {**comparable(config), "epochs": config.training.epochs, **versions}
    told |= {"resume": str(context.resume), "w2v": __version__}
    check_same(world, told, "give all ranks the same settings and versions")
    run, every = context.resume, config.checkpoints.checkpoint_every
    if every is None and named_format(config.output.output or "") is None:
        checkpoints = replace(config.checkpoints, checkpoint_every=CHECKPOINT_EVERY)
        config = replace(config, checkpoints=checkpoints)
    with world.step():
        if world.rank == 0 and run is None and (run := own_run(config, world.owner)) is not None:
            config = resumed_config(run, {})
            context.reporter.note(f"going on with {run}, which these ranks have begun")
    name = world.told(None if run is None else str(run))
    reporter = context.reporter if world.rank == 0 else Following(context.reporter)
    return replace(
        context,
        config=config,
        resume=None if name is None else Path(name),
        reporter=reporter,
        in_step=context.in_step and world.rank == 0,
    )


def own_run(config: Config, owner: str | None) -> Path | None:
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
def place_for_all(context: Context) -> Iterator[Output]:
    """As `claimed`; rank 0 claims the output for all ranks."""
    world = context.world
    with ExitStack() as stack:
        output: Any = None
        with world.step():
            if world.rank == 0:
                output = stack.enter_context(claimed(context.config, context.resume))
        told = world.told(output and [str(output.path), output.is_file, output.begun])
        yield output or Output(Path(told[0]), told[1], False, told[2])


def check_same(world: World, told: Mapping[str, Any], remedy: str) -> None:
    """Raises InputError on all ranks if a value on one of them differs from that on rank 0."""
    own = np.frombuffer(json.dumps(told).encode(), np.uint8)
    error: InputError | None = None
    for rank, data in reversed(list(enumerate(world.gather(own)))):
        other = json.loads(data.tobytes())
        for name in sorted({*told, *other}) if world.rank == 0 else ():
            if other.get(name) != told.get(name):
                here, there = (shown(each.get(name)) for each in (told, other))
                what = f"`{name}` is {there} on rank {rank}, {here} on rank 0"
                error = InputError(f"{what}: {remedy}")
                break
    world.settle(error)


def check_same_text(world: World, text: Text) -> None:
    """Raises InputError if ranks have read different texts."""
    if world.size == 1:
        return
    described = identity.describe(text.store, text.vocabulary)
    names = ("words", "lines", "vocabulary", "ids", "vocabulary_sha256")
    own = np.frombuffer(json.dumps([described[name] for name in names]).encode(), np.uint8)
    first, *others = [json.loads(data.tobytes()) for data in world.gather(own)]
    error: InputError | None = None
    then = dict(zip(names, first, strict=True))
    for rank, found in enumerate(others, 1):
        what = identity.difference(then, dict(zip(names, found, strict=True)))
        if what is not None and error is None:
            what = what.replace(" then,", " on rank 0,").replace(" now", f" on rank {rank}")
            error = InputError(
                f"rank {rank} reads another corpus than rank 0: {what}; give all ranks the same"
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
    head = world.told(head)
    if head is None:
        return None
    found: dict[str, np.ndarray] = {}
    for name, (kind, shape) in head["kinds"].items():
        given, rows = tensors.get(name), own_rows(name, shape)
        if rows != slice(None):
            array = hand_out(world, given, rows, np.empty((0, *shape[1:]), kind))
        else:
            array = np.empty(shape, kind) if given is None else np.array(given)
            world.share(array.reshape(-1).view(np.uint8))
        if world.rank:
            found[name] = array
    if world.rank == 0:
        return checkpoint
    bounds, state, metrics = found.pop(""), head["state"], head["metrics"]
    return Checkpoint(head["step"], found, bounds, state, metrics, Path(head["path"]))
