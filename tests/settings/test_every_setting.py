"""Every setting, with values of every kind, through the command line, a YAML file and Python: taken
with the meaning that it has for the user, the same one everywhere, or refused in one line."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer.main
import yaml

from w2v.cli.app import app
from w2v.errors import InputError
from w2v.settings.build import build_config
from w2v.settings.config import Config
from w2v.settings.declare import BadValue, settings_of
from w2v.settings.groups import all_settings, losses_with
from w2v.settings.keywords import plain
from w2v.settings.language_model import LanguageModelSettings
from w2v.settings.yamlfile import read_settings

SETTINGS = {name: each for name, each in all_settings().items() if name != "corpus"}


class Named(enum.Enum):
    three = 3


class Text(str, enum.Enum):
    five = "5"


class Number(enum.IntEnum):
    three = 3


class Own(str):
    """A string of a program's own type."""


WORDS = (
    "1_000 1e3 ５ +5 0x10 1.0 .5 1,5 inf -inf nan -0 1e400 1e-400 -1e-400 5M 0 -1 5 0.9 "
    "012 1:30 0o17 true True yes on off no y n None null ~ 5. 1__0 ½ ² "
    "9223372036854775807 9223372036854775808 auto AUTO cpu neg 3-6 6-3 3–6 30s 5m 1.5k 0k "
    "a,b 2000,10000 10000,2000 x.json cuda:1 - --dim "
)
TEXTS = [
    *WORDS.split(),
    *["", " ", " 5 ", "5 M", "\t5\n", "a\nb", "1" + "0" * 30, "9" * 5000, "ä", "\x1b[0m"],
]
OBJECTS: dict[str, Callable[[], Any]] = {
    "True": lambda: True,
    "False": lambda: False,
    "3": lambda: 3,
    "0": lambda: 0,
    "-1": lambda: -1,
    "3.0": lambda: 3.0,
    "0.9": lambda: 0.9,
    "-0.0": lambda: -0.0,
    "NaN": lambda: float("nan"),
    "infinity": lambda: float("inf"),
    "5e-324": lambda: 5e-324,
    "1e30": lambda: 10**30,
    "5,000 digits": lambda: 10**5000,
    "1j": lambda: 3 + 0j,
    "int64": lambda: np.int64(3),
    "uint8": lambda: np.uint8(3),
    "float32": lambda: np.float32(0.1),
    "float64": lambda: np.float64(3),
    "bool_": lambda: np.bool_(True),
    "str_": lambda: np.str_("5"),
    "bytes_": lambda: np.bytes_(b"5"),
    "array of no dimension": lambda: np.array(3),
    "array of a bool": lambda: np.array(True),
    "array of one": lambda: np.array([3]),
    "no array": lambda: np.array([]),
    "datetime64": lambda: np.datetime64("2020"),
    "Fraction": lambda: Fraction(1, 3),
    "whole Fraction": lambda: Fraction(3),
    "small Fraction": lambda: Fraction(1, 10**400),
    "Decimal": lambda: Decimal("0.1"),
    "large Decimal": lambda: Decimal("1e400"),
    "Enum": lambda: Named.three,
    "str, Enum": lambda: Text.five,
    "IntEnum": lambda: Number.three,
    "own string": lambda: Own("5"),
    "Path": lambda: Path("words"),
    "bytes": lambda: b"5",
    "bytearray": lambda: bytearray(b"5"),
    "[]": list,
    "{}": dict,
    "()": tuple,
    "[3]": lambda: [3],
    "(3, 3)": lambda: (3, 3),
    "[True]": lambda: [True],
    "[None]": lambda: [None],
    "[2.5]": lambda: [2.5],
    "[[3]]": lambda: [[3]],
    "[5,000 digits]": lambda: [10**5000],
    "generator": lambda: (each for each in [3]),
    "set": lambda: {3},
    "range": lambda: range(3, 5),
    "class": lambda: int,
    "function": lambda: print,
}


def surroundings(name: str) -> dict[str, Any]:
    """What makes a setting one that has an effect."""
    needed: dict[str, Any] = {}
    if losses := losses_with(name):
        needed["loss"] = losses[0]
    if name in settings_of(LanguageModelSettings):
        needed |= {"model": "lm", "valid": "/v"}
        needed |= {"arch": "transformer"} if name in ("heads", "positions") else {}
        needed |= {"arch": "ffnn"} if name == "context" else {}
        needed |= {"optimizer": "adamw"} if name == "weight_decay" else {}
    needed |= {"init": "/i"} if name in ("freeze", "extend_vocab") else {}
    needed |= {"valid": "/v"} if name == "patience" else {}
    needed |= {"subwords": "3-6"} if name == "buckets" else {}
    return needed


def outcome(given: dict[str, Any], recipe: Path | None = None) -> Config | str:
    try:
        return build_config({"corpus": ("a.txt",), **plain(given)}, recipe)
    except InputError as error:
        return str(error)


def exactly(value: Any) -> Fraction:
    """The number that a value means, exactly. Raises an error for what is none."""
    if isinstance(value, str):
        match = re.fullmatch("([0-9]+) ?([kMG])", value.strip())
        units = {"k": 10**3, "M": 10**6, "G": 10**9}
        plain_value = re.sub("(?<=[0-9])_(?=[0-9])", "", value.strip())  # for Python 3.10
        return Fraction(int(match[1]) * units[match[2]]) if match else Fraction(plain_value)
    if isinstance(value, (bool, np.bool_)) or getattr(value, "ndim", 0):
        raise TypeError
    return Fraction(value.item() if hasattr(value, "item") else value)


