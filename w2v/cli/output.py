"""Prints results on stdout and messages on stderr.

Results are printed as tables in a terminal, as tab-separated lines without a header in a pipe, and
as JSON with --json. Words, names and messages may come from untrusted files with control
characters: in a terminal, which would obey these, they are shown as escapes. A pipe gets all text
unchanged.
"""

from __future__ import annotations

import codecs
import io
import json
import math
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, BinaryIO, TextIO, cast

from w2v.errors import InputError
from w2v.system.files import check_writable, is_special
from w2v.system.json import plain

Cell = str | int | float | None
SHOWN = 20  # rows of a long result printed in a terminal
NARROWEST = 40  # columns of a table
CLOSED = "results go to stdout, which is closed"

# Control characters except tab and newline, those that change the writing direction, line and
# paragraph separators, invisible marks and tags.
_OBEYED = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb"
    r"\U000e0000-\U000e007f]"
)
_SETTING = re.compile(r"`([a-z][a-z0-9_]*)`")
_LONE = re.compile("[\ud800-\udfff]")  # surrogates, which stand for invalid UTF-8 in file names


def set_up_streams() -> None:
    """Sets the encoding of pipes to UTF-8 whatever the locale is; file names that are not valid
    UTF-8 are printed unchanged."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:  # if closed, the next file opened would get its number and the output
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


# Settings and arguments of functions that have another name on the command line.
OTHERWISE = {"corpus": "CORPUS", "runs": "RUN", "use_cache": "--no-cache", "progress": "--quiet"}


def as_options(message: str) -> str:
    """Replaces every `setting` in a message of the library by its name on the command line:
    --min-count, CORPUS, RUN."""
    # the way to resume a run is shown as a whole command
    message = re.sub("(?<!w2v train): `resume` ", ": w2v train --resume ", message)
    return _SETTING.sub(lambda match: _option(match[1]), message)


def _option(name: str) -> str:
    return OTHERWISE.get(name, "--" + name.replace("_", "-"))


def is_terminal(stream: Any) -> bool:
    """Returns whether the stream is an open terminal."""
    return stream is not None and not stream.closed and stream.isatty()


def printable(text: str, stream: Any) -> str:
    """Returns the text, for a terminal with control characters replaced by escapes like \\u001b."""
    return _escaped(_OBEYED, text) if is_terminal(stream) else text


def binary_stdout() -> BinaryIO:
    """Returns stdout as a stream for UTF-8 bytes; in a terminal, control characters are escaped.
    Raises InputError if it is closed."""
    if sys.stdout is None:
        raise InputError(f"{CLOSED}; name a file with -o, or pipe the output")
    return cast(BinaryIO, _Seen()) if is_terminal(sys.stdout) else sys.stdout.buffer


class _Seen(io.RawIOBase):
    """A binary stream that prints to a terminal, with control characters escaped."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        sys.stdout.write(_escaped(_OBEYED, self._decoder.decode(bytes(data))))
        return len(data)


def binary_pipe() -> BinaryIO:
    """Returns stdout as a binary stream. Raises InputError if it is closed or a terminal."""
    if sys.stdout is None or is_terminal(sys.stdout):
        raise InputError("-o - is for a pipe: name a file with -o, or pipe the output")
    return sys.stdout.buffer


def file_to_write(output: str | None, *, overwrite: bool) -> str | None:
    """Returns the file that --output names, checked to be writable; None if it is stdout."""
    if output is None or output == "-":
        return None
    check_writable(output, overwrite=overwrite)
    return output


def print_written(output: str, json: bool, **facts: object) -> None:
    """Prints the name of a file that was written, with `json` as an object with `facts`; nothing if
    the file is stdout itself, or stdout is closed."""
    if sys.stdout is None:
        return
    if is_special(output):
        with suppress(OSError, ValueError):  # no descriptor in a notebook
            if os.path.samestat(os.stat(output), os.fstat(sys.stdout.fileno())):
                return
    print_json({"output": output, **facts}) if json else print_line(output)


def flush() -> None:
    """Flushes stdout, if it is open."""
    if sys.stdout is not None:
        sys.stdout.flush()


def print_line(text: str) -> None:
    """Prints one line of results. As the functions below, raises InputError if stdout is closed."""
    print(printable(text, sys.stdout), file=_open_stdout())


def _open_stdout() -> TextIO | None:
    """Returns stdout. Raises InputError if it is closed, for Python would then print nothing and
    say nothing; but None if stderr is closed too, as by programs that want neither."""
    if sys.stdout is None and sys.stderr is not None:
        raise InputError(f"{CLOSED}; pipe the output, or write it to a file")
    return sys.stdout


