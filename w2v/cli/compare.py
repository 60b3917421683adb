"""Train the same model with several losses and compare them.

For each loss the table has the validation perplexity (of word vectors: the score on the first set
of --questions), seconds per epoch, tokens per second, speed-up over the full softmax if that is
among the losses, peak memory, and status; for word vectors also the share of questions whose words
are all known, the ends of the score's 95 % interval, and these four figures of each further set;
and any settings that differ. Piped output is tab-separated, with memory in bytes. Scores are shares
of right answers to analogies, or Spearman's correlations of similarities with people's scores;
intervals are of the questions, not of the runs, as those of w2v eval --ci.

Each loss is trained in a separate process, in its own run directory in the --output folder, next to
compare.tsv, compare.json and compare.png. If one fails, its row says so, the others continue, and
the exit code is 1. Repeating the command keeps finished runs and resumes stopped ones.

Give settings that differ between the losses in the --config file:
losses: {softmax: {}, nce: {negatives: 512}, hsigmoid: {lr: 0.15}}

\b
  w2v compare train.txt --model lm --valid valid.txt --losses softmax,adaptive-softmax,nce
  w2v compare train.txt --valid valid.txt --config configs/lm-compare.yaml --output lm-losses
  w2v compare corpus.txt --losses neg,nce,hsigmoid --questions questions.txt --questions pairs.txt
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
from w2v.comparison.table import ANALOGIES, sets_of
from w2v.errors import RunError
from w2v.settings.groups import all_settings

if TYPE_CHECKING:
    from w2v.comparison.table import Compared, Score

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
        list[str] | None,
        option(
            metavar="FILE",
            help="a set of analogies or scored pairs to compare word vectors by; may be repeated"
            " [default: those of the demo]",
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
        arguments = (corpus, losses, given, config, output, questions or (), overwrite)
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
    terminal = is_terminal(sys.stdout)
    sets = sets_of(compared.results) or ["score"]
    for row in compared.results:
        status = row.status if row.problem is None else f"{row.status}: {as_options(row.problem)}"
        speed, speedup, memory = row.tokens_per_second, row.speedup, row.peak_memory_bytes
        cells: tuple[Cell, ...] = (speed, speedup, memory)
        if terminal:
            cells = (
                None if speed is None else round(speed),
                None if speedup is None else f"{speedup:.2f} x",
                None if memory is None else human_bytes(memory),
            )
        scores = {score.set: score for score in row.scores}
        of_sets = [cell for name in sets for cell in _score(scores.get(name), terminal)]
        cells_of_scores: list[Cell] = [row.perplexity] if compared.is_lm else of_sets
        first, *more = cells_of_scores
        if unlike := row.differing:
            more.append("\n".join(f"{name}={value}" for name, value in unlike.items()))
        table.append((row.name, first, row.seconds_per_epoch, *cells, status, *more))
    named = [heading for name in sets for heading in (name, "covered")]
    measured, *others = ["valid. perplexity"] if compared.is_lm else named
    heading = ["loss", measured, "s/epoch", "tokens/s" if compared.is_lm else "words/s"]
    heading += ["speed-up", "peak memory", "status", *others]
    heading += ["differing"] if any(row.differing for row in compared.results) else []
    print_table(heading, table)


def _score(score: Score | None, terminal: bool) -> list[Cell]:
    """Returns the cells of a score: its value, the share of covered questions, and both ends of its
    interval, which in a terminal are beside the value."""
    if score is None:
        return [None] * (2 if terminal else 4)
    if not terminal:
        return [score.value, score.coverage, score.low, score.high]
    share = f"{100 * score.coverage:.1f} %"
    if score.value is None:
        return [None, share]
    percent = score.measure == ANALOGIES
    value, *ends = (
        f"{100 * each:.1f}" if percent else f"{each:.3f}"
        for each in (score.value, score.low, score.high)
        if each is not None
    )
    interval = f" ({' – '.join(ends)})" if ends else ""
    return [f"{value}{' %' if percent else ''}{interval}", share]
