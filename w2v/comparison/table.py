"""The rows of a comparison, and the files that hold them: compare.tsv and compare.json in the
output folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import chain
from pathlib import Path
from typing import Any

from w2v.errors import InputError, shown
from w2v.losses.table import BASELINE
from w2v.settings.groups import loss_settings
from w2v.system.files import atomic_file
from w2v.system.json import read_object, real_number

Number = int | float | None
ABSENT = "n/a"
TABLE_JSON, TABLE_TSV = "compare.json", "compare.tsv"


@dataclass(frozen=True)
class Row:
    """What came out under one loss. status: waiting, training, done, interrupted or failed."""

    name: str
    loss: str
    status: str = "waiting"
    perplexity: float | None = None  # of a language model, the best epoch's
    accuracy: float | None = None  # of word vectors on analogies that can be asked, 0 to 1
    coverage: float | None = None  # of the analogies: the share that can be asked, 0 to 1
    seconds_per_epoch: float | None = None
    tokens_per_second: float | None = None
    speedup: float | None = None  # over the full softmax, if it is among the losses
    peak_memory_bytes: int | None = None  # resident; without a GPU's
    problem: str | None = None
    differing: dict[str, Any] | None = None  # settings that are not the same for all rows
    epochs: float | None = None  # trained
    settings: dict[str, Any] | None = None  # asked for, by name
    # (seconds of training, validation perplexity), one per epoch
    curve: tuple[tuple[float, float], ...] = ()


COLUMNS = tuple(field.name for field in fields(Row))[:-4]
# of what stands in compare.json
KINDS: dict[str, Any] = {
    **dict.fromkeys(("name", "loss", "status"), str),
    **dict.fromkeys(("perplexity", "accuracy", "coverage", "speedup", "epochs"), Number),
    **dict.fromkeys(("seconds_per_epoch", "tokens_per_second", "peak_memory_bytes"), Number),
    **dict.fromkeys(("differing", "settings"), dict | None),
}


@dataclass(frozen=True)
class Compared:
    """What a comparison has found, kept in its `folder`."""

    results: list[Row]
    is_lm: bool
    folder: Path

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The figures of each loss as plain values, ready for JSON."""
        return [asdict(row) for row in self.results]

    def table(self) -> str:
        """The rows as a table of text."""
        lines = _lines(self.results)
        kept = [
            number
            for number, cells in enumerate(zip(*lines[1:], strict=True))
            if {*cells} != {ABSENT}
        ]
        lines = [[line[number] for number in kept] for line in lines]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        padded = ([*map(str.ljust, line, widths)] for line in lines)
        return "\n".join("  ".join(line).rstrip() for line in padded)


def with_speedups(rows: Sequence[Row]) -> list[Row]:
    """Returns the rows with their speed over that of the first full softmax that is done; None
    without one."""
    done = [row for row in rows if row.loss == BASELINE and row.status == "done"]
    full = done[0].tokens_per_second if done else None

    def speedup(own: float | None) -> float | None:
        return own / full if full and own else None

    return [replace(row, speedup=speedup(row.tokens_per_second)) for row in rows]


def with_differences(rows: Sequence[Row]) -> list[Row]:
    """Returns the rows with the settings in which they differ, but for those that losses, or the
    engines that they need, have of their own: where there are any, more than losses is compared."""
    own = {"loss", "output_bias", *loss_settings()}
    asked = [row.settings for row in rows if row.settings is not None]
    names = [name for name in dict.fromkeys(chain(*asked)) if name not in own]
    shared = [name for name in names if all(name in each for each in asked)]
    unlike = [name for name in shared if len({repr(each[name]) for each in asked}) > 1]
    return [
        replace(row, differing={name: (row.settings or {}).get(name) for name in unlike} or None)
        for row in rows
    ]


def save_table(folder: Path, rows: Sequence[Row], others: Sequence[Row] = ()) -> None:
    """Writes compare.json and compare.tsv (with a heading) into the folder, the rows with their
    speed-ups. Of `others`, rows of earlier comparisons in the folder, only compare.json knows."""
    rows = with_differences(with_speedups(rows))
    saved = {"rows": list(map(asdict, rows)), "others": list(map(asdict, others))}
    document = {"format_version": 1, **saved}
    lines = _lines(rows)
    for name, text in (
        (TABLE_JSON, json.dumps(document, indent=2, ensure_ascii=False)),
        (TABLE_TSV, "\n".join(map("\t".join, lines))),
    ):
        with atomic_file(folder / name) as file:
            file.write(f"{text}\n".encode())


def load_table(folder: Path) -> dict[str, Row]:
    """Returns the rows of earlier comparisons by name, none if there was none. Raises InputError if
    compare.json is damaged."""
    path = folder / TABLE_JSON
    if not path.is_file():
        return {}
    known = {field.name for field in fields(Row)}
    found = {}
    try:
        document = read_object(path)
        for row in document["rows"] + document["others"]:
            values = {key: value for key, value in row.items() if key in known}
            curve = tuple((float(x), float(y)) for x, y in values.pop("curve", ()))
            for number in (each for each in values.values() if type(each) is int):
                real_number(number)
            own = Row(**values, curve=curve)
            if not all(isinstance(getattr(own, name), kinds) for name, kinds in KINDS.items()):
                raise ValueError(f"a value of {shown(own.name)} is of another kind")
            found[own.name] = own
    except (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        problem = f"{path} is damaged ({' '.join(str(error).split())})"
        raise InputError(f"{problem}: delete it, or name another `output`") from None
    return found


def _lines(rows: Sequence[Row]) -> list[list[str]]:
    """A heading and a line of texts for each row; last come the settings that differ."""
    unlike = list((rows[0].differing or {}) if rows else ())
    found = [vars(row) | (row.differing or {}) for row in rows]
    names = [*COLUMNS, *unlike]
    return [names, *([_cell(values[name]) for name in names] for values in found)]


def _cell(value: object) -> str:
    if value is None:
        return ABSENT
    return f"{value:.6g}" if isinstance(value, float) else " ".join(str(value).split())
