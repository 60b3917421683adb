"""The rows of a comparison, and the files that hold them: compare.tsv and compare.json in the
output folder.

perplexity: of the validation text, the best epoch's. speed-up: tokens per second over those of the
full softmax, if it is among the losses. peak memory: the most that the training process had
resident (on a GPU: without its memory).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from w2v.errors import InputError
from w2v.losses.table import BASELINE
from w2v.system.files import atomic_file

TABLE_JSON, TABLE_TSV = "compare.json", "compare.tsv"
COLUMNS = (
    "perplexity",
    "accuracy",
    "seconds_per_epoch",
    "tokens_per_second",
    "speedup",
    "peak_memory_bytes",
)


@dataclass(frozen=True)
class Row:
    """What came out under one loss. status: waiting, training, done, interrupted or failed."""

    name: str
    loss: str
    status: str = "waiting"
    perplexity: float | None = None  # of a language model
    accuracy: float | None = None  # of word vectors on analogies, 0 to 1
    seconds_per_epoch: float | None = None
    tokens_per_second: float | None = None
    speedup: float | None = None
    peak_memory_bytes: int | None = None
    epochs: float | None = None  # trained
    problem: str | None = None
    settings: dict[str, Any] | None = None  # asked for, by name
    curve: tuple[
        tuple[float, float], ...
    ] = ()  # (seconds of training, validation perplexity), one per epoch

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)


def with_speedups(rows: Sequence[Row]) -> list[Row]:
    """The rows with their speed over that of the first full softmax that is done; None without
    one."""
    full = next(
        (row.tokens_per_second for row in rows if row.loss == BASELINE and row.status == "done"),
        None,
    )
    return [
        replace(
            row, speedup=row.tokens_per_second / full if full and row.tokens_per_second else None
        )
        for row in rows
    ]


def save_table(folder: Path, rows: Sequence[Row], others: Sequence[Row] = ()) -> None:
    """Writes compare.json and compare.tsv (with a heading) into the folder.

    others: rows of earlier comparisons in the folder, which only compare.json keeps.

    Raises:
        RunError: a file cannot be written.
    """
    document = {
        "format_version": 1,
        "rows": [row.as_dict() for row in rows],
        "others": [row.as_dict() for row in others],
    }
    with atomic_file(folder / TABLE_JSON) as file:
        file.write((json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode())
    columns = ("name", "loss", "status", *COLUMNS, "problem")
    lines = [
        "\t".join(columns),
        *("\t".join(_cell(getattr(row, column)) for column in columns) for row in rows),
    ]
    with atomic_file(folder / TABLE_TSV) as file:
        file.write("".join(f"{line}\n" for line in lines).encode())


def load_table(folder: Path) -> dict[str, Row]:
    """The rows of earlier comparisons by name; none if there was none.

    Raises:
        InputError: compare.json is damaged.
    """
    path = folder / TABLE_JSON
    if not path.is_file():
        return {}
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        known = {field.name for field in fields(Row)}
        rows = [
            {key: value for key, value in row.items() if key in known}
            for row in document["rows"] + document["others"]
        ]
        return {
            row["name"]: Row(**{**row, "curve": tuple(map(tuple, row.get("curve", ())))})
            for row in rows
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            f"{path} is damaged ({' '.join(str(error).split())}): delete it, or name another"
            " `output`"
        ) from None


def _cell(value: object) -> str:
    if value is None:
        return "n/a"
    return f"{value:.6g}" if isinstance(value, float) else " ".join(str(value).split())
