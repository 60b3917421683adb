"""The results of training, losses and accuracy as tables: for a pipe, a terminal, and Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from w2v.cli.output import Cell, human_count

Found = dict[str, float] | None  # median, low, high

TRAINING_COLUMNS = (
    "words_per_second",
    "words_per_second_per_thread",
    "seconds",
    "peak_megabytes",
    "accuracy",
    "speed_ratio",
    "time_ratio",
    "matrix_share",
)


def plain_rows(results: dict[str, Any]) -> list[tuple[Cell, ...]]:
    """Rows of numbers. Every figure is three cells: median, low, high."""
    if results["bench"] == "training":
        return [
            (
                row["system"],
                row["model"],
                row["loss"],
                row["threads"],
                *(cell for name in TRAINING_COLUMNS for cell in _three(row[name])),
            )
            for row in results["rows"]
        ]
    if results["bench"] == "accuracy":
        return [
            (
                row["system"],
                row["seeds"],
                *(cell for found in _accuracy_figures(row) for cell in _three(found)),
            )
            for row in results["rows"]
        ]
    rows: list[tuple[Cell, ...]] = [
        (
            row["loss"],
            row["library"],
            row["function"],
            row["n"],
            row["dim"],
            row["vocabulary"],
            *_three(row["milliseconds"]),
            *_three(row["ratio"]),
        )
        for row in results["rows"]
    ]
    if memory := results["memory"]:
        shape = (memory["n"], memory["dim"], memory["vocabulary"])
        rows.append(
            (
                "softmax-memory",
                "w2v",
                "Softmax",
                *shape,
                memory["growth_bytes"],
                memory["logits_bytes"],
            )
        )
    return rows


def table(results: dict[str, Any]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Headings and rows for people, without the columns that say nothing."""
    if results["bench"] == "training":
        return _without_empty(*_training(results))
    if results["bench"] == "accuracy":
        return _accuracy(results)
    return _without_empty(*_losses(results))


def notes(results: dict[str, Any]) -> list[str]:
    """What must be known about a table's figures, one sentence each."""
    kinds = {"training": _training_notes, "accuracy": _accuracy_notes}
    return kinds.get(results["bench"], _losses_notes)(results)


