"""The settings as a JSON Schema, with which editors complete and check recipes.

Values are YAML's numbers or strings; ranges are checked for numbers only. Dependencies between
settings are checked when a run is configured, not by the schema.
"""

from __future__ import annotations

import json
import re
from typing import Any

from w2v.losses.table import LOSSES
from w2v.settings.declare import Setting
from w2v.settings.groups import all_settings, loss_settings

DIALECT = "https://json-schema.org/draft/2020-12/schema"
MAX_INT = 2**63 - 1
# YAML 1.1 reads 1e-3 as a string
NUMERIC = {"type": "string", "pattern": r"^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$"}


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
    limits = {"minimum": setting.low, "exclusiveMinimum": setting.above, "maximum": setting.high}
    limits = {name: limit for name, limit in limits.items() if limit is not None}
    if setting.kind == "words":
        entry: dict[str, Any] = {"type": ["string", "integer"], "minLength": 1, **limits}
        return {**schema, **entry, "type": ["array", *entry["type"]], "items": entry}
    if setting.or_file:
        paths = {"type": "string", "pattern": re.escape(setting.or_file) + "$"}
        return {**schema, "anyOf": [{"enum": [*(setting.choices or ())]}, paths]}
    kinds: list[dict[str, Any]] = []
    if setting.choices is not None:
        kinds.append({"enum": [*setting.choices]})
    elif setting.pattern is not None:
        kinds.append({"type": "string", "pattern": f"^({setting.pattern})$"})
    if setting.kind == "float" or setting.or_number:
        kinds += [{"type": "number", **limits}, NUMERIC]
    elif setting.kind == "int":
        kinds.append({"type": "integer", "maximum": MAX_INT, **limits})
    elif setting.kind == "bool":
        kinds.append({"type": "boolean"})
    elif not kinds:
        kinds.append({"type": ["string", "number"], "minLength": 1})
    elif setting.pattern is not None and re.fullmatch(setting.pattern, "5"):
        kinds.append({"type": "integer", "minimum": 0})
    if setting.optional:
        kinds.append({"type": "null"})
    return {**schema, **(kinds[0] if len(kinds) == 1 else {"anyOf": kinds})}


def template() -> str:
    """Returns a recipe in YAML with every setting and its default, commented out."""
    lines = ["# w2v train --config recipe.yaml"]
    for name, setting in all_settings().items():
        depends = setting.default_text is not None or setting.lm is not None
        default = f"default: {setting.default_in_words}" if depends else ""
        facts = "; ".join(filter(None, (setting.limits_text, default)))
        value = "" if setting.default is None else json.dumps(setting.default)
        lines += ["", f"# {setting.help}{f' [{facts}]' if facts else ''}"]
        lines += [f"# {name.replace('_', '-')}: {value}".rstrip()]
    return "\n".join(lines) + "\n"
