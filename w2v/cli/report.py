"""Report what training runs did and came to, as a page.

FILE shows one run or several beside each other: settings, loss and learning rate over training,
validation, speed, vocabulary, and scores of word vectors with 95 % intervals. It loads nothing and
prints well. The sets that come with w2v are asked, or those that --questions names.

\b
  w2v report wiki-skip-gram-neg -o report.html
  w2v report runs/neg runs/nce -o report.html --questions questions-words.txt
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from w2v.cli.options import Json, Overwrite
from w2v.cli.output import is_terminal, print_json, print_line
from w2v.errors import InputError


def command(
    runs: Annotated[list[str], typer.Argument(metavar="RUN", help="run directories")],
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", help="the page; - is stdout")
    ],
    questions: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE", help="ask this set of analogies or word pairs; several may be given"
        ),
    ] = None,
    title: Annotated[str | None, typer.Option(metavar="TEXT", help="the page's heading")] = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    from w2v.api import report
    from w2v.explorer.report import check_report, write_report
    from w2v.system.files import check_writable

    check_report(output, runs)
    if output != "-":
        check_writable(output, overwrite=overwrite)
        report(runs, output, questions=questions or (), title=title)
        print_json({"output": output, "runs": runs}) if json else print_line(output)
        return
    if sys.stdout is None or is_terminal(sys.stdout):
        raise InputError("-o - is for a pipe: name a file with -o, or pipe the page on")
    sys.stdout.buffer.write(write_report(runs, questions or (), title))
