"""Builds a `Config` from what the user gave: values on the command line or as keywords override
those of the YAML file, and these override the defaults. The result has a value for every setting.

All problems are reported at once.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from w2v.errors import InputError, shown
from w2v.losses.table import LOSSES, LossEntry
from w2v.settings import groups, language_model
from w2v.settings.config import Config
from w2v.settings.declare import BadValue, settings_of
from w2v.settings.elsewhere import instead, nearest
from w2v.settings.groups import (
    FUSED,
    GROUPS,
    HOGWILD,
    LANGUAGE_MODEL,
    TRITON,
    all_settings,
    loss_settings,
    losses_with,
)
from w2v.settings.language_model import LanguageModelSettings
from w2v.settings.resolve import DEFAULT_LR, fused_engine, resolve, unsupported
from w2v.system.arguments import is_encoding
from w2v.system.files import absolute
from w2v.system.ranks import rank_or_single

MAX_PROBLEMS = 20  # reported at once
NO_TRITON = "Triton is not installed"
Named = tuple[str, Any, str]  # a setting, its value, and where the user gave it, for messages


def build_config(
    given: Mapping[str, Any], yaml_path: str | os.PathLike[str] | None = None
) -> Config:
    """Returns the configuration for settings by name (strings or values, None = not given), and a
    YAML file. Raises InputError as `config_of` does, and if the file cannot be used."""
    from_file, problems = ([], []) if yaml_path is None else _read_yaml(yaml_path)
    if yaml_path == "-" and "-" in (given.get("corpus") or ()):
        problems = [*problems, "`config` - and `corpus` - both read stdin: name a file for one"]
    named = [(name, value, f"{name} in {yaml_path}") for name, value in from_file]
    named += [(name, value, f"`{name}`") for name, value in given.items() if value is not None]
    return config_of(named, problems)


def config_of(named: Iterable[Named], problems: Iterable[str] = ()) -> Config:
    """Returns the configuration for named values; later ones override earlier ones. Raises one
    InputError for all wrong names, types and values, and any `problems` already found."""
    problems = list(problems)
    given = _converted(named, problems)
    _refuse([*problems, *_problems_of_values(given)])
    if "valid" in given.values:
        given.values["valid"] = absolute(str(given.values["valid"]))
    values = resolve(given.values)
    loss = LOSSES[values["loss"]]
    parts = {**GROUPS, "loss": loss.options}
    config = Config(
        **{
            part: cls(**{name: values[name] for name in settings_of(cls)})
            for part, cls in parts.items()
        }
    )
    engine = values["engine"] if values["engine"] in FUSED else fused_engine(values["device"])
    lacking = unsupported(engine, values | {"optimizer": given.values.get("optimizer")})
    _refuse(_problems_of_combinations(config, loss, given, lacking))
    notes, why = _notes(config, loss, given), _why_engine(config, given, lacking)
    if why == NO_TRITON:
        slower = f"`device` {values['device']} trains with engine autograd, since {why}"
        notes.append(f"{slower}; with it training is faster: pip install triton")
    return replace(config, notes=tuple(notes), why_engine=why)


def build_group(cls: type, given: Mapping[str, Any]) -> Any:
    """Returns an instance of a group of settings that is not part of `Config`; None = not given.
    Raises InputError as `config_of` does."""
    known, problems, values = settings_of(cls), [], {}
    for name, value in given.items():
        try:
            if value is not None:
                values[name] = known[name].convert(value, f"`{name}`")
        except BadValue as error:
            problems.append(str(error))
    _refuse(problems)
    return cls(**values)


@dataclass
class _Given:
    """What the user gave: the converted value of each setting, and how the user named it."""

    values: dict[str, Any] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def note(self, names: Iterable[str], why: str) -> list[str]:
        """Returns a sentence, "NAME is not used WHY", for each of these settings that was given."""
        return [f"{self.names[name]} is not used {why}" for name in names if name in self.names]


def _converted(named: Iterable[Named], problems: list[str]) -> _Given:
    """Converts named values, and adds phrases about unusable ones to `problems`."""
    known, given, refused = all_settings(), _Given(), set()
    for name, value, where in named:
        if name not in known:
            problems.append(_unknown(f"unknown setting {shown(name)}", name, known))
            continue
        try:
            converted = known[name].convert(value, where)
        except BadValue as error:
            problems.append(str(error))
            refused.add(name)
            continue
        given.values.pop(name, None)
        given.names.pop(name, None)
        if converted is not None:
            given.values[name], given.names[name] = converted, where
    if not given.values.get("corpus") and "corpus" not in refused:
        problems.append("no corpus: give a text file, a folder, or - for standard input")
    return given


def _problems_of_values(given: _Given) -> list[str]:
    """Returns phrases about values that are wrong by themselves."""
    values, names, problems = given.values, given.names, []
    problems += [
        f"{names[name]} needs `init`, the run or the vectors to start from"
        for name in ("freeze", "extend_vocab")
        if values.get(name) and "init" not in values
    ]
    encoding = values.get("encoding", "utf-8")
    if not is_encoding(str(encoding)):
        problem = f"{names['encoding']} {shown(encoding)} is not a text encoding known to Python"
        problems.append(f"{problem}: try utf-8, latin-1, utf-16 or cp1252")
    return problems


def _problems_of_combinations(
    config: Config, loss: LossEntry, given: _Given, lacking: list[str]
) -> list[str]:
    """Returns phrases about values that cannot be combined."""
    problems, names, training = [], given.names, config.training
    validated, patience = config.validation.valid is not None, config.validation.patience
    if patience and not validated:
        problems.append(f"{names['patience']} {patience} needs `valid`, the text to validate on")
    if training.engine in FUSED and lacking:
        problem = f"`engine` {training.engine} does not support {_listed(lacking)}"
        problems.append(f"{problem}: use `engine` autograd or auto")
    if training.engine == TRITON and training.deterministic:
        problem = f"{names['deterministic']}: a GPU adds numbers in no fixed order; leave it out"
        problems.append(f"{problem}, or train on the CPU with `engine` hogwild")
    if config.corpus.tokenizer_file and config.model.pieces and not config.only_vectors:
        problems.append(f"{names['subwords']} and {names['tokenizer']} both split words: omit one")
    if config.corpus.vocab is not None:
        if config.start.extend_vocab:
            problems.append(f"{names['extend_vocab']} adds words to those of `vocab`: omit one")
        if config.model.pieces:
            problems.append(
                f"{names['subwords']} makes the tokens, and `vocab` lists words: omit one"
            )
    if bool(config.model.pieces if config.only_vectors else config.model.ngram_lengths):
        accepted = "lengths such as 3-6" if config.only_vectors else "a number such as 8000"
        problem = f"{names['subwords']} {config.model.subwords}"
        problems.append(f"{problem}: `model` {config.model.model} takes {accepted}, or 0")
    if config.model.ngram_lengths and config.start.freeze:
        problem = f"{names['freeze']}: with `subwords`, old and new words share n-grams"
        problems.append(f"{problem}, so that no vector stays unchanged; omit one")
    if config.only_vectors:
        if config.model.vectors != "input" and not loss.has_word_rows:
            problem = f"{names['vectors']} {config.model.vectors}: `loss` {loss.name}"
            problems.append(f"{problem} has no output row per word; use input, or another loss")
        if config.model.components > (numbers := replace(config.model, components=0).vector_size):
            problem = f"{names['components']} {config.model.components}: the vectors have only"
            problems.append(f"{problem} {numbers} numbers; choose at most that, or a larger `dim`")
        changed = [name for name in groups.OUTCOME if config.model.changes(name)]
        if config.start.freeze and changed:
            problem = f"{names['freeze']}: {names[changed[0]]} changes the vectors of all words"
            problems.append(f"{problem}, also those of `init`; omit one")
        if config.model.ngram_lengths and changed:
            problem = f"{names[changed[0]]}: with `subwords`, n-grams give unknown words vectors"
            problems.append(f"{problem}, which would no longer fit the others; omit one")
        if training.optimizer not in DEFAULT_LR:
            problem = f"`optimizer` {training.optimizer} is only for `model` {LANGUAGE_MODEL}"
            problems.append(f"{problem}: use {_listed([*DEFAULT_LR])}")
        return problems
    if config.lm.tied and not loss.tied:
        problem = f"`tied`: the output rows of `loss` {loss.name} are not words"
        problems.append(f"{problem}, so they cannot be the embeddings")
    if config.lm.output_bias and not loss.bias:
        problems.append(f"`output_bias`: `loss` {loss.name} has no biases; leave it out")
    for name in ("freeze", "extend_vocab"):
        if getattr(config.start, name):
            problem = f"{names[name]} is only for word vectors, not for `model` {LANGUAGE_MODEL}"
            problems.append(f"{problem}: leave it out")
    return problems + language_model.problems(config.lm, validated)


def _notes(config: Config, loss: LossEntry, given: _Given) -> list[str]:
    """Returns sentences about settings that were given but have no effect."""
    notes = []
    for name in given.names:
        if (losses := losses_with(name)) and loss.name not in losses:
            notes += given.note([name], f"by `loss` {loss.name} (only by {_listed(losses)})")
    model, engine = config.model.model, config.training.engine
    if config.only_vectors:
        idle = [name for name in given.names if name in settings_of(LanguageModelSettings)]
        notes += given.note(idle, f"by `model` {model} (only by {LANGUAGE_MODEL})")
    else:
        notes += language_model.notes(config.lm.arch, given.values, given.names)
        notes += given.note(groups.WORD_VECTORS_ONLY, f"by `model` {model}")
        if config.training.optimizer != "adamw":
            why = f"by `optimizer` {config.training.optimizer} (only by adamw)"
            notes += given.note(["weight_decay"], why)
    if config.output.overwrite and config.output.output is None:
        notes += given.note(["overwrite"], "without `output`: a new name is chosen")
    checkpoints, usual = config.checkpoints, groups.CheckpointSettings
    none_saved = checkpoints.checkpoint_every is None and checkpoints.keep != usual.keep
    alone = rank_or_single().size == 1
    if none_saved and alone:  # several ranks always save checkpoints
        notes += given.note(["keep"], "without `checkpoint_every`")
    if config.corpus.vocab is not None:
        notes += given.note(groups.CHOOSE_WORDS, "with `vocab`, which lists the words to keep")
    if config.only_vectors and not config.model.ngram_lengths:
        notes += given.note(["buckets"], "without `subwords`")
    if config.training.exchange_words and (alone or engine != HOGWILD):
        why = "by a single process" if engine == HOGWILD else f"by the {engine} engine"
        notes += given.note(groups.HOGWILD_ONLY, why)
    if engine in FUSED and "batch_size" in given.values:
        notes += given.note(["batch_size"], f"by the {engine} engine (add `engine` autograd)")
    if engine not in FUSED and config.training.deterministic:
        notes += given.note(["deterministic"], "by the autograd engine")
    unlike_default = [name for name in ("cbow_hidden", "cbow_grad") if config.model.changes(name)]
    if model != "cbow":
        notes += given.note(unlike_default, f"by `model` {model}")
    elif config.model.cbow_hidden == "sum" and "cbow_grad" in unlike_default:
        notes += given.note(["cbow_grad"], "by `cbow_hidden` sum")
    return notes


def _why_engine(config: Config, given: _Given, lacking: list[str]) -> str:
    if given.values.get("engine", "auto") != "auto":
        return f"given by {given.names['engine']}"
    if lacking:
        return f"{_listed(lacking)} {'needs' if len(lacking) == 1 else 'need'} it"
    if config.training.engine not in FUSED:
        return NO_TRITON
    return f"`loss` {config.training.loss} has a fused kernel"


def _refuse(problems: Sequence[str]) -> None:
    if len(problems) == 1:
        raise InputError(problems[0])
    if problems:
        listed = [*problems[:MAX_PROBLEMS], *(["…"] if len(problems) > MAX_PROBLEMS else [])]
        raise InputError(f"{len(problems)} problems: {'; '.join(listed)}")


def _listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _read_yaml(path: str | os.PathLike[str]) -> tuple[list[tuple[str, Any]], list[str]]:
    """Returns the known settings in a file, and phrases about its other keys."""
    from w2v.settings.yamlfile import read_settings  # yaml takes 15 ms

    pairs, problems = read_settings(path)
    several = f"losses in {path} is for w2v compare; w2v train trains one `loss`"
    every, of_losses, settings = all_settings(), loss_settings(), []
    for key, value in pairs:
        name = key.removeprefix("loss.")
        known = every if key == name else of_losses
        if key.partition(".")[0] == "losses":
            problems += [several] if several not in problems else []
        elif name not in known:
            # no suggestions beyond the limit: they would take long in a file of unknown keys
            near = known if len(problems) < MAX_PROBLEMS else ()
            problems.append(_unknown(f"unknown key {shown(key)} in {path}", name, near))
        else:
            settings.append((name, value))
    return settings, problems


def _unknown(problem: str, name: str, known: Iterable[str]) -> str:
    if remedy := instead(name):
        return f"{problem}: {remedy}"
    guess = nearest(name, known)
    return f"{problem} (did you mean {guess!r}?)" if guess else problem
