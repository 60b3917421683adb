"""Report on training runs, as a web page.

FILE shows one run, or several side by side: settings, loss and learning rate during training,
validation, speed, vocabulary, and scores of word vectors with 95 % intervals. The page is
self-contained and can be printed. The scores are those on the sets included in w2v, or on those
that --questions names.

\b
  w2v report wiki-skip-gram-neg -o report.html
  w2v report runs/neg runs/nce -o report.html --questions questions-words.txt
"""

from __future__ import annotations

from typing import Annotated

import typer

from w2v.cli.options import Json, Overwrite
from w2v.cli.output import binary_pipe, file_to_write, print_written


def command(
    runs: Annotated[list[str], typer.Argument(metavar="RUN", help="run directories")],
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", help="the page; - is stdout")
    ],
    questions: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE", help="a set of analogies or word pairs to evaluate; may be repeated"
        ),
    ] = None,
    title: Annotated[str | None, typer.Option(metavar="TEXT", help="the page's heading")] = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    from w2v.api import report
    from w2v.explorer.report import check_report, write_report

    check_report(output, runs)
    if (file := file_to_write(output, overwrite=overwrite)) is None:
        binary_pipe().write(write_report(runs, questions or (), title))
    else:
        report(runs, file, questions=questions or (), title=title)
        print_written(file, json, runs=runs)
