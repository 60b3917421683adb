"""The tables of results.md: of what `run.py` and `w2v compare` have saved.

The place of NAME.json, and of NAME/compare.json, is between <!-- NAME --> and <!-- /NAME -->.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.tables import markdown
from w2v.cli.output import say
from w2v.errors import InputError
from w2v.settings.groups import all_settings
from w2v.system.files import atomic_file

RESULTS = Path(__file__).parents[1] / "results.md"


def put(path: Path, tables: Mapping[str, str]) -> None:
    """Replaces the tables by their names in a Markdown file. One that has no place there yet gets
    one at the end."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    for name, table in tables.items():
        begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        new = f"{begin}\n\n{table.strip()}\n\n{end}"
        found = re.findall(f"{re.escape(begin)}.*?{re.escape(end)}", text, re.DOTALL)
        text = text.replace(found[0], new) if found else f"{text}\n## {name}\n\n{new}\n"
    with atomic_file(path) as file:
        file.write(text.encode())
    say(f"{', '.join(tables)}: in {path}")


def read(path: Path) -> tuple[str, str]:
    """The name of a saved result, and its table in Markdown.

    Raises:
        InputError: a run of a comparison is not done.
    """
    results = json.loads(path.read_text(encoding="utf-8"))
    if "bench" in results:
        return path.stem, markdown(results)
    return path.parent.name, comparison(results["rows"])


def own_options(settings: dict[str, Any], everyone: list[dict[str, Any]]) -> list[str]:
    """The options in which one run differs from the others, without defaults."""
    found = []
    for name, value in settings.items():
        shared = all(name in other and other[name] == value for other in everyone)
        default = all_settings()[name].default
        if (
            name == "loss"
            or shared
            or value == (list(default) if isinstance(default, tuple) else default)
        ):
            continue
        option = name.replace("_", "-")
        if isinstance(value, bool):
            found.append(f"--{option}" if value else f"--no-{option}")
        else:
            parts = value if isinstance(value, list) else [value]
            text = ",".join(f"{part:g}" if isinstance(part, float) else str(part) for part in parts)
            found.append(f"--{option} {text}")
    return found


def comparison(rows: list[dict[str, Any]]) -> str:
    """The table of compare.json's rows, language models under several losses.

    To softmax: to the full softmax with the same optimizer. Speed-up: over the first full softmax.
    """
    fulls = {
        row["settings"].get("optimizer"): row for row in reversed(rows) if row["loss"] == "softmax"
    }
    lines = [
        (
            "| loss | settings of its own | perplexity | to softmax | seconds per epoch | tokens/s"
            " | speed-up | memory |"
        ),
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        if row["status"] != "done":
            raise InputError(f"{row['name']} is not done: {row['status']}")
        options = " ".join(own_options(row["settings"], [each["settings"] for each in rows]))
        settings = f"`{options}`" if options else ""
        ratio = speedup = ""
        full = fulls.get(row["settings"].get("optimizer"), row)
        if row is not full:
            ratio = f"{100 * (row['perplexity'] / full['perplexity'] - 1):+.1f} %"
        if row["speedup"] not in (None, 1):
            speedup = f"{row['speedup']:.1f} ×"
        lines.append(
            f"| {row['name']} | {settings} | {row['perplexity']:.1f} | {ratio} |"
            f" {row['seconds_per_epoch']:.0f} | {row['tokens_per_second']:,.0f} | {speedup} |"
            f" {row['peak_memory_bytes'] / 1e6:,.0f} MB |"
        )
    return "\n".join(lines) + "\n"
