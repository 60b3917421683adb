"""Describe a run directory or a vector file.

Prints the number of words, the dimension, and how it was trained. With --metrics, prints the
metrics.jsonl of a run, finished or not, as a table with a header line and a column for each metric,
or as a JSON list.

\b
  w2v info vectors.bin
  w2v info wiki-skip-gram-neg --json
  w2v info wiki-skip-gram-neg --metrics csv > training.csv
"""

from __future__ import annotations

import csv
import io
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

from w2v.cli.model import open_model
from w2v.cli.options import EncodingErrors, Json, Model, choice
from w2v.cli.output import print_json, print_line, print_values
from w2v.errors import InputError

FIRST_WORDS = 8


def command(
    model: Model,
    metrics: Annotated[
        str | None, choice(("csv", "tsv", "json"), "print what was measured during training")
    ] = None,
    encoding_errors: EncodingErrors = "strict",
    json: Json = False,
) -> None:
    if metrics is not None:
        _print_metrics(model, metrics)
        return
    vectors = open_model(model, encoding_errors=encoding_errors)
    values: dict[str, Any] = {
        "path": model,
        "kind": "run directory" if Path(model).is_dir() else "vector file",
        "vectors": len(vectors),
        "dim": vectors.dim,
        "matrix_bytes": vectors.matrix.nbytes,
        "first_words": vectors.words[:FIRST_WORDS],
    }
    if vectors.counts is not None:
        values["corpus_words"] = int(vectors.counts.sum())
    if vectors.ngrams is not None:
        values["ngrams"] = vectors.ngrams.ngrams._asdict()
    run = _run_facts(Path(model))
    if json:
        print_json({**values, **run})
        return
    print_values({**_flat(values), "first_words": " ".join(values["first_words"]), **_flat(run)})


def _print_metrics(model: str, kind: str) -> None:
    from w2v.runs.directory import METRICS, metrics_of

    if not (Path(model) / METRICS).is_file():
        reason = f"has no {METRICS}, as a run has" if Path(model).is_dir() else "is not a run"
        raise InputError(f"{model} {reason}; name a run directory written by w2v train")
    lines = metrics_of(Path(model))
    if kind == "json":
        print_json(lines)
        return
    names = list(dict.fromkeys(name for line in lines for name in line))
    text = io.StringIO()
    table = csv.writer(text, "excel" if kind == "csv" else "excel-tab", lineterminator="\n")
    table.writerow(names)
    table.writerows([line.get(name) for name in names] for line in lines)
    print_line(text.getvalue().removesuffix("\n"))


def _run_facts(folder: Path) -> dict[str, Any]:
    """Returns the summary and settings of a run directory, without missing or damaged parts."""
    from w2v.settings.declare import BadValue
    from w2v.settings.groups import all_settings
    from w2v.system.json import read_object
    from w2v.vectors.fingerprints import KEY

    facts: dict[str, Any] = {}
    with suppress(OSError, ValueError):
        facts["summary"] = read_object(folder / "summary.json")
        facts["summary"].pop(KEY, None)
    if not (folder / "config.yaml").is_file():
        return facts
    from w2v.settings.yamlfile import read_settings  # yaml takes 15 ms

    known = all_settings()
    with suppress(InputError):
        pairs, _ = read_settings(folder / "config.yaml")
        facts["settings"] = {}
        for name, value in pairs:
            with suppress(BadValue):  # written by another version: shown unchanged
                value = known[name].convert(value, name) if name in known else value
            facts["settings"][name] = list(value) if isinstance(value, tuple) else value
    return facts


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns the values with nested keys joined by dots."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            is_list = isinstance(value, list)
            flat[f"{prefix}{key}"] = ", ".join(map(str, value)) if is_list else value
    return flat
