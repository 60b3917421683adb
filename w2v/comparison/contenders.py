"""Resolves what is compared to a name and a complete configuration for each run.

Losses are given as names, or as names with settings, in Python or in a YAML file next to the
settings that all of them share:

    model: lm
    losses:
      hsigmoid: {lr: 0.15}
      nce: {negatives: 512, lr: 0.1}
      nce-64: {loss: nce, negatives: 64}      # `loss`, because the name is not that of a loss

Settings given for all contenders outside the file override a name's own settings in the file, and
these override the file's common settings.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from w2v.errors import InputError
from w2v.losses.table import LOSSES
from w2v.settings.build import config_of
from w2v.settings.config import Config
from w2v.settings.declare import settings_of
from w2v.settings.elsewhere import nearest
from w2v.settings.groups import loss_settings, losses_with

DECIDED = ("loss", "output", "overwrite")  # settings that the comparison itself sets
NAME = re.compile(r"(?!\.)[\w.+-]{1,64}")  # becomes a folder's name

Losses = str | Sequence[str] | Mapping[str, Mapping[str, Any] | None] | None
Given = tuple[str, Any, str]  # a setting's name, its value, and where the user wrote it


class Contender(NamedTuple):
    """One run: its name in the table and in the output folder, and its configuration."""

    name: str
    config: Config

    @property
    def loss(self) -> str:
        return self.config.training.loss


def read_contenders(
    losses: Losses, keywords: Mapping[str, Any], path: str | os.PathLike[str] | None
) -> tuple[list[Contender], list[str]]:
    """Returns the contenders in the user's order, and notes for the user. Raises InputError if the
    file cannot be used, a name is unknown or given twice, or a setting is wrong.

    Args:
        losses: names, also as "softmax,nce", or name -> settings; None: all that the file lists.
        given: settings of all contenders; None as a value means not given.
        path: a YAML file, or None.
    """
    common, own = _read_file(path) if path is not None else ([], {})
    if isinstance(losses, str):
        losses = [name.strip() for name in losses.split(",") if name.strip()]
    elif isinstance(losses, Mapping):
        for name, settings in losses.items():
            pairs = (settings or {}).items()
            own[name] = [(key, value, f"`{key}` of {name}") for key, value in pairs]
    options = [(name, value, f"`{name}`") for name, value in keywords.items() if value is not None]
    for name, _, where in (*common, *options):
        if name in DECIDED:
            instead = "`losses` for" if name == "loss" else f"`{name}` of"
            raise InputError(f"{where} cannot be set here; give {instead} the comparison")
    names = list(losses or own)
    if not names:
        named = "give losses, such as `losses` softmax,nce,hsigmoid"
        listed = "list them under `losses` in the `config` file"
        raise InputError(f"nothing to compare: {named}, or {listed}")
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(f"`losses` names {twice[0]} twice: keep one")
    known = [*LOSSES, *own]
    configs = [_config(name, common, own.get(name, []), options, known) for name in names]
    contenders = [
        Contender(name, _alone(config, name)) for name, config in zip(names, configs, strict=True)
    ]
    used = {setting for c in contenders for setting in settings_of(LOSSES[c.loss].options)}
    notes = dict.fromkeys(note for c in contenders for note in c.config.notes)
    notes |= dict.fromkeys(
        f"{where} is not used by any of these losses (only by {', '.join(losses_with(name))})"
        for name, _, where in (*common, *options)
        if name in loss_settings() and name not in used
    )
    return contenders, list(notes)


def _alone(config: Config, name: str) -> Config:
    """Returns the configuration with its own subfolder of the `tensorboard` folder, if given."""
    folder = config.checkpoints.tensorboard
    if folder is None:
        return config
    checkpoints = replace(config.checkpoints, tensorboard=os.path.join(folder, name))
    return replace(config, checkpoints=checkpoints)


def _config(
    name: str, common: list[Given], own: list[Given], options: list[Given], names: list[str]
) -> Config:
    loss = next((str(value) for setting, value, _ in own if setting == "loss"), name)
    if loss not in LOSSES:
        guess = nearest(loss, names)
        guessed = f"did you mean {guess}?" if guess and guess != name else None
        remedy = guessed or f"there are {', '.join(LOSSES)}"
        raise InputError(f"no loss {loss!r}{'' if loss == name else f' of {name}'}: {remedy}")
    if not NAME.fullmatch(name):
        remedy = "use letters, digits, dots and hyphens"
        raise InputError(f"{name!r} cannot be the name of a folder: {remedy}")
    # a setting for all contenders that only other losses have is no mistake
    elsewhere = set(loss_settings()) - set(settings_of(LOSSES[loss].options))
    values = [entry for entry in common if entry[0] not in elsewhere]
    values += [entry for entry in own if entry[0] != "loss"]
    values += [entry for entry in options if entry[0] not in elsewhere]
    return config_of([*values, ("loss", loss, f"loss of {name}")])


def _read_file(path: str | os.PathLike[str]) -> tuple[list[Given], dict[str, list[Given]]]:
    """Returns the settings for all contenders, and the own settings of each by its name."""
    from w2v.settings.yamlfile import read_settings  # yaml takes 15 ms

    pairs, problems = read_settings(path)
    common: list[Given] = []
    own: dict[str, list[Given]] = {}
    for key, value in pairs:
        part, _, name = key.partition(".")
        if part != "losses":
            common.append((key.removeprefix("loss."), value, f"{key} in {path}"))
        elif "/" in name:
            name, _, setting = name.partition("/")
            own.setdefault(name, []).append((setting, value, f"{setting} of {name} in {path}"))
        elif name:
            own.setdefault(name, [])
            if value is not None:
                problems.append(f"{name} under losses in {path} has no settings like {{lr: 0.1}}")
        else:
            names = value if isinstance(value, list) else [value]
            own |= {str(loss): [] for loss in names}
            if not all(isinstance(loss, str) for loss in names):
                kinds = "neither a list of names nor a mapping from names to settings"
                problems.append(f"losses in {path} is {kinds}")
    if problems:
        raise InputError("; ".join(problems))
    return common, own
