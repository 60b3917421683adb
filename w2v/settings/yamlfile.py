"""Reads a YAML file of settings into (key, value) pairs, strictly, since the file may be untrusted.

Values are read as strings, which the setting converts: in YAML 1.1, 010 would be 8 and 1:30 would
be 90. Rejected are repeated keys, which YAML silently accepts, and what settings do not need:
aliases, with which a few lines can expand to gigabytes, tags of other than plain types, and files
larger than `MAX_BYTES`.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from typing import Any

import yaml

from w2v.errors import InputError, shown
from w2v.settings.declare import Setting
from w2v.settings.groups import all_settings

MAX_BYTES = 1 << 20  # enough for a list of ten thousand corpus files
MAX_DEPTH = 20  # of nested lists and mappings; settings need 3
PLAIN_TAGS = {
    f"tag:yaml.org,2002:{name}"
    for name in ("str", "int", "float", "bool", "timestamp", "value", "merge")
}
NULL_TAG = "tag:yaml.org,2002:null"


def read_settings(path: str | os.PathLike[str]) -> tuple[list[tuple[str, Any]], list[str]]:
    """Returns the keys and values of the file, in order, and phrases about problems with keys.

    Keys have underscores; those of a mapping under `loss` become `loss.negatives`, and its `name`
    becomes `loss`. A mapping under `losses` becomes `losses.NAME` and `losses.NAME/lr` for each of
    its names, which keep their hyphens. A value is a string, None, a list of values, or a dict of
    values (which no setting accepts). Relative paths of files to read are resolved against the
    folder of the YAML file if they exist there, else against the working directory. Raises
    InputError if the file cannot be read, is not YAML, or is not a mapping.
    """
    text = _read_text(path)
    try:
        node = _without_aliases(yaml.SafeLoader(text))
        pairs = list(_flatten(node)) if isinstance(node, yaml.MappingNode) else []
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f" line {mark.line + 1}" if mark else ""
        reason = _short(error.problem or error.context)
        raise InputError(f"`config` {path}{line}: {reason}; correct the YAML there") from None
    except RecursionError:
        problem = "is not a YAML file of settings: it is nested too deeply"
        raise InputError(f"`config` {path} {problem}") from None
    except (yaml.YAMLError, ValueError) as error:
        reason = _short(getattr(error, "reason", error))
        raise InputError(f"`config` {path} is not YAML: {reason}") from None
    if node is not None and not isinstance(node, yaml.MappingNode):
        raise InputError(f"`config` {path} is not a list of `key: value` lines, such as `dim: 100`")
    folder = os.path.dirname(os.path.abspath(path)) if path != "-" else os.curdir
    known = all_settings()
    pairs = [(key, _resolved(folder, known.get(str(key)), value)) for key, value in pairs]
    return _check_keys(pairs, path)


def _resolved(folder: str, setting: Setting | None, value: Any) -> Any:
    """Returns the value of a setting; a relative path that exists in `folder` becomes absolute."""
    if isinstance(value, list):
        return [_resolved(folder, setting, item) for item in value]
    if setting is None or setting.path == "written" or not setting.is_path(value):
        return value
    if not isinstance(value, str) or value in ("", "-") or "\0" in value:
        return value
    path = os.path.join(folder, value)
    exists = os.path.lexists(path) or (glob.has_magic(value) and any(glob.iglob(path)))
    return os.path.normpath(path) if exists else value


def _read_text(path: str | os.PathLike[str]) -> str:
    try:
        with open("/dev/stdin" if path == "-" else path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) <= MAX_BYTES:
            return data.decode("utf-8-sig")
        problem = f" is larger than {MAX_BYTES >> 20} MiB:"
    except UnicodeDecodeError:
        problem = " is not a text file in UTF-8:"
    except OSError as error:
        problem = f": {error.strerror or error};"
    raise InputError(f"`config` {path}{problem} give a YAML file of settings")


def _short(reason: object) -> str:
    text = " ".join(str(reason).split())
    return text if len(text) <= 200 else f"{text[:200]}…"


def _without_aliases(loader: Any) -> Any:
    """Returns the document's node. Raises at the first alias, and at excessive depth, which makes
    the scanner's time grow quadratically."""
    compose, depth = loader.compose_node, 0

    def compose_node(parent: Any, index: Any) -> Any:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise RecursionError
        if loader.check_event(yaml.AliasEvent):
            problem = "aliases (*name) are not supported, write the value out"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=loader.peek_event().start_mark)
        node = compose(parent, index)
        depth -= 1
        return node

    loader.compose_node = compose_node
    return loader.get_single_node()


def _flatten(node: Any, prefix: str = "") -> Iterator[tuple[Any, Any]]:
    for key_node, value_node in node.value:
        key = _value(key_node)
        if isinstance(key, str):
            key = prefix + key.replace("-", "_")
        if key == "loss" and isinstance(value_node, yaml.MappingNode):
            yield from _flatten(value_node, "loss.")
        elif key == "losses" and isinstance(value_node, yaml.MappingNode):
            for name_node, settings_node in value_node.value:
                name = f"losses.{_value(name_node)}"
                if isinstance(settings_node, yaml.MappingNode):
                    yield name, None
                    yield from _flatten(settings_node, f"{name}/")
                else:
                    yield name, _value(settings_node)
        else:
            yield "loss" if key == "loss.name" else key, _value(value_node)


def _value(node: Any) -> Any:
    """Returns the value of a node: a string, None, a list or a dict."""
    if isinstance(node, yaml.ScalarNode) and node.tag == NULL_TAG:
        return None
    if isinstance(node, yaml.ScalarNode) and node.tag in PLAIN_TAGS:
        return node.value
    if isinstance(node, yaml.SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
        return [_value(item) for item in node.value]
    if isinstance(node, yaml.MappingNode) and node.tag == "tag:yaml.org,2002:map":
        return {str(_value(key)): _value(value) for key, value in node.value}
    raise yaml.MarkedYAMLError(
        problem=f"the tag {shown(node.tag)} is not supported", problem_mark=node.start_mark
    )


def _check_keys(
    pairs: list[tuple[Any, Any]], path: str | os.PathLike[str]
) -> tuple[list[tuple[str, Any]], list[str]]:
    problems: list[str] = []
    settings: dict[str, tuple[str, Any]] = {}
    for key, value in pairs:
        if not isinstance(key, str):
            problems.append(f"key {shown(key)} in {path} is not the name of a setting")
            continue
        name = key.removeprefix("loss.")
        if name in settings:
            problems.append(f"{shown(name).strip(chr(39))} is given twice in {path}: keep one")
        else:
            settings[name] = (key, value)
    return list(settings.values()), problems
