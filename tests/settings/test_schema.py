"""The JSON Schema of the settings takes what training takes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from w2v.errors import InputError
from w2v.settings.build import build_config
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
    assert all_settings().keys() - {"output", "overwrite"} <= keys
    # as it is, and with its comments' values taken, it is a file of settings
    named = [line for line in lines if line.partition(":")[0].replace("-", "_") in all_settings()]
    for text in (recipe, "\n".join(line for line in named if not line.startswith("corpus"))):
        path = tmp_path / "recipe.yaml"
        path.write_text(text)
        assert build_config({"corpus": ("a.txt",)}, path).as_dict() == (
            build_config({"corpus": ("a.txt",)}).as_dict()
        )
