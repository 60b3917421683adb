"""`make bench`: prints what `w2v bench --output` and `w2v compare` saved as Markdown, and puts it
into the README where that has a place.

    python tests/bench/readme_tables.py README.md runs/bench/wiki17m.json lm-compare/compare.json

The place of NAME.json, and of NAME/compare.json, is between <!-- bench:NAME --> and <!-- /bench
-->.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from w2v.cli.bench_output import markdown
from w2v.settings.groups import all_settings
from w2v.system.files import atomic_file


def with_table(text: str, name: str, table: str) -> str | None:
    """The text with the table in the place that `name` has there; None if there is no such
    place."""
    place = re.compile(rf"(?<=<!-- bench:{re.escape(name)} -->).*?(?=<!-- /bench -->)", re.DOTALL)
    changed, places = place.subn(lambda found: f"\n\n{table}\n", text)
    return changed if places else None


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
            raise SystemExit(f"{row['name']} is not done: {row['status']}")
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


def main(arguments: list[str]) -> None:
    readme = Path(arguments[0])
    before = text = readme.read_text(encoding="utf-8")
    for path in map(Path, arguments[1:]):
        results = json.loads(path.read_text(encoding="utf-8"))
        name, table = (
            (path.stem, markdown(results)) if "bench" in results else (path.parent.name, "")
        )
        table = table or comparison(results["rows"])
        print(f"{name}\n\n{table}")
        changed = with_table(text, name, table)
        if changed is None:
            print(
                f"{readme} has no place for it: <!-- bench:{name} --> ... <!-- /bench -->",
                file=sys.stderr,
            )
        text = text if changed is None else changed
    if text != before:
        with atomic_file(readme) as file:
            file.write(text.encode())


if __name__ == "__main__":
    main(sys.argv[1:])
