"""Makes a `Config` of what the user said: command line, then the YAML file, then the defaults
(word2vec.c's).

All that is wrong is reported at once.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

from w2v.errors import InputError, shown
from w2v.losses.table import LOSSES
from w2v.settings import language_model as language_model
from w2v.settings.config import DEFAULT_LR, Config
from w2v.settings.declare import BadValue, nearest, settings_of
from w2v.settings.groups import (
    GROUPS,
    WORD_VECTORS_ONLY,
    ModelSettings,
    all_settings,
    loss_settings,
    losses_with,
)
from w2v.settings.interval import parse_interval
from w2v.settings.language_model import LanguageModelSettings

MAX_PROBLEMS = 20  # told at once


def build_config(cli: Mapping[str, Any], yaml_path: str | os.PathLike[str] | None = None) -> Config:
    """The configuration from the command line (texts by setting name, None = not given) and a YAML
    file.

    Raises:
        InputError: the file cannot be used, or names, types or values are wrong; one message tells
            all of them.
    """
    from_file: list[tuple[str, Any]] = []
    problems: list[str] = []
    if yaml_path is not None:
        from_file, problems = _read_yaml(yaml_path)
    given = [(name, value, f"{name} in {yaml_path}") for name, value in from_file]
    given += [(name, value, _option(name)) for name, value in cli.items() if value is not None]
    return _assemble(given, problems)


def config_of(given: Iterable[tuple[str, Any, str]]) -> Config:
    """The configuration of (setting, value, how the user named it) triples; later ones win over
    earlier ones.

    Raises:
        InputError: names, types or values are wrong; one message tells all of them.
    """
    return _assemble(given, [])


def _assemble(given: Iterable[tuple[str, Any, str]], problems: list[str]) -> Config:
    """Converts and sorts (name, value, place) triples into a Config; later ones win over earlier
    ones."""
    known = all_settings()
    values: dict[str, Any] = {}
    places: dict[str, str] = {}
    refused: set[str] = set()
    for name, value, place in given:
        if name not in known:
            problems.append(_unknown(f"unknown setting {shown(name)}", name, known))
            continue
        try:
            values[name] = known[name].convert(value, place)
            places[name] = place
        except BadValue as error:
            problems.append(str(error))
            refused.add(name)
    if not values.get("corpus") and "corpus" not in refused:
        problems.append("no corpus: name a text file, a folder, or - for standard input")
    if "device" in values and not re.fullmatch(
        r"auto|cpu|cuda(:[0-9]{1,4})?", str(values["device"])
    ):
        problems.append(
            f"{places['device']} {values['device']} is not one of auto, cpu, cuda, or cuda: and a"
            " number"
        )
    problems += [
        f"{places[name]} needs `init`: name the run or the vectors to start from"
        for name in ("freeze", "extend_vocab")
        if values.get(name) and values.get("init") is None
    ]
    if values.get("checkpoint_every") is not None:
        try:
            parse_interval(str(values["checkpoint_every"]))
        except ValueError as error:
            problems.append(f"{places['checkpoint_every']} {error}")
    _refuse(problems)

    if values.get("valid") not in (None, "-"):
        values["valid"] = os.path.abspath(str(values["valid"]))
    is_lm = values.get("model") == "lm"
    if is_lm:
        values = language_model.DEFAULTS | values
    groups = {
        group: cls(**{name: values[name] for name in settings_of(cls) if name in values})
        for group, cls in GROUPS.items()
    }
    training = groups["training"]
    options = LOSSES[training.loss].options
    chosen = settings_of(options)
    notes = [
        f"{place} is not used by `loss` {training.loss} (only by {_listed(losses_with(name))})"
        for name, place in places.items()
        if losses_with(name) and name not in chosen
    ]
    if is_lm and LOSSES[training.loss].draws_noise:
        values.setdefault("negatives", language_model.NEGATIVES)
    config = Config(
        **groups, loss=options(**{name: values[name] for name in chosen if name in values})
    )
    problems = []
    if config.validation.patience and config.validation.valid is None:
        problems.append(
            f"{places['patience']} {config.validation.patience} needs `valid` FILE, the text it"
            " watches"
        )
    if config.training.engine == "hogwild" and config.beyond_hogwild:
        problems += [
            f"`engine` hogwild cannot do {_listed(config.beyond_hogwild)}: use `engine` autograd or"
            " auto"
        ]
    if is_lm:
        entry = LOSSES[training.loss]
        validated = config.validation.valid is not None
        problems += language_model.problems(
            config.lm, config.model.dim, training.loss, entry.tied, entry.bias, validated
        )
        if config.start.init is not None:
            problems.append(
                f"{places['init']} is for word vectors: leave it away, `model` lm starts by itself"
            )
        notes += language_model.notes(config.lm, places)
        config = dataclasses.replace(
            config,
            lm=language_model.resolved(
                config.lm, config.model.dim, config.optimizer, entry.bias, validated
            ),
        )
    elif training.optimizer == "adamw":
        problems.append(f"`optimizer` adamw is for `model` lm only: use {_listed([*DEFAULT_LR])}")
    _refuse(problems)
    notes += [
        f"{place} is not used by `model` {config.model.model}{'' if is_lm else ' (only by lm)'}"
        for name, place in places.items()
        if name in (WORD_VECTORS_ONLY if is_lm else settings_of(LanguageModelSettings))
    ]
    if training.engine != "auto":
        why = f"as {places['engine']} says"
    elif config.beyond_hogwild:
        why = (
            f"{_listed(config.beyond_hogwild)}"
            f" {'needs' if len(config.beyond_hogwild) == 1 else 'need'} it"
        )
    else:
        why = f"the fused CPU kernels have `loss` {training.loss}"
    resolved = {name: getattr(config, name) for name in ("lr", "threads", "engine", "optimizer")}
    if config.engine == "hogwild" and training.batch_size is not None:
        resolved["batch_size"] = None
        notes.append(
            f"{places['batch_size']} is not used by the hogwild engine (add `engine` autograd)"
        )
    if config.engine == "autograd" and training.deterministic:
        notes.append(f"{places['deterministic']} is not used by the autograd engine")
    notes += _idle_cbow(config.model, places)
    training = dataclasses.replace(training, **resolved)
    return dataclasses.replace(config, training=training, notes=tuple(notes), why_engine=why)


def _idle_cbow(model: ModelSettings, places: Mapping[str, str]) -> list[str]:
    """Notes on CBOW's settings that were changed but have no effect."""
    notes = []
    if model.model != "cbow":
        changed = [
            name
            for name in ("cbow_hidden", "cbow_grad")
            if getattr(model, name) != getattr(ModelSettings, name)
        ]
        notes = [f"{places[name]} is not used by `model` {model.model}" for name in changed]
    elif model.cbow_hidden == "sum" and model.cbow_grad != ModelSettings.cbow_grad:
        notes = [f"{places['cbow_grad']} is not used by `cbow_hidden` sum"]
    return notes


