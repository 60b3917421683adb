"""`make bench`: prints what `w2v bench --output` saved as Markdown, and puts it into the README where that has a place.

    python tests/bench/readme_tables.py README.md runs/bench/wiki17m.json runs/bench/losses.json

The place of NAME.json is between <!-- bench:NAME --> and <!-- /bench -->.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from w2v.cli.bench_output import markdown
from w2v.files import atomic_file


def with_table(text: str, name: str, table: str) -> str | None:
    """The text with the table in the place that `name` has there; None if there is no such place."""
    place = re.compile(rf"(?<=<!-- bench:{re.escape(name)} -->).*?(?=<!-- /bench -->)", re.DOTALL)
    changed, places = place.subn(lambda found: f"\n\n{table}\n", text)
    return changed if places else None


def main(arguments: list[str]) -> None:
    readme = Path(arguments[0])
    before = text = readme.read_text(encoding="utf-8")
    for path in map(Path, arguments[1:]):
        table = markdown(json.loads(path.read_text(encoding="utf-8")))
        print(f"{path.stem}\n\n{table}")
        changed = with_table(text, path.stem, table)
        if changed is None:
            print(f"{readme} has no place for it: <!-- bench:{path.stem} --> ... <!-- /bench -->", file=sys.stderr)
        text = text if changed is None else changed
    if text != before:
        with atomic_file(readme) as file:
            file.write(text.encode())


if __name__ == "__main__":
    main(sys.argv[1:])
