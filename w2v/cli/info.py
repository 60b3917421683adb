"""Describe a run directory or a vector file: words, dimension, how it was trained.

\b
  w2v info vectors.bin
  w2v info wiki-skip-gram-neg --json
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from w2v.cli.model import open_model
from w2v.cli.options import EncodingErrors, Json, Model
from w2v.cli.output import print_json, print_values

NAME = "info"
FIRST_WORDS = 8


def command(model: Model, encoding_errors: EncodingErrors = "strict", json: Json = False) -> None:
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
    run = _run_facts(Path(model))
    if json:
        print_json({**values, **run})
        return
    print_values({**values, "first_words": " ".join(values["first_words"]), **_flat(run)})


def _run_facts(folder: Path) -> dict[str, Any]:
    """What the run directory says about its run; parts that are missing or damaged are left out."""
    facts: dict[str, Any] = {}
    try:
        from json import loads

        summary = loads((folder / "summary.json").read_text(encoding="utf-8"))
        facts["summary"] = summary if isinstance(summary, dict) else {}
    except (OSError, ValueError):
        pass
    try:
        from yaml import YAMLError, safe_load

        try:
            settings = safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
            facts["settings"] = settings if isinstance(settings, dict) else {}
        except YAMLError:
            pass
    except (OSError, ValueError):
        pass
    return facts


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested keys joined by dots."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = ", ".join(map(str, value)) if isinstance(value, list) else value
    return flat
