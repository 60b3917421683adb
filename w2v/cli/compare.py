"""Train the same model under several losses and print what each of them buys.

The table has the columns loss, validation perplexity (of --model lm; of word vectors: share of
right answers to the analogies of --questions), seconds per epoch, tokens per second, speed-up over
the full softmax (if it is one of the losses), peak memory, and status; piped output the same with
bytes. Every loss is trained in a process and a run directory of its own in the --output folder,
beside compare.tsv, compare.json and compare.png. A loss that fails is reported in its row, the
others go on (exit code 1 at the end). Run again, what is finished is kept, and what was stopped
goes on.

Settings that differ between the losses stand in the --config file: losses: {softmax: {lr: 20}, nce:
{lr: 10}}

\b
  w2v compare train.txt --model lm --valid valid.txt --losses softmax,adaptive-softmax,nce
  w2v compare train.txt --valid valid.txt --config configs/lm-compare.yaml --output lm-losses
  w2v compare corpus.txt --losses neg,nce,hsigmoid --questions questions-words.txt
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from w2v.cli.interrupt import stopping_softly
from w2v.cli.options import Json, Overwrite, Quiet, with_settings
from w2v.cli.output import Cell, human_bytes, is_terminal, print_json, print_table, say
from w2v.cli.progress import ConsoleReporter
from w2v.settings.groups import all_settings

if TYPE_CHECKING:
    from w2v.comparison.table import Row

NAME = "compare"
OWN = ("loss", "output", "overwrite")  # settings of w2v train that compare itself decides on


@with_settings(each for name, each in all_settings().items() if name not in OWN)
def command(
    corpus: Annotated[list[str] | None, typer.Argument(metavar="CORPUS", hidden=True)] = None,
    losses: Annotated[
        str | None,
        typer.Option(
            "--losses", metavar="A,B,…", help="what to compare; all that --config lists if absent"
        ),
    ] = None,
    config: Annotated[
        str | None, typer.Option("--config", metavar="FILE", help="settings from a YAML file")
    ] = None,
    questions: Annotated[
        str | None,
        typer.Option("--questions", metavar="FILE", help="word vectors: the set of analogies"),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="folder of the runs and tables [default: MODEL-compare]",
        ),
    ] = None,
    plot: Annotated[
        str | None,
        typer.Option(
            "--plot", metavar="FILE", help=".png or .svg [default: compare.png in the folder]"
        ),
    ] = None,
    overwrite: Overwrite = False,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="neither use nor keep the tokenised corpus")
    ] = False,
    quiet: Quiet = False,
    json: Json = False,
    **given: str | bool | None,
) -> int:
    from w2v.comparison.compare import Comparison
    from w2v.comparison.contenders import read_contenders
    from w2v.comparison.plot import check_plot

    names = (
        [name.strip() for name in losses.split(",") if name.strip()] if losses is not None else None
    )
    contenders, notes = read_contenders(
        names, {"corpus": tuple(corpus) if corpus else None, **given}, config
    )
    folder = Path(output or f"{contenders[0].config.model.model}-compare")
    picture = plot or str(folder / "compare.png")
    check_plot(picture)
    with ConsoleReporter(quiet=quiet) as reporter, stopping_softly(lambda: True) as stop:
        for note in notes:
            reporter.note(note)
        comparison = Comparison(
            contenders,
            folder,
            questions,
            overwrite,
            not no_cache,
            reporter,
            stopped=lambda: stop.signal_number if stop.is_set() else None,
        )
        rows = comparison.run(comparison.prepare())
    _print_rows(rows, contenders[0].config.model.model == "lm", json)
    _draw(rows, picture, reporter)
    if stop.is_set():
        say("w2v compare: stopped; the same command goes on with what is not finished")
        return 128 + stop.signal_number
    return 1 if any(row.status == "failed" for row in rows) else 0


def _print_rows(rows: Sequence[Row], is_lm: bool, json: bool) -> None:
    if json:
        print_json({"rows": [row.as_dict() for row in rows]})
        return
    terminal = is_terminal(sys.stdout)
    table: list[tuple[Cell, ...]] = []
    for row in rows:
        figure: Cell = row.perplexity if is_lm else row.accuracy
        memory: Cell = row.peak_memory_bytes
        speed: Cell = row.tokens_per_second
        speedup: Cell = row.speedup
        if terminal:
            if row.accuracy is not None:
                figure = f"{100 * row.accuracy:.1f} %"
            memory = None if row.peak_memory_bytes is None else human_bytes(row.peak_memory_bytes)
            speed = None if row.tokens_per_second is None else round(row.tokens_per_second)
            speedup = None if row.speedup is None else f"{row.speedup:.2f} x"
        status = row.status if row.problem is None else f"{row.status}: {row.problem}"
        table.append((row.name, figure, row.seconds_per_epoch, speed, speedup, memory, status))
    figure_name, speed_name = (
        ("valid. perplexity", "tokens/s") if is_lm else ("analogies", "words/s")
    )
    print_table(
        ("loss", figure_name, "s/epoch", speed_name, "speed-up", "peak memory", "status"), table
    )


def _draw(rows: Sequence[Row], path: str, reporter: ConsoleReporter) -> None:
    """The plot, or one line that says why there is none: the table stands without it."""
    from w2v.comparison.plot import draw
    from w2v.errors import RunError

    try:
        draw(rows, path)
        reporter.note(f"plot in {path}")
    except RunError as problem:
        reporter.note(f"no plot: {problem}")
