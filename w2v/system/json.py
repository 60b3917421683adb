"""Reads small JSON files, which may be damaged or untrusted, and checks their numbers."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from w2v.errors import shown
from w2v.system.files import read_plain

MAX_BYTES = 16 << 20
MAX_DEPTH = 50


def read_object(path: Path, limit: int = MAX_BYTES) -> dict[str, Any]:
    """Returns the JSON object in a file. Raises OSError if the file cannot be read, is not regular
    or larger than `limit` bytes, and ValueError if it is not JSON, or not an object."""
    try:
        value = json.loads(read_plain(path, limit, follow=True))
    except RecursionError:
        raise ValueError(f"{path} is nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError(f"{path} is not a JSON object")
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        inner = (item.values() if isinstance(item, dict) else item for item in level)
        level = [item for values in inner for item in values if isinstance(item, (dict, list))]
    if level:  # so that callers can traverse it recursively without overflow
        raise ValueError(f"{path} is nested too deeply")
    return value


def plain(value: Any) -> Any:
    """Converts a value for JSON: NaN and infinity (an overflown perplexity) become null."""
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def whole_number(value: object) -> int:
    """Returns the value if it is an int from 0 to 2^63 - 1, else raises ValueError."""
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise ValueError(f"{shown(value)} is not a whole number from 0 to 2^63 - 1")
    return value


def real_number(value: object) -> float:
    """Returns the value as a float. Raises ValueError if it is not a finite number."""
    limit = sys.float_info.max
    if (type(value) is int or type(value) is float) and -limit <= value <= limit:
        return float(value)
    raise ValueError(f"{shown(value)} is not a finite number")
