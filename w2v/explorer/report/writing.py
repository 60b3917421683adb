"""Makes the page of a report on one or several runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from w2v.errors import InputError
from w2v.evaluation.sets import load_sets
from w2v.explorer import page
from w2v.explorer.report import sections
from w2v.explorer.report.record import read_runs

MOST_RUNS = 10  # the number of distinguishable colours


def check_report(path: str | Path, runs: Sequence[str | Path]) -> None:
    """Raises InputError if a report cannot be made of these runs, or written to this path."""
    if path != "-" and Path(path).suffix.lower() not in (".html", ".htm"):
        raise InputError(f"`output` {path}: a report is a page, so name a file ending in .html")
    if not 1 <= len(runs) <= MOST_RUNS:
        raise InputError(f"a report cannot have {len(runs)} runs: name 1 to {MOST_RUNS}")


def write_report(
    runs: Sequence[str | Path], questions: Sequence[str | Path] = (), title: str | None = None
) -> bytes:
    """Returns the page; `questions` are files of test sets, by default those included in w2v."""
    sets = load_sets(questions)
    records = read_runs(runs)
    for run in records:
        run.evaluate(sets)
    parts = [sections.overview, sections.curves, sections.scores, sections.vocabulary]
    content = "".join(part(records) for part in (*parts, sections.settings))
    names = ", ".join(run.name for run in records)
    return page.page(
        "report.html",
        title=title or f"Report: {names}",
        styles=("page.css", "report.css"),
        scripts=("theme.js",),
        parts={"content": content},
    )