def print_json(value: object) -> None:
    """Prints one JSON document on one line; NaN and infinity become null."""
    text = json.dumps(plain(value), ensure_ascii=False, allow_nan=False)
    print_line(_escaped(_LONE, text))  # raw surrogates would not be valid JSON


def print_table(
    headings: Sequence[str], rows: Iterable[Sequence[Cell]], *, title: str | None = None
) -> None:
    """Prints a table in a terminal, or else tab-separated lines; None is printed as n/a."""
    if not is_terminal(sys.stdout):
        for row in rows:
            print("\t".join(_tsv(cell) for cell in row), file=_open_stdout())
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.title = None if title is None else Text(printable(title, sys.stdout))
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
        table.add_row(*(Text(printable(_shown(cell), sys.stdout)) for cell in row))
    console = Console(highlight=False)
    console.width = max(console.width, NARROWEST)  # with fewer columns, rich leaves cells out
    console.print(table)


def print_first(headings: Sequence[str], rows: Iterable[Sequence[Cell]], total: int) -> None:
    """Prints the first SHOWN of `total` rows as a table in a terminal, or else all of them."""
    if not is_terminal(sys.stdout):
        for row in rows:
            print("\t".join(_tsv(str(cell)) for cell in row), file=_open_stdout())
        return
    print_table(headings, islice(rows, SHOWN))
    if total > SHOWN:
        more = total - SHOWN
        say(f"... and {more:,} more: pipe the output, or write it with -o FILE")


def print_values(values: Mapping[str, Any], labels: Mapping[str, str] | None = None) -> None:
    """Prints one key and value per line: aligned in a terminal, else as `key<TAB>value`."""
    if not is_terminal(sys.stdout):
        for key, cell in values.items():
            print(f"{key}\t{_tsv(cell)}", file=_open_stdout())
        return
    names = [(labels or {}).get(key, key.replace("_", " ")) for key in values]
    width = max(map(len, names), default=0)
    for name, cell in zip(names, values.values(), strict=True):
        print_line(f"{name:<{width}}  {_shown(cell)}")


def say(text: str = "") -> None:
    """Prints a message on stderr, with settings named as options. Ignores errors: a stderr that
    cannot be written (its reader or terminal is gone, the disk is full) must not end the work."""
    if sys.stderr is not None:  # None if closed; print would then write to stdout
        line = printable(as_options(text), sys.stderr)
        with suppress(OSError, ValueError):
            try:
                print(line, file=sys.stderr, flush=True)
            except RuntimeError:  # called in a signal handler while another line is being printed
                os.write(sys.stderr.fileno(), f"{line}\n".encode(errors="replace"))


def silence(descriptor: int) -> None:
    """Redirects a broken stdout or stderr to /dev/null, for the interpreter's final flush."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, descriptor)
    os.close(null)


def takes(stream: Any) -> bool:
    """Returns whether the stream can be flushed: not if the disk is full or its reader gone."""
    try:
        if stream is not None and not stream.closed:
            stream.flush()
        return True
    except OSError:
        return False


def human_bytes(count: int) -> str:
    """Formats a size as 382.1 MB, in decimal units like `ls --si`."""
    size = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{count} bytes" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def human_seconds(seconds: float | None) -> str:
    """Formats a duration as 8.3 s, 2:05 min or 3:10:00 h, or ? if it is unknown."""
    if seconds is None or not math.isfinite(seconds):
        return "?"
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d} min"
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d} h"


def human_count(number: float) -> str:
    """Formats a number with three digits, such as 4.20 M, 310 k or 87."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= limit:
            scaled = number / limit
            return f"{scaled:.{max(0, 2 - int(math.log10(scaled)))}f} {unit}"
    return f"{number:.0f}"


def _escaped(pattern: re.Pattern[str], text: str) -> str:
    """Replaces the characters that match `pattern` by JSON escapes."""
    return pattern.sub(lambda match: json.dumps(match[0])[1:-1], text)


def _is_quantity(cell: Cell) -> bool:
    """Returns whether a cell is a number, possibly with a unit ("97.7 %"), or None."""
    return cell[:1].isdigit() if isinstance(cell, str) else not isinstance(cell, bool)


def _is_name(cell: Cell) -> bool:
    """Returns whether a cell consists of names, one per line, short enough not to be wrapped."""
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
