"""Reads a YAML file of settings into (key, value) pairs; refuses what YAML takes in silence: a key given twice."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from w2v.errors import InputError


def read_settings(path: str | os.PathLike[str]) -> tuple[list[tuple[str, Any]], list[str]]:
    """The keys and values of the file in its order, and the problems with its keys.

    Keys come with underscores; those of a mapping under `loss` as `loss.negatives`, its `name` as plain `loss`. A
    mapping under `losses` gives `losses.NAME` and `losses.NAME/lr` for each of its names, which keep their hyphens.

    Raises:
        InputError: the file cannot be read, is not YAML, or is not a mapping.
    """
    import yaml

    try:
        text = Path("/dev/stdin" if path == "-" else path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"--config {path} is not a text file in UTF-8: give a YAML file of settings") from None
    except OSError as error:
        raise InputError(f"--config {path}: {error.strerror or error}; give a YAML file of settings") from None
    try:
        loader = yaml.SafeLoader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return [], []
            if not isinstance(node, yaml.MappingNode):
                raise InputError(f"--config {path} is not a list of `key: value` lines, such as `dim: 100`")
            pairs = list(_flatten(loader, node))
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f" line {mark.line + 1}" if mark else ""
        raise InputError(f"--config {path}{line}: {error.problem or error.context}; mend the YAML there") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        reason = " ".join(str(getattr(error, "reason", error)).split())
        raise InputError(f"--config {path} is not YAML: {reason}") from None
    return _check_keys(pairs, path)


def _flatten(loader: Any, node: Any, prefix: str = "") -> Iterator[tuple[Any, Any]]:
    import yaml

    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if isinstance(key, str):
            key = prefix + key.replace("-", "_")
        if key == "loss" and isinstance(value_node, yaml.MappingNode):
            yield from _flatten(loader, value_node, "loss.")
        elif key == "losses" and isinstance(value_node, yaml.MappingNode):
            for name_node, settings_node in value_node.value:
                name = f"losses.{loader.construct_object(name_node, deep=True)}"
                if isinstance(settings_node, yaml.MappingNode):
                    yield name, None
                    yield from _flatten(loader, settings_node, f"{name}/")
                else:
                    yield name, loader.construct_object(settings_node, deep=True)
        else:
            yield "loss" if key == "loss.name" else key, loader.construct_object(value_node, deep=True)


def _check_keys(pairs: list[tuple[Any, Any]], path: str | os.PathLike[str]) -> tuple[list[tuple[str, Any]], list[str]]:
    problems: list[str] = []
    settings: dict[str, tuple[str, Any]] = {}
    for key, value in pairs:
        if not isinstance(key, str):
            problems.append(f"key {key!r} in {path} is not the name of a setting")
            continue
        name = key.removeprefix("loss.")
        if name in settings:
            problems.append(f"{name} is given twice in {path}: keep one")
        else:
            settings[name] = (key, value)
    return list(settings.values()), problems
