"""Prints results on stdout and everything for people on stderr.

Results are tables in a terminal, tab-separated lines without a heading in a pipe, and JSON with
--json.
"""

from __future__ import annotations

import io
import json
import math
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from w2v.cli.wording import as_options

Cell = str | int | float | None


def set_up_streams() -> None:
    """Makes pipes UTF-8 whatever the locale says; file names that are not UTF-8 come out as they
    are."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:  # closed: the next file would get its number, and what is printed
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    for stream, on_terminal, piped in (
        (sys.stdin, "replace", "replace"),
        (sys.stdout, "backslashreplace", "surrogateescape"),
    ):
        if isinstance(stream, io.TextIOWrapper):
            if stream.isatty():
                stream.reconfigure(errors=on_terminal)
            else:
                stream.reconfigure(encoding="utf-8", errors=piped)


def is_terminal(stream: Any) -> bool:
    """Whether people look at the stream."""
    return stream is not None and not stream.closed and stream.isatty()


def print_line(text: str) -> None:
    """Prints one line of results."""
    print(text)


def print_json(value: object) -> None:
    """Prints one JSON document on one line; NaN and infinity become null."""
    text = json.dumps(_plain(value), ensure_ascii=False, allow_nan=False)
    # Parts of a file name that is not UTF-8 are escaped, or the line would not be JSON.
    print(re.sub("[\ud800-\udfff]", lambda found: json.dumps(found[0])[1:-1], text))


def print_table(
    headings: Sequence[str], rows: Iterable[Sequence[Cell]], *, title: str | None = None
) -> None:
    """Prints a table in a terminal, with numbers aligned to the right, and tab-separated lines
    otherwise; None is n/a."""
    if not is_terminal(sys.stdout):
        for row in rows:
            print("\t".join(_tsv(cell) for cell in row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.header_style = "bold"
    content = list(rows)
    for column, heading in enumerate(headings):
        cells = [row[column] for row in content]
        table.add_column(
            heading,
            justify="right" if cells and all(map(_is_quantity, cells)) else "left",
            overflow="fold",
            no_wrap=all(map(_is_name, cells)),
        )
    for row in content:
        table.add_row(*(Text(_shown(cell)) for cell in row))
    Console(highlight=False).print(table)


def print_values(values: Mapping[str, Any], labels: Mapping[str, str] | None = None) -> None:
    """Prints keys and values, a pair per line: aligned in a terminal, `key<TAB>value` otherwise."""
    if not is_terminal(sys.stdout):
        for key, cell in values.items():
            print(f"{key}\t{_tsv(cell)}")
        return
    names = [(labels or {}).get(key, key.replace("_", " ")) for key in values]
    width = max(map(len, names), default=0)
    for name, cell in zip(names, values.values(), strict=True):
        print(f"{name:<{width}}  {_shown(cell)}")


def say(text: str = "") -> None:
    """Prints one line for people on stderr, with settings as options. A stderr that takes no more
    (its reader or terminal is gone, the disk is full) does not end the work."""
    if sys.stderr is not None:  # closed; print would turn to stdout
        with suppress(OSError, ValueError):
            print(as_options(text), file=sys.stderr, flush=True)


def silence(descriptor: int) -> None:
    """Points a closed stdout or stderr to nowhere, so that the interpreter's last flush does not
    complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def takes(stream: Any) -> bool:
    """Whether what was printed to the stream has got there; it has not if the disk is full or the
    reader gone."""
    try:
        if stream is not None and not stream.closed:
            stream.flush()
        return True
    except OSError:
        return False


def human_bytes(count: int) -> str:
    """Returns a size such as 382.1 MB, in decimal units like `ls --si`."""
    size = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{count} bytes" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def human_seconds(seconds: float | None) -> str:
    """Returns a time such as 8.3 s, 2:05 min or 3:10:00 h, and ? for one that is not known."""
    if seconds is None or not math.isfinite(seconds):
        return "?"
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d} min"
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d} h"


def human_count(number: float) -> str:
    """Returns a number with three digits, such as 4.20 M, 310 k or 87."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= limit:
            scaled = number / limit
            return f"{scaled:.{max(0, 2 - int(math.log10(scaled)))}f} {unit}"
    return f"{number:.0f}"


def _plain(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return value


def _is_quantity(cell: Cell) -> bool:
    """Whether a cell is a number, which may have a unit ("97.7 %"), or n/a."""
    return cell[:1].isdigit() if isinstance(cell, str) else not isinstance(cell, bool)


def _is_name(cell: Cell) -> bool:
    """Whether a cell holds names, one a line, that are short enough not to be broken."""
    return isinstance(cell, str) and " " not in cell and max(map(len, cell.split("\n"))) <= 20


def _tsv(cell: Cell) -> str:
    if cell is None or cell != cell:  # NaN
        return "n/a"
    if isinstance(cell, float):
        return f"{cell:.6g}"
    return str(cell).translate({9: " ", 10: " ", 13: " "})


def _shown(cell: Cell) -> str:
    if cell is None or cell != cell:
        return "n/a"
    if isinstance(cell, (bool, str)):
        return str(cell)
    return f"{cell:,}" if isinstance(cell, int) else f"{cell:.4f}"
