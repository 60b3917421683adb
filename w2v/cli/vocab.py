"""Count the words of a corpus, most frequent first.

Piped output has the columns word, count; that is also what -o writes.

\b
  w2v vocab corpus.txt | head
  w2v vocab corpus.txt.gz --min-count 10 -o vocab.tsv
"""

from __future__ import annotations

import sys
from itertools import islice
from typing import Annotated

import typer

from w2v.cli.options import Json, Output, Overwrite, Quiet, with_settings
from w2v.cli.output import is_terminal, print_json, print_line, print_table, say
from w2v.cli.progress import ConsoleReporter
from w2v.settings.build import build_config
from w2v.settings.declare import settings_of
from w2v.settings.groups import CorpusSettings

NAME = "vocab"
SHOWN = 20  # words in a terminal


@with_settings(each for name, each in settings_of(CorpusSettings).items() if name != "max_sentence")
def command(
    corpus: Annotated[list[str], typer.Argument(metavar="CORPUS", hidden=True)],
    output: Output = None,
    overwrite: Overwrite = False,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="neither use nor keep the tokenised corpus")
    ] = False,
    quiet: Quiet = False,
    json: Json = False,
    **given: str | bool | None,
) -> None:
    settings = build_config({"corpus": tuple(corpus), **given}).corpus
    if output not in (None, "-"):
        from w2v.system.files import check_writable

        check_writable(output, overwrite=overwrite)
    from w2v.corpus import read_corpus
    from w2v.corpus.selection import select_vocabulary

    with ConsoleReporter(quiet=quiet) as reporter:
        store = read_corpus(
            settings.corpus, settings, use_cache=not no_cache, progress=reporter.reading
        )
        for warning in store.warnings:
            reporter.warn(warning)
    vocabulary = select_vocabulary(store.vocabulary, settings)
    kept = int(vocabulary.counts.sum())
    facts = {
        "words": store.n_words,
        "lines": store.n_lines,
        "distinct": len(store.vocabulary),
        "vocabulary": len(vocabulary),
        "in_vocabulary": kept,
        "coverage": kept / store.n_words,
    }
    if not quiet:
        say(
            f"{facts['words']:,} words, {facts['distinct']:,} distinct; {facts['vocabulary']:,} of"
            f" these occur at least {settings.min_count} times and are"
            f" {100 * facts['coverage']:.1f} % of the text"
        )
    if output not in (None, "-"):
        vocabulary.save(output)
        if json:
            print_json({"output": output, **facts})
        else:
            print_line(output)
        return
    rows = zip(vocabulary.words, vocabulary.counts.tolist(), strict=True)
    if json:
        for word, count in rows:
            print_json({"word": word, "count": count})
    elif is_terminal(sys.stdout):
        print_table(("word", "count"), islice(rows, SHOWN))
        if len(vocabulary) > SHOWN:
            more = len(vocabulary) - SHOWN
            say(f"... and {more:,} more: pipe the output, or write it with -o FILE")
    else:
        print_table((), rows)
