"""Train the same model with several losses and compare them.

For each loss the table has the validation perplexity (of word vectors: the share of analogies
answered right), seconds per epoch, tokens per second, speed-up over the full softmax if that is
among the losses, peak memory, and status; for word vectors also the share of analogies whose words
are all known; and any settings that differ. Piped output is tab-separated, with memory in bytes.

Each loss is trained in a separate process, in its own run directory in the --output folder, next to
compare.tsv, compare.json and compare.png. If one fails, its row says so, the others continue, and
the exit code is 1. Repeating the command keeps finished runs and resumes stopped ones.

Give settings that differ between the losses in the --config file:
losses: {softmax: {}, nce: {negatives: 512}, hsigmoid: {lr: 0.15}}

\b
  w2v compare train.txt --model lm --valid valid.txt --losses softmax,adaptive-softmax,nce
  w2v compare train.txt --valid valid.txt --config configs/lm-compare.yaml --output lm-losses
  w2v compare corpus.txt --losses neg,nce,hsigmoid --questions questions-words.txt
"""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from w2v.cli.interrupt import stopping_softly
from w2v.cli.options import Json, NoCache, Quiet, Recipe, with_settings
from w2v.cli.output import Cell, as_options, human_bytes, is_terminal, print_json, print_table, say
from w2v.cli.progress import ConsoleReporter
from w2v.comparison.contenders import DECIDED
from w2v.errors import RunError
from w2v.settings.groups import all_settings

if TYPE_CHECKING:
    from w2v.comparison.table import Compared

option = partial(Option, rich_help_panel="Comparison")
folder = option(
    "--output",
    "-o",
    metavar="DIR",
    help="folder for the runs and the table [default: MODEL-compare]",
)


@with_settings(each for name, each in all_settings().items() if name not in DECIDED)
def command(
    corpus: Annotated[list[str] | None, Argument(metavar="CORPUS", hidden=True)] = None,
    losses: Annotated[
        str | None, option(metavar="A,B,…", help="losses to compare [default: all in --config]")
    ] = None,
    questions: Annotated[
        str | None,
        option(
            metavar="FILE", help="analogies to compare word vectors by [default: those of the demo]"
        ),
    ] = None,
    output: Annotated[str | None, folder] = None,
    plot: Annotated[
        str | None,
        option(metavar="FILE", help="the plot, .png or .svg [default: compare.png in the folder]"),
    ] = None,
    overwrite: Annotated[bool, option("--overwrite", help="train all losses again")] = False,
    no_cache: NoCache = False,
    config: Recipe = None,
    quiet: Quiet = False,
    json: Json = False,
    **given: str | bool | None,
) -> int:
    from w2v.comparison.compare import Comparison
    from w2v.comparison.plot import check_plot, draw

    with ConsoleReporter(quiet=quiet) as reporter, stopping_softly(lambda: True) as stop:
        arguments = (corpus, losses, given, config, output, questions, overwrite)
        comparison = Comparison(*arguments, use_cache=not no_cache, reporter=reporter, stop=stop)
        picture = plot or str(comparison.folder / "compare.png")
        check_plot(picture)
        compared = comparison.run()
    print_json({"rows": compared.rows}) if json else _print(compared)
    try:
        draw(compared.results, picture)
        reporter.note(f"plot in {picture}")
    except RunError as problem:  # the table is complete without it
        reporter.note(f"no plot: {problem}")
    if stop.is_set():
        say("w2v compare: stopped; repeat the command to resume unfinished runs")
        return 128 + stop.signal_number
    return 1 if any(row.status == "failed" for row in compared.results) else 0


def _print(compared: Compared) -> None:
    table: list[tuple[Cell, ...]] = []
    for row in compared.results:
        status = row.status if row.problem is None else f"{row.status}: {as_options(row.problem)}"
        speed, speedup, memory = row.tokens_per_second, row.speedup, row.peak_memory_bytes
        figure: Cell = row.perplexity if compared.is_lm else row.accuracy
        share: Cell = row.coverage
        cells: tuple[Cell, ...] = (speed, speedup, memory)
        if is_terminal(sys.stdout):
            figure = figure if row.accuracy is None else f"{100 * row.accuracy:.1f} %"
            share = None if share is None else f"{100 * share:.1f} %"
            cells = (
                None if speed is None else round(speed),
                None if speedup is None else f"{speedup:.2f} x",
                None if memory is None else human_bytes(memory),
            )
        more: list[Cell] = [] if compared.is_lm else [share]
        if unlike := row.differing:
            more.append("\n".join(f"{name}={value}" for name, value in unlike.items()))
        table.append((row.name, figure, row.seconds_per_epoch, *cells, status, *more))
    names = ("valid. perplexity", "tokens/s") if compared.is_lm else ("analogies", "words/s")
    heading = ["loss", names[0], "s/epoch", names[1], "speed-up", "peak memory", "status"]
    heading += [] if compared.is_lm else ["covered"]
    heading += ["differing"] if any(row.differing for row in compared.results) else []
    print_table(heading, table)
