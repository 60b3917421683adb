"""Resuming a run: its settings, its latest sound checkpoint and its text, each compared with what
it was.

The result is bit-identical to that of an uninterrupted run only with the same settings and number
of threads, and with a single thread or `deterministic`.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from w2v.corpus import TokenStore, Vocabulary, identity
from w2v.corpus.read import read_cached
from w2v.errors import InputError, shown
from w2v.runs.checkpoint import MISFITS, Checkpoint, checkpoints_of, newest_checkpoint
from w2v.runs.checkpointer import RunState
from w2v.runs.directory import summary_of
from w2v.settings.build import build_config
from w2v.settings.config import MAY_CHANGE, Config
from w2v.settings.declare import BadValue
from w2v.settings.groups import FUSED, HOGWILD, all_settings
from w2v.settings.resolve import fused_engine
from w2v.system.files import absolute
from w2v.system.versions import made_with
from w2v.training.result import TrainingResult
from w2v.training.schedule import Blocks
from w2v.training.task import Context
from w2v.training.text import read_text
from w2v.vectors.loading import check_version

MADE_WITH = "made_with"  # in a checkpoint's state
RANKS = "ranks"  # key of the number of processes
COMPARED_NOT = (*MAY_CHANGE, "corpus")  # the text is compared by its content


def resumed_config(run: Path, chosen: Mapping[str, Any]) -> Config:
    """Returns the configuration of a run to resume, from its config.yaml and the settings `chosen`
    with `resume`, by name; None means not given.

    Raises:
        InputError: there is no such run, or a setting would make it a different run.
    """
    if not (run / "config.yaml").is_file():
        reason = "is no run directory" if run.exists() else "does not exist"
        remedy = "name the directory of a run, or train with a `corpus`"
        raise InputError(f"`resume` {run} {reason}: {remedy}")
    check_version(run)
    try:
        before = build_config({}, run / "config.yaml")
    except InputError as error:
        raise InputError(f"`resume` {run}: the run's settings cannot be read: {error}") from None
    chosen = {name: value for name, value in chosen.items() if value is not None}
    changes = {name: chosen.pop(name) for name in MAY_CHANGE if name in chosen}
    changes |= _other_engine(before, changes, chosen)
    config = build_config(changes, run / "config.yaml")
    current = {**before.saved_values(), "corpus": before.corpus.corpus}
    current["output"] = os.path.abspath(run)
    settings, problems = all_settings(), []
    for name, value in chosen.items():
        try:
            converted = settings[name].convert(value, f"`{name}`")
        except BadValue as error:
            problems.append(str(error))
            continue
        if name == "corpus":
            converted = tuple(map(absolute, value))
        elif settings[name].is_path(value):
            converted = absolute(value)
        if converted != current.get(name):
            problems.append(_refusal(before, name, value, current.get(name)))
    epochs, before_epochs = config.training.epochs, before.training.epochs
    if epochs < before_epochs:
        less = f"`epochs` {epochs} is less than the {before_epochs} of the run"
        problems.append(f"{less}: it can only grow")
    if problems:
        raise InputError(f"`resume` {run} goes on with the run as it is: {'; '.join(problems)}")
    notes = list(config.notes)
    compared = [
        (name, *(getattr(each.training, name) for each in (config, before)))
        for name in ("threads", "engine", "device")
    ]
    if others := [f"`{name}` {new} instead of {was}" for name, new, was in compared if new != was]:
        same = "the result is not bit for bit that of an unbroken run"
        notes.append(f"with {' and '.join(others)} {same}")
    if epochs > before_epochs:
        rate = "the learning rate goes on at what it is there in a run of the new length"
        notes.append(f"`epochs` {epochs} instead of {before_epochs}: {rate}")
    return dataclasses.replace(config, notes=tuple(notes))


def _other_engine(
    before: Config, changes: Mapping[str, Any], chosen: dict[str, Any]
) -> dict[str, str]:
    """Returns `engine` and `device` if the run is to continue with the other one of the two fused
    engines, which may be `chosen` (and is then removed from it) or follow from the device."""
    engine, device = str(chosen.get("engine")), str(changes.get("device", "auto"))
    if before.training.engine not in FUSED:
        return {}
    if engine in FUSED:
        del chosen["engine"]
        if "device" not in changes and engine == HOGWILD:
            device = "cpu"
    else:
        engine = before.training.engine if device == "auto" else fused_engine(device)
    return {} if engine == before.training.engine else {"engine": engine, "device": device}


def finished(run: Path, config: Config) -> dict[str, Any] | None:
    """Returns the summary of a run that is complete under this configuration, otherwise None."""
    summary = summary_of(run) or {}
    done = summary.get("interrupted") is False and summary.get("epochs") == config.training.epochs
    return summary if done else None


def latest(context: Context) -> Checkpoint | None:
    """Returns the checkpoint to resume from, or None to start from the beginning, because there is
    none yet or the run is new. Warns about damaged ones.

    Raises:
        InputError: all checkpoints are damaged, or config.yaml has changed since the checkpoint.
    """
    run, reporter = context.resume, context.reporter
    if run is None:
        return None
    checkpoint, damaged = newest_checkpoint(run)
    if checkpoint is None:
        if damaged:
            raise InputError(
                f"{damaged[0]}. {_others(len(damaged) - 1)};"
                f" remove {checkpoints_of(run)[0].parent} to train from the beginning"
            )
        if (summary_of(run) or {}).get("epochs_done"):
            raise InputError(
                f"{run} holds a result but no checkpoint (`checkpoint_every`), so it cannot go on;"
                f" train again{_or_from_vectors(context)}"
            )
        reporter.note(f"{run} has no checkpoint yet: training starts from the beginning")
        return None
    for sentence in damaged:
        reporter.warn(f"{sentence}. The one before it is used, {checkpoint.path}")
    current, earlier = comparable(context.config), checkpoint.state.get("settings")
    if not isinstance(earlier, dict):
        problem = "does not say which settings it was made with: it cannot be used"
        raise InputError(f"{checkpoint.path} {problem}")
    settings = all_settings()
    earlier = {name: settings[name].default for name in current if name in settings} | earlier
    for name in sorted(set(current) | set(earlier)):
        if name == "engine" and current[name] in FUSED and earlier.get(name) in FUSED:
            continue  # the same state
        if str(current.get(name)) != str(earlier.get(name)):  # what is a text now was a number once
            raise InputError(
                f"{run}/config.yaml says {name}: {current.get(name)}, but the checkpoint"
                f" {checkpoint.path} was made with {earlier.get(name)}: put that back"
            )
    return checkpoint


def comparable(config: Config) -> dict[str, Any]:
    """Returns the settings that a checkpoint depends on, in the form that JSON restores."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in config.saved_values().items()
        if name not in COMPARED_NOT
    }


