"""Plots a comparison with matplotlib: validation perplexity, or the score of word vectors on the
first set with its 95 % interval, against training time, as PNG, SVG or PDF."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path

from w2v.comparison.table import ANALOGIES, SPEARMAN, Row
from w2v.errors import InputError, RunError
from w2v.system.files import atomic_file
from w2v.system.packages import reporting_missing

FORMATS = (".png", ".svg", ".pdf")
# Okabe and Ito's colours, which colour-blind people can distinguish, with a marker for each.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D00")
MARKERS = "os^Dv<>P"


def check_plot(path: str) -> None:
    """Raises InputError if the extension of `path` is not one of FORMATS."""
    if Path(path).suffix.lower() not in FORMATS:
        raise InputError(f"`plot` {path}: name a file ending in {' '.join(FORMATS)}")


def draw(rows: Sequence[Row], path: str | Path) -> None:
    """Plots the rows that have a result to `path`, whose extension names the format. Raises
    RunError if matplotlib is missing or fails, there is nothing to draw, or the file cannot be
    written."""
    # matplotlib logs warnings while it searches for fonts
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    with reporting_missing():
        from matplotlib.figure import Figure
        from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter
    curves = [(row, curve) for row in rows if (curve := row.curve or _end(row))]
    if not curves:
        raise RunError("no run has a result to draw")
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    styles = cycle(zip(COLOURS, MARKERS, strict=True))
    for (row, curve), (colour, marker) in zip(curves, styles, strict=False):
        axes.plot(*zip(*curve, strict=True), label=row.name, color=colour, marker=marker, ms=5)
        if not row.curve and (score := row.scores[0]).low is not None and score.high is not None:
            axes.plot([curve[0][0]] * 2, [score.low, score.high], color=colour, linewidth=1)
    axes.set_xlabel("training time, seconds")
    axes.set_xlim(0, 1.05 * max(x for _, curve in curves for x, _ in curve))
    if any(row.perplexity is not None for row, _ in curves):
        axes.set_ylabel("validation perplexity (log scale)")
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
        axes.yaxis.set_major_formatter(ScalarFormatter())
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        first = curves[0][0].scores[0]
        measured = {ANALOGIES: "share of right answers", SPEARMAN: "Spearman's correlation"}
        axes.set_ylabel(f"{first.set}, {measured[first.measure]}")
    axes.grid(alpha=0.3, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize="small")
    suffix = Path(path).suffix.lower().removeprefix(".")
    try:
        with atomic_file(path) as file:
            figure.savefig(file, format=suffix, dpi=150)
    except RunError:
        raise
    except Exception as error:  # a failed plot must not lose the table
        problem = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise RunError(f"matplotlib failed: {problem}") from None


def _end(row: Row) -> tuple[tuple[float, float], ...]:
    """Returns the only point of word vectors: (total seconds of training, first score)."""
    value = row.scores[0].value if row.scores else None
    if value is None or row.seconds_per_epoch is None or row.epochs is None:
        return ()
    return ((row.seconds_per_epoch * row.epochs, value),)
