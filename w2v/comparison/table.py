"""The table of a comparison, and its files compare.tsv and compare.json in the output folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
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
ANALOGIES, SPEARMAN = "analogies", "spearman"
TABLE_JSON, TABLE_TSV = "compare.json", "compare.tsv"


@dataclass(frozen=True)
class Score:
    """What a contender's word vectors reach on one set."""

    set: str  # its name, different from those of the other sets
    measure: str  # ANALOGIES: share of right answers, 0 to 1; SPEARMAN: correlation
    value: float | None  # None if no question, or fewer than two pairs, have known words only
    low: float | None  # ends of the 95 % interval
    high: float | None
    coverage: float  # share of questions or pairs whose words are all known, 0 to 1


@dataclass(frozen=True)
class Row:
    """The results of one contender."""

    name: str
    loss: str
    status: str = "waiting"  # or training, done, interrupted, failed
    perplexity: float | None = None  # on the validation text, in the best epoch; lm only
    accuracy: float | None = None  # on covered analogies of the first such set, 0 to 1; words only
    coverage: float | None = None  # share of these analogies whose words are all known, 0 to 1
    seconds_per_epoch: float | None = None
    tokens_per_second: float | None = None
    speedup: float | None = None  # over the full softmax, if it is among the losses
    peak_memory_bytes: int | None = None  # resident; not on a GPU
    problem: str | None = None
    differing: dict[str, Any] | None = None  # settings that are not the same in all rows
    epochs: float | None = None  # trained so far
    settings: dict[str, Any] | None = None  # requested, by name
    # (seconds of training, validation perplexity), one per validation
    curve: tuple[tuple[float, float], ...] = ()
    scores: tuple[Score, ...] = ()  # on each set; word vectors only


COLUMNS = tuple(field.name for field in fields(Row))[:-5]
FIGURES = ("value", "low", "high", "coverage")  # columns of each set, called SET:value and so on
# The types of the values in compare.json.
KINDS: dict[str, Any] = {
    **dict.fromkeys(("name", "loss", "status"), str),
    **dict.fromkeys(("perplexity", "accuracy", "coverage", "speedup", "epochs"), Number),
    **dict.fromkeys(("seconds_per_epoch", "tokens_per_second", "peak_memory_bytes"), Number),
    **dict.fromkeys(("differing", "settings"), dict | None),
}
SCORE_KINDS: dict[str, Any] = {"set": str, "measure": str, **dict.fromkeys(FIGURES, Number)}


@dataclass(frozen=True)
class Compared:
    """The results of a comparison."""

    results: list[Row]
    is_lm: bool  # whether language models, rather than word vectors, are compared
    folder: Path  # with the table and the run directories

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The results of each contender as plain values for JSON."""
        return [asdict(row) for row in self.results]

    def table(self) -> str:
        """Returns the rows as a table in plain text."""
        lines = _lines(self.results)
        columns = [
            number
            for number, cells in enumerate(zip(*lines[1:], strict=True))
            if {*cells} != {ABSENT}
        ]
        lines = [[line[number] for number in columns] for line in lines]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        padded = ([*map(str.ljust, line, widths)] for line in lines)
        return "\n".join("  ".join(line).rstrip() for line in padded)


def with_speedups(rows: Sequence[Row]) -> list[Row]:
    """Returns the rows with `speedup`: their speed divided by that of the first finished full
    softmax; None if there is none."""
    baselines = [row for row in rows if row.loss == BASELINE and row.status == "done"]
    full = baselines[0].tokens_per_second if baselines else None

    def speedup(speed: float | None) -> float | None:
        return speed / full if full and speed else None

    return [replace(row, speedup=speedup(row.tokens_per_second)) for row in rows]


def with_differences(rows: Sequence[Row]) -> list[Row]:
    """Returns the rows with `differing`, the settings in which they differ, apart from those that
    belong to particular losses or follow from them. If there are any, the comparison is not one of
    losses alone."""
    of_losses = {"loss", "output_bias", *loss_settings()}
    settings = [row.settings for row in rows if row.settings is not None]
    names = [name for name in dict.fromkeys(chain(*settings)) if name not in of_losses]
    shared = [name for name in names if all(name in values for values in settings)]
    unlike = [name for name in shared if len({repr(values[name]) for values in settings}) > 1]
    return [
        replace(row, differing={name: (row.settings or {}).get(name) for name in unlike} or None)
        for row in rows
    ]


def save_table(folder: Path, rows: Sequence[Row], others: Sequence[Row] = ()) -> None:
    """Writes compare.json and compare.tsv (with a header) into the folder, with speedups. `others`,
    rows of earlier comparisons in the folder, go only into compare.json."""
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
    """Returns the rows of earlier comparisons in the folder by name, if any. Raises InputError if
    compare.json is damaged."""
    path = folder / TABLE_JSON
    if not path.is_file():
        return {}
    names = {field.name for field in fields(Row)}
    rows = {}
    try:
        document = read_object(path)
        for row in document["rows"] + document["others"]:
            values = {key: value for key, value in row.items() if key in names}
            curve = tuple((float(x), float(y)) for x, y in values.pop("curve", ()))
            scores = tuple(Score(**score) for score in values.pop("scores", ()))
            for number in chain(values.values(), *(vars(score).values() for score in scores)):
                if type(number) is int:
                    real_number(number)
            loaded = Row(**values, curve=curve, scores=scores)
            if not (_typed(loaded, KINDS) and all(_typed(score, SCORE_KINDS) for score in scores)):
                raise ValueError(f"a value of {shown(loaded.name)} has the wrong type")
            rows[loaded.name] = loaded
    except (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        problem = f"{path} is damaged ({' '.join(str(error).split())})"
        raise InputError(f"{problem}: delete it, or name another `output`") from None
    return rows


def _typed(record: Row | Score, kinds: Mapping[str, Any]) -> bool:
    return all(isinstance(getattr(record, name), kind) for name, kind in kinds.items())


def _lines(rows: Sequence[Row]) -> list[list[str]]:
    """Returns a header and a line of cells for each row: after the columns that all comparisons
    have, those of the sets and the settings that differ."""
    unlike = list((rows[0].differing or {}) if rows else ())
    of_sets = [(name, figure) for name in sets_of(rows) for figure in FIGURES]
    heading = [*COLUMNS, *(f"{name}:{figure}" for name, figure in of_sets), *unlike]
    lines = [[" ".join(name.split()) for name in heading]]
    for row in rows:
        scores = {score.set: vars(score) for score in row.scores}
        cells = [getattr(row, name) for name in COLUMNS]
        cells += [scores.get(name, {}).get(figure) for name, figure in of_sets]
        cells += [(row.differing or {}).get(name) for name in unlike]
        lines.append(list(map(_cell, cells)))
    return lines


def sets_of(rows: Sequence[Row]) -> list[str]:
    """Returns the names of the sets that a row has a score on."""
    return list(dict.fromkeys(score.set for row in rows for score in row.scores))


def _cell(value: object) -> str:
    if value is None:
        return ABSENT
    return f"{value:.6g}" if isinstance(value, float) else " ".join(str(value).split())