def read_again(
    context: Context,
    checkpoint: Checkpoint,
    vocabulary_of: Callable[[TokenStore], tuple[TokenStore, Vocabulary]],
) -> tuple[TokenStore, Vocabulary]:
    """Returns the text of a run to resume, from the cache or read again, and its vocabulary.

    vocabulary_of: returns the vocabulary, and the text renumbered if its own vocabulary differs.

    Raises:
        InputError: the text is missing or has changed.
    """
    run = context.resume
    try:
        description = identity.check_description(checkpoint.state.get("corpus"))
    except ValueError:
        problem = "does not say which text it was made from: it cannot be used"
        raise InputError(f"{checkpoint.path} {problem}") from None
    changed = identity.changed_files(description)
    cached = context.use_cache and description["key"] and context.lines is None
    store = read_cached(description["key"], context.config.corpus) if cached else None
    if store is not None:
        how = "it goes on with the text as it was, which the cache holds"
        for phrase in changed:
            context.reporter.warn(f"{phrase} since the run began; {how}")
    elif (name := identity.memory_text(description)) and context.lines is None:
        raise InputError(
            f"{run} cannot go on without the text that it was trained on, which came from memory"
            f" ({name}): give it again as `corpus`"
        )
    else:
        try:
            store = read_text(context)
        except InputError as error:
            problem = f"{run} cannot go on without the text that it was trained on"
            raise InputError(f"{problem}: {error}") from None
    store, vocabulary = vocabulary_of(store)
    if other := identity.difference(description, identity.describe(store, vocabulary)):
        store.close()
        cause = f"{changed[0]}: " if changed else ""
        remedy = f"put back what it was trained on, or train again{_or_from_vectors(context)}"
        raise InputError(f"{run} cannot go on: {cause}{other}; {remedy}")
    return store, vocabulary


def check_blocks(checkpoint: Checkpoint, blocks: Blocks) -> None:
    """Raises InputError if the checkpoint's blocks are not those of the text."""
    positions, end = int(blocks.bounds[-1]), int(checkpoint.bounds[-1])
    last = (len(checkpoint.bounds) - 1) * blocks.epochs
    if end != positions:
        raise _misfit(checkpoint, f"its blocks end at {end:,}, the text at {positions:,}")
    if checkpoint.step > last:
        raise _misfit(checkpoint, f"it is after block {checkpoint.step:,} of {last:,}")


def changes_since(checkpoint: Checkpoint, ranks: int) -> str | None:
    """Returns a sentence on what has changed that may affect the result's bits, or None."""
    earlier, current = checkpoint.state.get(MADE_WITH), made_with() | {RANKS: str(ranks)}
    if not isinstance(earlier, dict):  # by a version that did not say it
        return None
    changed = [
        f"{name} {value} instead of {shown(str(earlier[name]))[1:-1]}"
        for name, value in current.items()
        if name in earlier and earlier[name] != value
    ]
    same = "the result may not be bit for bit that of an unbroken run"
    return f"{', '.join(changed)}: {same}" if changed else None


def put_back(state: RunState, checkpoint: Checkpoint) -> TrainingResult:
    """As `state.put_back`, but raises InputError if the checkpoint is of another kind of run."""
    try:
        return state.put_back(checkpoint)
    except MISFITS as error:
        why = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise _misfit(checkpoint, why) from None


def _misfit(checkpoint: Checkpoint, why: str) -> InputError:
    return InputError(f"the checkpoint {checkpoint.path} does not fit this run: {why}")


def _or_from_vectors(context: Context) -> str:
    """Returns the other remedy of a run of word vectors; those of language models have none."""
    vectors = context.config.only_vectors
    return f", or start from its vectors with `init` {context.resume}" if vectors else ""


def _others(damaged: int) -> str:
    """Returns a sentence about the damaged checkpoints before the latest."""
    if not damaged:
        return "It is the only one"
    return "So is the one before it" if damaged == 1 else f"So are the {damaged} before it"


def _refusal(before: Config, name: str, value: object, old: object) -> str:
    if name == "corpus":
        use = "`init`" if before.only_vectors else "a new run"
        return f"it takes no `corpus` (another text is for {use})"
    return f"`{name}` {value} cannot be {'given' if old is None else f'changed (it is {old})'}"
