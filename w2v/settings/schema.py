"""The settings as a JSON Schema, with which editors complete and check recipes.

Values are YAML's numbers or strings; ranges are checked for numbers only. Dependencies between
settings are checked when a run is configured, not by the schema.
"""

from __future__ import annotations

import json
import re
from typing import Any

from w2v.losses.table import LOSSES
from w2v.settings.declare import Setting, settings_of
from w2v.settings.groups import OutputSettings, all_settings, loss_settings

DIALECT = "https://json-schema.org/draft/2020-12/schema"
TYPES = {"int": "integer", "float": "number", "bool": "boolean", "str": "string"}
# YAML 1.1 reads 1e-3 as a string
NUMERIC = {"type": "string", "pattern": r"^[-+]?[0-9.]+([eE][-+]?[0-9]+)?$"}


def json_schema() -> dict[str, Any]:
    """Returns the schema of the YAML files for `config`."""
    settings, loss_options = all_settings(), loss_settings()
    every = _properties(settings)
    loss = {"name": {"enum": list(LOSSES)}, **_properties(loss_options)}
    mapping = {"type": "object", "properties": loss, "additionalProperties": False}
    every["loss"] = {**every["loss"], "anyOf": [{"enum": list(LOSSES)}, mapping]}
    del every["loss"]["enum"]
    of_one = {"type": ["object", "null"], "properties": _properties(settings)}
    of_losses = {**of_one, "additionalProperties": False}
    every["losses"] = {
        "description": "what w2v compare trains: names, or names with the settings of each",
        "anyOf": [
            {"type": "object", "additionalProperties": of_losses},
            {"type": ["array", "string"], "items": {"type": "string"}},
        ],
    }
    return {
        "$schema": DIALECT,
        "title": "Settings of w2v",
        "type": "object",
        "properties": every,
        "additionalProperties": False,
    }


def _properties(settings: dict[str, Setting]) -> dict[str, Any]:
    """Returns the schema's properties for settings, in both spellings: min-count, min_count."""
    return {
        spelling: _property(setting)
        for name, setting in settings.items()
        for spelling in dict.fromkeys((name.replace("_", "-"), name))
    }


def _property(setting: Setting) -> dict[str, Any]:
    schema: dict[str, Any] = {"description": setting.help}
    if setting.default not in (None, ()):
        schema["default"] = setting.default
    if setting.kind == "words":
        entry = {"type": ["string", "integer"]}
        return {**schema, "type": ["array", *entry["type"]], "items": entry}
    if setting.or_file:
        paths = {"type": "string", "pattern": re.escape(setting.or_file) + "$"}
        return {**schema, "anyOf": [{"enum": [*(setting.choices or ())]}, paths]}
    if setting.choices is not None and not setting.or_number:
        return {**schema, "enum": [*setting.choices, *([None] if setting.optional else [])]}
    limits = {"minimum": setting.low, "exclusiveMinimum": setting.above, "maximum": setting.high}
    kind: dict[str, Any] = {"type": TYPES[setting.kind]}
    kind |= {name: limit for name, limit in limits.items() if limit is not None}
    kinds = [kind]
    if setting.kind == "float":
        kinds.append(NUMERIC)
    elif setting.kind == "int" and setting.read is not None:
        kinds.append({"type": "string"})
    elif setting.kind == "str":
        kinds = [{"type": ["string", "number"]}]
    if setting.optional:
        kinds.append({"type": "null"})
    return {**schema, **(kinds[0] if len(kinds) == 1 else {"anyOf": kinds})}


def template() -> str:
    """Returns a recipe in YAML with every setting and its default, commented out."""
    lines = ["# w2v train --config recipe.yaml"]
    for name, setting in all_settings().items():
        if name in settings_of(OutputSettings):
            continue
        depends = setting.default_text is not None or setting.lm is not None
        default = f" [{setting.default_in_words}]" if depends else ""
        value = "" if setting.default is None else json.dumps(setting.default)
        lines += ["", f"# {setting.help}{default}"]
        lines += [f"# {name.replace('_', '-')}: {value}".rstrip()]
    return "\n".join(lines) + "\n"