def _refuse(problems: list[str]) -> None:
    if problems:
        told = problems[:MAX_PROBLEMS] + (["…"] if len(problems) > MAX_PROBLEMS else [])
        raise InputError(
            problems[0] if len(problems) == 1 else f"{len(problems)} problems: " + "; ".join(told)
        )


def _listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _read_yaml(path: str | os.PathLike[str]) -> tuple[list[tuple[str, Any]], list[str]]:
    from w2v.settings.yamlfile import read_settings

    pairs, problems = read_settings(path)
    known, of_losses = all_settings(), loss_settings()
    found = []
    for key, value in pairs:
        name = key.removeprefix("loss.")
        if key.partition(".")[0] == "losses":
            several = (
                f"losses in {path} are several: w2v compare trains them, w2v train takes one `loss`"
            )
            problems += [several] if several not in problems else []
        elif name not in (of_losses if key != name else known):
            # looking for the nearest name takes time, which a file of nothing but unknown keys
            # shall not have
            near = (of_losses if key != name else known) if len(problems) < MAX_PROBLEMS else ()
            problems.append(_unknown(f"unknown key {shown(key)} in {path}", name, near))
        else:
            found.append((name, value))
    return found, problems


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    guess = nearest(name, known)
    return f"{what} (did you mean {guess!r}?)" if guess else what


def _option(name: str) -> str:
    return f"`{name}`"
