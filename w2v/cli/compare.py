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
from functools import partial
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from w2v.cli.interrupt import stopping_softly
from w2v.cli.options import Json, Overwrite, Quiet, with_settings
from w2v.cli.output import Cell, human_bytes, is_terminal, print_json, print_table, say
from w2v.cli.progress import ConsoleReporter
from w2v.cli.wording import as_options
from w2v.comparison.contenders import DECIDED
from w2v.errors import RunError
from w2v.settings.groups import all_settings

if TYPE_CHECKING:
    from w2v.comparison.table import Compared

file = partial(Option, metavar="FILE")
folder = Option(
    "--output", "-o", metavar="DIR", help="folder of the runs and tables [default: MODEL-compare]"
)


@with_settings(each for name, each in all_settings().items() if name not in DECIDED)
def command(
    corpus: Annotated[list[str] | None, Argument(metavar="CORPUS", hidden=True)] = None,
    losses: Annotated[
        str | None,
        Option(metavar="A,B,…", help="what to compare; all that --config lists if absent"),
    ] = None,
    config: Annotated[str | None, file(help="settings from a YAML file")] = None,
    questions: Annotated[str | None, file(help="word vectors: the set of analogies")] = None,
    output: Annotated[str | None, folder] = None,
    plot: Annotated[
        str | None, file(help=".png or .svg [default: compare.png in the folder]")
    ] = None,
    overwrite: Overwrite = False,
    no_cache: Annotated[
        bool, Option("--no-cache", help="neither use nor keep the tokenised corpus")
    ] = False,
    quiet: Quiet = False,
    json: Json = False,
    **given: str | bool | None,
) -> int:
    from w2v.comparison.compare import Comparison
    from w2v.comparison.plot import check_plot, draw

    with ConsoleReporter(quiet=quiet) as reporter, stopping_softly(lambda: True) as stop:
        asked = (corpus, losses, given, config, output, questions, overwrite)
        comparison = Comparison(*asked, use_cache=not no_cache, reporter=reporter, stop=stop)
        picture = plot or str(comparison.folder / "compare.png")
        check_plot(picture)
        compared = comparison.run()
    print_json({"rows": compared.rows}) if json else _print(compared)
    try:
        draw(compared.results, picture)
        reporter.note(f"plot in {picture}")
    except RunError as problem:  # the table stands without it
        reporter.note(f"no plot: {problem}")
    if stop.is_set():
        say("w2v compare: stopped; the same command goes on with what is not finished")
        return 128 + stop.signal_number
    return 1 if any(row.status == "failed" for row in compared.results) else 0


def _print(compared: Compared) -> None:
    table: list[tuple[Cell, ...]] = []
    for row in compared.results:
        status = row.status if row.problem is None else f"{row.status}: {as_options(row.problem)}"
        speed, speedup, memory = row.tokens_per_second, row.speedup, row.peak_memory_bytes
        figure: Cell = row.perplexity if compared.is_lm else row.accuracy
        cells: tuple[Cell, ...] = (speed, speedup, memory)
        if is_terminal(sys.stdout):
            figure = figure if row.accuracy is None else f"{100 * row.accuracy:.1f} %"
            cells = (
                None if speed is None else round(speed),
                None if speedup is None else f"{speedup:.2f} x",
                None if memory is None else human_bytes(memory),
            )
        table.append((row.name, figure, row.seconds_per_epoch, *cells, status))
    names = ("valid. perplexity", "tokens/s") if compared.is_lm else ("analogies", "words/s")
    print_table(("loss", names[0], "s/epoch", names[1], "speed-up", "peak memory", "status"), table)
