"""The JSON Schema of the settings takes what training takes."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import typer.main
import yaml

from w2v.cli.app import app, main
from w2v.errors import InputError
from w2v.settings.build import build_config
from w2v.settings.declare import BadValue, Setting
from w2v.settings.groups import all_settings
from w2v.settings.schema import json_schema

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))
CHECK = jsonschema.Draft202012Validator(json_schema())


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_recipes_are_valid(path: Path) -> None:
    assert list(CHECK.iter_errors(yaml.safe_load(path.read_text()))) == []


def test_what_a_run_saves_is_valid() -> None:
    for given in ({}, {"model": "lm"}, {"loss": "adaptive-softmax"}, {"loss": "nce"}):
        saved = yaml.safe_load(build_config({"corpus": ("a.txt",), **given}).to_yaml())
        assert list(CHECK.iter_errors(saved)) == []


@pytest.mark.parametrize(
    "given",
    [
        {"dim": 0},
        {"dim": "many"},
        {"lr": 0},
        {"loss": "softmx"},
        {"no-such-setting": 1},
        {"negatives": -1},
        {"model": "glove"},
        {"loss": {"name": "nce", "negative": 3}},
    ],
    ids=str,
)
def test_what_training_refuses_is_not_valid(given: dict[str, Any], tmp_path: Path) -> None:
    assert list(CHECK.iter_errors(given))
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(yaml.safe_dump({"corpus": "a.txt", **given}))
    with pytest.raises(InputError):
        build_config({}, recipe)


def test_the_command_line_prints_schema_and_recipe(tmp_path: Path) -> None:
    program = [sys.executable, "-m", "w2v", "config"]
    printed = subprocess.run([*program, "--schema"], capture_output=True, check=True).stdout
    assert json.loads(printed) == json.loads(json.dumps(json_schema()))
    recipe = subprocess.run(program, capture_output=True, check=True, text=True).stdout
    lines = [line.removeprefix("# ") for line in recipe.splitlines()[2:]]
    keys = {line.partition(":")[0].replace("-", "_") for line in lines}
    assert all_settings().keys() <= keys
    # as it is, and with its comments' values taken, it is a file of settings
    named = [line for line in lines if line.partition(":")[0].replace("-", "_") in all_settings()]
    for text in (recipe, "\n".join(line for line in named if not line.startswith("corpus"))):
        path = tmp_path / "recipe.yaml"
        path.write_text(text)
        assert build_config({"corpus": ("a.txt",)}, path).as_dict() == (
            build_config({"corpus": ("a.txt",)}).as_dict()
        )


def takes(setting: Setting, value: object) -> bool:
    try:
        setting.convert(value, "here")
        return True
    except BadValue:
        return False


def edges(setting: Setting) -> list[int | float]:
    """Numbers at the limits of a setting and beyond, in steps of its kind."""
    whole, numbers = setting.kind == "int", [-(2**63) - 1, -1, 0, 1, 2, 2**63 - 1, 2**63]
    for limit in (setting.low, setting.above, setting.high):
        if limit is not None:
            near = [math.nextafter(limit, way) for way in (-math.inf, math.inf)]
            numbers += [limit - 1, limit, limit + 1, *([] if whole else near)]
    return numbers if whole else list(map(float, numbers))


def test_the_schema_has_the_limits_that_are_enforced() -> None:
    words = "5 5M 5m 30s 0x10 1e3 -.5 inf auto cuda:1 gpu 3-6 a x.json"
    texts = [*words.split(), "", "5 k", "3 - 6"]
    for name, setting in all_settings().items():
        for number in edges(setting) if setting.kind in ("int", "float") else ():
            assert CHECK.is_valid({name: number}) == takes(setting, number), (name, number)
        # texts of bools and whole numbers are taken, but editors had better mark them
        for text in texts if setting.kind in ("str", "float") or setting.pattern else ():
            if setting.kind != "float" or not setting.limits_text:
                assert CHECK.is_valid({name: text}) == takes(setting, text), (name, text)
        if setting.optional:
            assert CHECK.is_valid({name: None})
        for odd in ([None], {"a": 1}, [[1]], True):
            if setting.kind != "bool" or odd is not True:
                assert not CHECK.is_valid({name: odd}) and not takes(setting, odd), (name, odd)


def test_the_help_and_the_recipe_have_the_limits_that_are_enforced(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["config"])
    lines = capsys.readouterr().out.splitlines()
    recipe = {after.split(":")[0][2:]: line for line, after in pairwise(lines)}
    train: Any = typer.main.get_command(app).commands["train"]  # type: ignore[attr-defined]
    for param in train.params:
        setting = all_settings().get(param.name)
        if setting is None or setting.kind not in ("int", "float"):
            continue
        for text in (param.help, recipe[param.opts[0][2:]]):
            said = re.search(r"\[([^\[]*)\]$", text)
            assert said, text
            limits = [float(limit) for limit in re.findall(NUMBER, said[1].split(";")[0])]
            (low, *high), above = limits, said[1].startswith("above")
            step = 1 if setting.kind == "int" else 1e-9
            assert takes(setting, exact(setting, low)) != above
            assert takes(setting, exact(setting, low + step))
            assert not takes(setting, exact(setting, low - step))
            for limit in high:
                assert takes(setting, exact(setting, limit))
                assert not takes(setting, exact(setting, limit + step))


NUMBER = r"(?<![\w.])-?[0-9.]+"


def exact(setting: Setting, number: float) -> int | float:
    return int(number) if setting.kind == "int" else number
