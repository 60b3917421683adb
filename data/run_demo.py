"""`make demo`: trains on the demo corpus, evaluates, queries. Every command is shown before it
runs; a table ends it.

Results are under runs/; a second run replaces them.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

OUTPUT = "runs/demo"
QUERIES = ("france", "king - man + woman", "walking")


def w2v(*arguments: str, capture: bool = False) -> str:
    """Shows and runs one command; returns its stdout when captured. A failure ends the demo with
    its exit code."""
    print(f"\n$ w2v {shlex.join(arguments)}", flush=True)
    done = subprocess.run(
        [sys.executable, "-m", "w2v", *arguments],
        stdout=subprocess.PIPE if capture else None,
        text=True,
    )
    if done.returncode:
        sys.exit(done.returncode)
    return done.stdout or ""


def main() -> None:
    os.chdir(Path(__file__).resolve().parents[1])
    Path(OUTPUT).parent.mkdir(exist_ok=True)
    trained: dict[str, Any] = json.loads(
        w2v(
            "train",
            "--config",
            "configs/demo.yaml",
            "--output",
            OUTPUT,
            "--overwrite",
            "--json",
            capture=True,
        )
    )
    measured: dict[str, Any] = json.loads(w2v("eval", OUTPUT, "--json", capture=True))
    for query in QUERIES:
        w2v("nearest", OUTPUT, query, "-k", "3")
    rows = [
        (
            "corpus",
            f"{trained['words']['read']:,} words, {trained['vocabulary']:,} in the vocabulary",
        ),
        ("model", f"{trained['model']}, {trained['loss']}"),
        (
            "training",
            f"{trained['seconds']['training']:.1f} s, {trained['words_per_second']:,.0f} words/s",
        ),
        ("whole run", f"{trained['seconds']['total']:.1f} s"),
    ]
    for name, result in measured["analogies"].items():
        rows.append(
            (
                name,
                f"{percent(result['accuracy'])} right of {result['covered']:,} analogy questions",
            )
        )
    for name, result in measured["similarity"].items():
        rows.append(
            (
                name,
                f"Spearman {correlation(result['spearman'])} over {result['covered']:,} word pairs",
            )
        )
    width = max(len(name) for name, _ in rows)
    print("\n" + "-" * 72)
    for name, value in rows:
        print(f"{name:<{width}}  {value}")
    print("-" * 72)
    print(f"The vectors are in {OUTPUT}. Ask for more: .venv/bin/w2v nearest {OUTPUT} paris")


def correlation(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.2f}"


def percent(share: float | None) -> str:
    return "n/a" if share is None else f"{100 * share:.1f} %"


if __name__ == "__main__":
    main()