@pytest.mark.parametrize("name", SETTINGS)
def test_values_are_taken_with_their_meaning_or_refused(name: str, tmp_path: Path) -> None:
    setting, around, saved = SETTINGS[name], surroundings(name), set()
    for value in [*TEXTS, *(make() for make in OBJECTS.values())]:
        done = outcome({**around, name: value})
        if isinstance(done, str):
            assert "\n" not in done and len(done) < 400
            assert f"`{name}`" in done
            continue
        taken = done.as_dict().get(name)
        if name not in done.as_dict() or name in ("engine", "device"):
            continue  # resolved further
        if setting.kind in ("int", "float") and not (name == "batch_size" and taken is None):
            exact = exactly(value)
            assert type(taken) is (int if setting.kind == "int" else float)
            assert taken == (exact if setting.kind == "int" else float(exact))
            assert (taken == 0) == (exact == 0) and str(taken) != "-0.0"
            assert setting.kind == "float" or not isinstance(value, float)
        elif setting.kind == "bool":
            said = value.item() if hasattr(value, "item") else getattr(value, "value", value)
            assert taken is (str(said).strip().lower() in TRUE) and not isinstance(said, float)
        elif isinstance(value, str) and setting.kind == "str" and name != "subwords":
            text = str.__str__(value)
            assert type(taken) is str
            assert taken in (text, text.strip()) or (name == "valid" and taken.endswith(text))
        if len(saved) < 3 and repr(taken) not in saved:  # config.yaml repeats it
            saved.add(repr(taken))
            recipe = tmp_path / "config.yaml"
            recipe.write_bytes(done.to_yaml().encode())
            again = build_config({}, recipe)
            if name not in ("output", "overwrite"):
                assert again.saved_values()[name] == done.saved_values()[name]


TRUE = ("true", "yes", "on", "1")


def test_the_same_text_means_the_same_on_the_command_line_and_in_yaml(tmp_path: Path) -> None:
    train: Any = typer.main.get_command(app).commands["train"]  # type: ignore[attr-defined]
    texts = {name: each for name, each in SETTINGS.items() if each.kind != "bool"}
    for text in TEXTS:
        options = [f"{each.option}={text}" for each in texts.values() if text or not each.metavar]
        given = train.make_context("train", ["a.txt", *options]).params
        assert {given[name] for name in texts} <= {text, None}
        if text.isprintable():
            recipe = tmp_path / "recipe.yaml"
            recipe.write_text(yaml.safe_dump(dict.fromkeys(SETTINGS, text)))
            assert [value for _, value in read_settings(recipe)[0]] == [text] * len(SETTINGS)
            # unquoted too, where YAML itself would read octal numbers, minutes or bools
            if re.fullmatch(r"[\w.,:+-]+", text) and text not in ("null", "-"):
                recipe.write_text("".join(f"{name}: {text}\n" for name in SETTINGS))
                assert [value for _, value in read_settings(recipe)[0]] == [text] * len(SETTINGS)


def test_an_empty_value_in_yaml_is_not_given_or_refused(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    for text in ("", "~", "null"):
        recipe.write_text("".join(f"{name}: {text}\n" for name in SETTINGS))
        assert [value for _, value in read_settings(recipe)[0]] == [None] * len(SETTINGS)
    for name, setting in SETTINGS.items():
        if not setting.optional:
            with pytest.raises(BadValue, match=f"^{name} in it has no value: give "):
                setting.convert(None, f"{name} in it")
    recipe.write_text("".join(f"{name}:\n" for name in SETTINGS if SETTINGS[name].optional))
    for given in ({}, *({"model": "lm", "arch": arch} for arch in ("lstm", "ffnn", "lbl"))):
        assert outcome(given, recipe) == outcome(given)


def test_what_has_no_effect_is_said() -> None:
    runs: list[dict[str, Any]] = [
        *({"loss": "neg", "model": model} for model in ("skip-gram", "cbow")),
        *({"loss": loss} for loss in ("softmax", "hsigmoid", "nce", "adaptive-softmax")),
        {"subwords": "3-6"},
        {"engine": "autograd", "optimizer": "sgd"},
        {"device": "cuda"},
        {"vocab": "/v"},
        *({"model": "lm", "arch": arch} for arch in ("lstm", "transformer", "ffnn", "lbl")),
        {"model": "lm", "optimizer": "sgd", "subwords": "300"},
    ]
    others: dict[str, Any] = {"cutoffs": "5,9", "nce_log_z": "learned", "positions": "learned"}
    others |= {"vectors": "sum", "cbow_hidden": "sum", "cbow_grad": "mean", "schedule": "constant"}
    others |= {"valid": "/v", "init": "/i", "output": "out"}
    for run in runs:
        before = outcome(run)
        assert isinstance(before, Config)
        for name, setting in SETTINGS.items():
            if setting.kind in ("int", "float"):
                value: Any = 4 if setting.default != 4 else 2
                value = 0.5 if setting.kind == "float" else value
            else:
                value = not setting.default if setting.kind == "bool" else others.get(name)
            if value is None or name in run:
                continue
            done = outcome({**run, name: value})
            if isinstance(done, str):
                assert f"`{name}`" in done or name in ("dim", "freeze", "extend_vocab")
            elif done.as_dict() == before.as_dict():
                given = [note for note in done.notes if note.startswith(f"`{name}` is not used")]
                unchanged = setting.default is None and value == before.as_dict().get(name)
                assert given or unchanged
    said = outcome({"overwrite": True})
    assert isinstance(said, Config) and "`overwrite` is not used without `output`" in said.notes[0]
    said = outcome({"exchange_words": 1000})
    assert isinstance(said, Config)
    assert "`exchange_words` is not used by a single process" in said.notes[0]
