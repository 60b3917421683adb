"""Makes the sections of a report: tables and charts of several runs side by side, each in the
colour of its run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from w2v.evaluation.bootstrap import Interval
from w2v.explorer.page import text
from w2v.explorer.report.charts import (
    Axis,
    Estimate,
    Point,
    Series,
    interval_chart,
    line_chart,
    number,
)
from w2v.explorer.report.record import Record

ZIPF_POINTS = 120
NOTHING = "n/a"


def overview(runs: Sequence[Record]) -> str:
    """Returns the section with the main settings and results of each run."""
    facts: dict[str, list[str]] = {}

    def fact(name: str, value_of: Callable[[Record], str]) -> None:
        values = [value_of(run) for run in runs]
        if any(value != NOTHING for value in values):
            facts[name] = values

    fact("model", lambda run: text(run.settings.get("model", "")))
    fact("loss", lambda run: text(run.settings.get("loss", "")))
    fact("vocabulary", lambda run: _count(len(run.counts) or run.figure("vocabulary")))
    fact("dimensions", lambda run: text(run.settings.get("dim", "")))
    fact("epochs", _epochs)
    fact("training", lambda run: _duration(run.figure("seconds", "training")))
    fact(f"{runs[0].unit} per second", lambda run: _count(run.figure("words_per_second")))
    fact("training loss, nats per prediction", lambda run: _decimal(run.figure("final_loss")))
    fact("validation loss", lambda run: _decimal(run.figure("validation", "loss")))
    fact("validation perplexity", lambda run: _decimal(run.figure("validation", "perplexity"), 2))
    for name in _named(run.analogies for run in runs):
        results = (run.analogies.get(name) for run in runs)
        shares = (None if result is None else result.accuracy for result in results)
        facts[f"{name}, answered right"] = [*map(_percent, shares)]
    for name in _named(run.similarity for run in runs):
        pairs = (run.similarity.get(name) for run in runs)
        correlations = (None if result is None else result.spearman for result in pairs)
        facts[f"{name}, Spearman"] = [*map(_decimal, correlations)]
    rows = [[text(name), *values] for name, values in facts.items()]
    return _section("Runs", _table(["", *_heads(runs)], rows))


def curves(runs: Sequence[Record]) -> str:
    """Returns the section with loss, learning rate, speed and validation during training."""
    worked = Axis(f"{runs[0].unit} processed", whole=True)
    nats = Axis("nats per prediction")

    def over_words(title: str, name: str, label: Axis) -> str:
        return line_chart(title, _series(runs, [run.curve(name) for run in runs]), worked, label)

    losses = {str(run.settings.get("loss")) for run in runs}
    speeds = _series(runs, [run.speed() for run in runs])
    charts = [
        over_words("Training loss", "loss", nats),
        over_words("Learning rate", "lr", Axis("learning rate")),
        *_validation(runs),
        line_chart("Speed", speeds, worked, Axis(f"{runs[0].unit} per second")),
    ]
    if not any(charts):
        return _section("Training", '<p class="faint">No run has metrics yet.</p>')
    note = ""
    if len(losses) > 1:
        note = "The runs have different losses, whose values are not comparable."
    return _section("Training", _legend(runs) + _charts(charts), note)


def vocabulary(runs: Sequence[Record]) -> str:
    """Returns the section with the size of the vocabulary, and word frequency by rank."""
    facts: dict[str, Callable[[Record], str]] = {
        "words of the corpus": lambda run: _count(run.figure("words", "read")),
        "distinct words kept": lambda run: _count(len(run.counts) or None),
        "share of the corpus left out": _left_out,
        "count of the rarest": lambda run: _count(int(run.counts[-1]) if len(run.counts) else None),
    }
    rows = [[name, *map(value_of, runs)] for name, value_of in facts.items()]
    rank = Axis("rank of the word", log=True, whole=True)
    occurrences = _series(runs, [_zipf(run.counts) for run in runs])
    shares = _series(runs, [_zipf(_covered(run)) for run in runs])
    charts = [
        line_chart("Frequency by rank (Zipf)", occurrences, rank, Axis("occurrences", log=True)),
        line_chart("Share of the text covered by rank", shares, rank, Axis("% of the text")),
    ]
    return _section("Vocabulary", _table(["", *_heads(runs)], rows) + _charts(charts))


def scores(runs: Sequence[Record]) -> str:
    """Returns the section with the scores of the vectors, with 95 % intervals."""
    parts = [_analogies(runs, name) for name in _named(run.analogies for run in runs)]
    if pairs := _named(run.similarity for run in runs):
        parts.append(_similarity(runs, pairs))
    if not parts:
        return ""
    note = "With 95 % intervals, bootstrapped from the questions or pairs."
    return _section("Scores", _legend(runs) + "".join(parts), note)


def settings(runs: Sequence[Record]) -> str:
    """Returns the section with all settings, those that differ between the runs first."""
    apart, same = [], []
    for name in _named(run.settings for run in runs):
        head = f"<code>{text(name)}</code>"
        values = [_value(run.settings.get(name)) for run in runs]
        if len({*values}) > 1:
            apart.append([head, *values])
        else:
            same.append([head, values[0]])
    content, summary = "", "All settings"
    if len(runs) > 1:
        content = '<p class="faint">All settings are the same.</p>'
        content = _table(["", *_heads(runs)], apart) if apart else content
        summary = f"{len(same)} settings are the same in all runs"
    opened = " open" if len(runs) == 1 else ""
    content += f"<details{opened}><summary>{summary}</summary>{_table(['', ''], same)}</details>"
    return _section("Settings", content)


def _validation(runs: Sequence[Record]) -> list[str]:
    kinds = {"validation_loss": "nats per prediction", "validation_perplexity": "perplexity"}
    lines = ((_series(runs, [run.validation(name) for run in runs]), kinds[name]) for name in kinds)
    return [line_chart("Validation", series, Axis("epoch"), Axis(label)) for series, label in lines]


def _analogies(runs: Sequence[Record], name: str) -> str:
    by_run = {
        i: dict(run.analogies[name].parts()) for i, run in enumerate(runs) if name in run.analogies
    }
    drawn, rows = [], []
    for part in _named(by_run.values()):
        estimates, cells = [], [text(part)]
        for i, parts in by_run.items():
            result = parts.get(part)
            if result is None or result.accuracy is None:
                cells.append(NOTHING)
                continue
            ends, tally = result.interval(), result.tally()
            estimates.append(_estimate(result.accuracy, ends, i, runs[i], 100))
            counted = f"{tally.correct:,} of {tally.covered:,}"
            cells.append(_with_interval(_percent(result.accuracy), ends, 100, counted))
        drawn.append((part, estimates))
        rows.append(cells)
    heads = _heads(runs)
    table = _table(["", *(heads[i] for i in by_run)], rows)
    chart = interval_chart(f"Analogies: {name}", drawn, "% answered right")
    return _chart_and_table(chart, table, len(by_run))


def _similarity(runs: Sequence[Record], names: Sequence[str]) -> str:
    drawn, rows = [], []
    for name in names:
        by_run = {i: run.similarity[name] for i, run in enumerate(runs) if name in run.similarity}
        estimates = [
            _estimate(result.spearman, result.spearman_ci, i, runs[i])
            for i, result in by_run.items()
            if result.spearman is not None
        ]
        drawn.append((name, estimates))
        for measure in ("spearman", "pearson"):
            cells = [NOTHING] * len(runs)
            for i, result in by_run.items():
                value, ends = getattr(result, measure), getattr(result, f"{measure}_ci")
                counted = f"{result.covered:,} of {result.total:,} pairs"
                cells[i] = _with_interval(_decimal(value), ends, 1, counted)
            rows.append([f"{text(name)}, {measure.title()}", *cells])
    chart = interval_chart("Similarity", drawn, "Spearman's correlation with human scores")
    return _chart_and_table(chart, _table(["", *_heads(runs)], rows), len(runs))


def _named(values: Iterable[Mapping[str, Any]]) -> list[str]:
    """Returns the distinct keys of all mappings, in order."""
    return list(dict.fromkeys(name for mapping in values for name in mapping))


def _estimate(
    value: float, ends: Interval | None, colour: int, run: Record, times: float = 1
) -> Estimate:
    scaled = None if ends is None else (times * ends[0], times * ends[1])
    return Estimate(times * value, scaled, colour, run.name)


def _with_interval(value: str, ends: Interval | None, times: float, counted: str) -> str:
    digits = 1 if times == 100 else 3
    span = f"{times * ends[0]:.{digits}f} – {times * ends[1]:.{digits}f}, " if ends else ""
    return f'{value}<br><span class="faint small">{span}{counted}</span>'


def _series(runs: Sequence[Record], points: Sequence[Sequence[Point]]) -> list[Series]:
    return [Series(run.name, i, points[i]) for i, run in enumerate(runs)]


def _zipf(values: np.ndarray) -> list[Point]:
    """Returns (rank, value) for the ranks 1 … V, spaced logarithmically."""
    if not len(values):
        return []
    ranks = np.unique(np.geomspace(1, len(values), ZIPF_POINTS).round().astype(np.int64))
    return [(int(rank), float(values[rank - 1])) for rank in ranks]


def _covered(run: Record) -> np.ndarray:
    """Returns the per cent of the text, including the words left out, that ranks cover [V]."""
    total = max(run.counts.sum(), run.figure("words", "read") or 0, 1)
    return np.asarray(100 * np.cumsum(run.counts) / total)


def _left_out(run: Record) -> str:
    read, left_out = run.figure("words", "read"), run.figure("words", "left_out")
    return NOTHING if not read or left_out is None else _percent(left_out / read)


def _epochs(run: Record) -> str:
    if run.summary is None:
        return "unfinished"
    return text(f"{number(run.figure('epochs_done'))} of {number(run.figure('epochs'))}")


def _heads(runs: Sequence[Record]) -> list[str]:
    return [
        f'<span class="run"><i class="s{i}"></i>{text(run.name)}</span>'
        for i, run in enumerate(runs)
    ]


def _chart_and_table(chart: str, table: str, columns: int) -> str:
    """Places a chart and a table side by side, or below each other if the table is wide."""
    return f'<div class="{"beside" if columns == 1 else "stacked"}">{chart}{table}</div>'


def _legend(runs: Sequence[Record]) -> str:
    return f'<p class="legend">{" ".join(_heads(runs))}</p>' if len(runs) > 1 else ""


def _section(title: str, content: str, note: str = "") -> str:
    aside = f'<p class="faint">{text(note)}</p>' if note else ""
    return f"<section><h2>{text(title)}</h2>{aside}{content}</section>"


def _charts(charts: Sequence[str]) -> str:
    return f'<div class="charts">{"".join(charts)}</div>'


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a table; its cells and headings are HTML."""
    head = "".join(f"<th>{cell}</th>" for cell in heads) if any(heads) else ""
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    head = f"<thead><tr>{head}</tr></thead>" if head else ""
    return f'<div class="wide"><table>{head}<tbody>{body}</tbody></table></div>'


def _value(value: Any) -> str:
    if value is None:
        return '<span class="faint">none</span>'
    content = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else value
    return f'<span class="value">{text(content)}</span>'


def _percent(share: float | None) -> str:
    return NOTHING if share is None else f"{100 * share:.1f} %"


def _decimal(value: float | None, digits: int = 4) -> str:
    return NOTHING if value is None else f"{value:.{digits}f}"


def _count(value: float | None) -> str:
    return NOTHING if value is None else f"{value:,.0f}"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return NOTHING
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min {rest} s"
