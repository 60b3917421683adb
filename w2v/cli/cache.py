"""List or clear the cache of tokenized corpora.

Piped output of list has the columns source, words, bytes, last use. The cache is the folder in
W2V_CACHE_DIR, else w2v under XDG_CACHE_HOME or ~/.cache. W2V_CACHE_SIZE, such as 5G, limits its
size.

\b
  w2v cache
  w2v cache clear
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer

from w2v.cli.options import Json
from w2v.cli.output import Cell, human_bytes, is_terminal, print_json, print_table, print_values
from w2v.errors import InputError
from w2v.settings.elsewhere import nearest

ACTIONS = ("list", "clear")


def command(
    action: Annotated[str, typer.Argument(metavar="[list|clear]", hidden=True)] = "list",
    json: Json = False,
) -> None:
    if action not in ACTIONS:
        guess = nearest(action, ACTIONS)
        remedy = f"did you mean {guess}?" if guess else "use list or clear"
        raise InputError(f"no action {action!r}: {remedy}")
    from w2v.corpus import cache

    size = human_bytes if is_terminal(sys.stdout) and not json else int
    if action == "clear":
        facts = {"directory": str(cache.cache_directory()), "freed_bytes": size(cache.clear())}
        (print_json if json else print_values)(facts)
        return
    rows: list[tuple[Cell, ...]] = []
    total = 0
    for entry in cache.list_entries():
        used = datetime.fromtimestamp(entry.last_used).isoformat(" ", "seconds")
        total += entry.bytes
        if json:
            print_json({**asdict(entry), "last_used": used})
        rows.append((" ".join(entry.sources), entry.words, size(entry.bytes), used))
    if not json:
        title = f"{cache.cache_directory()}: {human_bytes(total)}"
        print_table(("corpus", "words", "size", "last used"), rows, title=title)
