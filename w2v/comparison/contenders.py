"""What is compared: a name and the complete configuration of each run.

On the command line `--losses softmax,nce`; in a YAML file, beside the settings that all of them
share:

    model: lm
    losses:
      softmax: {lr: 20}
      nce: {negatives: 512, lr: 10}
      nce-64: {loss: nce, negatives: 64}      # `loss` where the name is not a loss's

The command line wins over a name's own settings, and these over the file's other ones.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from w2v.errors import InputError
from w2v.losses.table import LOSSES
from w2v.settings.build import config_of
from w2v.settings.config import Config
from w2v.settings.declare import nearest, settings_of
from w2v.settings.groups import loss_settings, losses_with
from w2v.settings.yamlfile import read_settings

OWN = ("loss", "output", "overwrite")  # settings that compare itself decides on
NAME = re.compile(r"[\w.+-]{1,64}")  # becomes a folder's name

Given = tuple[str, Any, str]  # a setting's name, its value, and where the user wrote it


@dataclass(frozen=True)
class Contender:
    """One run: its name in the table and in the output folder, and its configuration."""

    name: str
    config: Config

    @property
    def loss(self) -> str:
        """The name of its loss."""
        return self.config.training.loss


def read_contenders(
    losses: Sequence[str] | None, cli: Mapping[str, Any], path: str | os.PathLike[str] | None
) -> tuple[list[Contender], list[str]]:
    """(the contenders in the user's order, notes for the user).

    Args:
        losses: names from `losses`; None: all that the file lists.
        cli: settings of all contenders from the command line, None = not given.
        path: the YAML file, or None.

    Raises:
        InputError: the file cannot be used, a name is unknown or given twice, or a setting is
            wrong.
    """
    common, own = _read_file(path) if path is not None else ([], {})
    options = [(name, value, _place(name)) for name, value in cli.items() if value is not None]
    names = list(losses) if losses else list(own)
    if not names:
        raise InputError(
            "nothing to compare: name losses, such as `losses` softmax,nce,hsigmoid, or list them"
            " under `losses` in the `config` file"
        )
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"`losses` names {twice[0]} twice: keep one")
    found: list[Contender] = []
    notes: dict[str, None] = {}
    for name in names:
        contender = _contender(name, common, own.get(name, []), options, own)
        found.append(contender)
        notes |= dict.fromkeys(contender.config.notes)
    used = {setting for each in found for setting in settings_of(LOSSES[each.loss].options)}
    notes |= dict.fromkeys(
        f"{place} is not used by any of these losses (only by {', '.join(losses_with(name))})"
        for name, _, place in (*common, *options)
        if name in loss_settings() and name not in used
    )
    return found, list(notes)


def _place(name: str) -> str:
    return f"`{name}`"


def _contender(
    name: str,
    common: list[Given],
    own: list[Given],
    options: list[Given],
    others: Mapping[str, Any],
) -> Contender:
    loss: Any = next((value for setting, value, _ in own if setting == "loss"), name)
    if loss not in LOSSES:
        guess = nearest(str(loss), [*LOSSES, *others])
        remedy = (
            f"did you mean {guess}?"
            if guess and guess != name
            else f"there are {', '.join(LOSSES)}"
        )
        what = "" if loss == name else f" of {name}"
        raise InputError(f"no loss {str(loss)!r}{what}: {remedy}")
    if not NAME.fullmatch(name) or name.startswith("."):
        raise InputError(
            f"{name!r} cannot be the name of a folder: use letters, digits, dots and hyphens"
        )
    # A setting that other losses have, given for all, is no mistake.
    elsewhere = set(loss_settings()) - set(settings_of(LOSSES[loss].options))
    common, options = (
        [each for each in given if each[0] not in elsewhere] for given in (common, options)
    )
    own = [each for each in own if each[0] != "loss"]
    return Contender(name, config_of([*common, *own, *options, ("loss", loss, f"loss of {name}")]))


def _read_file(path: str | os.PathLike[str]) -> tuple[list[Given], dict[str, list[Given]]]:
    """(the settings of all contenders, the settings of each by its name)."""
    pairs, problems = read_settings(path)
    common: list[Given] = []
    own: dict[str, list[Given]] = {}
    for key, value in pairs:
        if key == "losses":
            names = value if isinstance(value, list) else [value]
            if not all(isinstance(name, str) for name in names):
                problems.append(
                    f"losses in {path} is neither a list of names nor a mapping from names to"
                    " settings"
                )
            own |= {str(name): [] for name in names}
        elif key.startswith("losses."):
            name, _, setting = key.removeprefix("losses.").partition("/")
            own.setdefault(name, [])
            if setting:
                own[name].append((setting, value, f"{setting} of {name} in {path}"))
            elif value is not None:
                problems.append(
                    f"{name} under losses in {path} is not followed by settings, such as {{lr:"
                    " 0.1}"
                )
        elif key in OWN:
            remedy = (
                "list them under `losses`" if key == "loss" else f"give --{key} on the command line"
            )
            problems.append(f"{key} in {path}: w2v compare trains several losses; {remedy}")
        else:
            common.append((key.removeprefix("loss."), value, f"{key} in {path}"))
    if problems:
        raise InputError(
            problems[0]
            if len(problems) == 1
            else f"{len(problems)} problems: {'; '.join(problems)}"
        )
    return common, own