def markdown(results: dict[str, Any]) -> str:
    """The table and its notes in Markdown."""
    headings, rows = table(results)
    right = [
        all(row[column][:1].isdigit() or not row[column] for row in rows)
        for column in range(len(headings))
    ]
    lines = [
        "| " + " | ".join(headings) + " |",
        "|" + "|".join("---:" if each else "---" for each in right) + "|",
        *("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows),
    ]
    return "\n".join([*lines, "", *notes(results)]) + "\n"


def _training(results: dict[str, Any]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    rows = results["rows"]
    several = {name: len({row[name] for row in rows}) > 1 for name in ("model", "loss", "threads")}
    headings = (
        "system",
        "model",
        "loss",
        "threads",
        "words/s",
        "per thread",
        "w2v is faster",
        "seconds",
        "times w2v's",
        "memory",
        "analogies",
        "matrix rate",
    )
    return headings, [
        (
            row["system"],
            *(str(row[name]) if several[name] else "" for name in ("model", "loss", "threads")),
            _counts(row["words_per_second"]) + ("" if row["training_timed"] else " (whole run)"),
            _counts(row["words_per_second_per_thread"]) if row["threads"] > 1 else "",
            _number(row["speed_ratio"], "×"),
            _number(row["seconds"], "s"),
            _number(row["time_ratio"], "×"),
            _number(row["peak_megabytes"], "MB"),
            _number(row["accuracy"], "%", 100),
            _number(row["matrix_share"], "%", 100),
        )
        for row in rows
    ]


def _training_notes(results: dict[str, Any]) -> list[str]:
    of, rows = results["settings"], results["rows"]
    kinds = " and ".join(dict.fromkeys(f"{row['model']} {row['loss']}" for row in rows))
    counts = " and ".join(dict.fromkeys(f"{row['threads']}" for row in rows))
    rates = ", ".join(
        f"{rate['median'] / 1e9:.0f} GFLOP/s with {threads}"
        for threads, rate in results["matrix_rates"].items()
    )
    found = [
        (
            f"{', '.join(results['corpus'])}, {results['words']:,} words, {of['epochs']}"
            f" epoch{'s' * (of['epochs'] != 1)}, {kinds}, dim {of['dim']}, window {of['window']},"
            f" {of['negatives']} negatives, sample {of['sample']:g}, min-count {of['min_count']};"
            f" {counts} threads of {results['machine']['processor']}."
        ),
        (
            "Words/s: words of the corpus × epochs ÷ seconds of training, without reading the"
            " vocabulary and writing the vectors (w2v: its summary; gensim: its callbacks; the"
            " others: their progress reports)."
        ),
        (
            "Seconds: start to vectors on"
            f" disk{', corpus in the cache' if of['cache'] else ', without cache'}."
        ),
    ]
    if of["repeat"] > 1:
        found.append(
            f"Medians of {of['repeat']} rounds, in which the systems took turns (smallest–largest)."
        )
    if any(row["accuracy"] for row in rows):
        found.append(
            f"Analogies: {results['questions']}, the {results['restrict_vocab']:,} most frequent"
            " words."
        )
    if any(row["matrix_share"] for row in rows):
        found.append(f"Matrix rate: share of torch.mm's rate with as many threads; {rates}.")
    return found


def _accuracy_figures(row: dict[str, Any]) -> list[Found]:
    return [row["seconds"], row["cpu_seconds"], *row["scores"].values()]


def _accuracy(results: dict[str, Any]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    return ("system", "seconds", "CPU seconds", *results["sets"]), [
        (
            row["system"],
            _number(row["seconds"], "s"),
            _number(row["cpu_seconds"], "s"),
            *(_number(found, "%", 100) for found in row["scores"].values()),
        )
        for row in results["rows"]
    ]


def _accuracy_notes(results: dict[str, Any]) -> list[str]:
    seeds = sorted({row["seeds"] for row in results["rows"]})
    return [
        f"{', '.join(results['corpus'])}; {results['threads']} threads of"
        f" {results['machine']['processor']}; means of {' or '.join(map(str, seeds))} seeds"
        " (smallest–largest).",
        "Seconds: start to vectors on disk, w2v's with the corpus in the cache. Analogies: share of"
        " right answers among the 30,000 most frequent words; pairs of words: Spearman's rank"
        " correlation, as percent.",
    ]


def _losses(results: dict[str, Any]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    return ("loss", "library", "function", "forward + backward", "w2v is faster"), [
        (
            row["loss"],
            row["library"],
            f"`{row['function']}`",
            _number(row["milliseconds"], "ms"),
            _number(row["ratio"], "×"),
        )
        for row in results["rows"]
    ]


def _losses_notes(results: dict[str, Any]) -> list[str]:
    of, rows = results["settings"], results["rows"]
    shapes: dict[tuple[int, int, int], list[str]] = {}
    for row in rows:
        shapes.setdefault((row["n"], row["dim"], row["vocabulary"]), []).append(row["loss"])
    found = [
        f"N = {n:,}, D = {dim}, V = {vocabulary:,}: {', '.join(dict.fromkeys(losses))}."
        for (n, dim, vocabulary), losses in shapes.items()
    ]
    versions = ", ".join(
        f"{library} {version}" for library, version in results["versions"].items() if version
    )
    found.append(
        f"{of['samples']} samples, cutoffs {', '.join(map(str, of['cutoffs']))}; medians of"
        f" {of['repeat']} rounds, in which the libraries took turns (smallest–largest);"
        f" {of['threads']} threads of {results['machine']['processor']}; {versions}."
    )
    if memory := results["memory"]:
        growth, logits = memory["growth_bytes"], memory["logits_bytes"]
        found.append(
            f"Full softmax, N = {memory['n']:,}, D = {memory['dim']}, V = {memory['vocabulary']:,}:"
            f" peak memory grows by {growth / 1e6:,.0f} MB, gradients included; the [N, V] logits"
            f" would take {logits / 1e6:,.0f} MB ({logits / max(growth, 1):.1f} times that)."
        )
    return found


def _three(found: Found) -> tuple[Cell, Cell, Cell]:
    return (None, None, None) if found is None else (found["median"], found["low"], found["high"])


def _counts(found: Found) -> str:
    """11.1 M (10.9 M–11.3 M)."""
    if found is None:
        return ""
    low, high = human_count(found["low"]), human_count(found["high"])
    return human_count(found["median"]) + ("" if low == high else f" ({low}–{high})")


def _number(found: Found, unit: str, factor: float = 1.0) -> str:
    """22.4 × (21.9–23.0)."""
    if found is None:
        return ""
    median, low, high = (_digits(factor * found[name]) for name in ("median", "low", "high"))
    return f"{median} {unit}" + ("" if low == high else f" ({low}–{high})")


def _digits(value: float) -> str:
    """Three digits: 1,230, 22.4, 1.52, 0.0125."""
    if value < 0.1:
        return f"{value:.3g}"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _without_empty(
    headings: Sequence[str], rows: Sequence[Sequence[str]]
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    kept = [column for column in range(len(headings)) if any(row[column] for row in rows)]
    return tuple(headings[column] for column in kept), [
        tuple(row[column] for column in kept) for row in rows
    ]
