"""Reads small JSON files that may have been damaged or made by anybody: manifests, summaries."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

MAX_BYTES = 16 << 20
MAX_DEPTH = 50


def read_object(path: Path) -> dict[str, Any]:
    """The object in the file.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no regular file, too large, no JSON, or no object.
    """
    if path.exists() and not path.is_file():  # a device or a pipe might never end
        raise ValueError(f"{path} is not a file")
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"{path} is larger than {MAX_BYTES >> 20} MiB")
    try:
        value = json.loads(path.read_bytes())
    except RecursionError:
        raise ValueError(f"{path} is nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError(f"{path} is not a JSON object")
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        inner = (each.values() if isinstance(each, dict) else each for each in level)
        level = [each for values in inner for each in values if isinstance(each, (dict, list))]
    if level:  # whoever walks through it recursively must not overflow
        raise ValueError(f"{path} is nested too deeply")
    return value
