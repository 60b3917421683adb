"""Count the words of a corpus, most frequent first.

Piped output, and the file that -o writes, have the columns word and count.

\b
  w2v vocab corpus.txt | head
  w2v vocab corpus.txt.gz --min-count 10 -o vocab.tsv
"""

from __future__ import annotations

import sys
from itertools import islice
from typing import Annotated, Any

import typer

from w2v.cli.options import Json, NoCache, Output, Overwrite, Quiet, with_settings
from w2v.cli.output import is_terminal, print_json, print_line, print_table, say
from w2v.cli.progress import ConsoleReporter
from w2v.settings.build import build_config
from w2v.settings.declare import settings_of
from w2v.settings.groups import CorpusSettings

SHOWN = 20  # words in a terminal


@with_settings(each for name, each in settings_of(CorpusSettings).items() if name != "max_sentence")
def command(
    corpus: Annotated[list[str], typer.Argument(metavar="CORPUS", hidden=True)],
    output: Output = None,
    overwrite: Overwrite = False,
    no_cache: NoCache = False,
    quiet: Quiet = False,
    json: Json = False,
    **given: str | bool | None,
) -> None:
    settings = build_config({"corpus": tuple(corpus), **given}).corpus
    if output not in (None, "-"):
        from w2v.system.files import check_writable

        check_writable(output, overwrite=overwrite)
    from w2v.corpus import read_corpus
    from w2v.corpus.selection import lost_text, select_vocabulary

    with ConsoleReporter(quiet=quiet) as reporter:
        reading = reporter.reading
        store = read_corpus(corpus, settings, use_cache=not no_cache, progress=reading)
        for warning in (*store.warnings, *lost_text(store.vocabulary, settings)):
            reporter.warn(warning)
    vocabulary = select_vocabulary(store.vocabulary, settings)
    words, distinct, kept = store.n_words, len(store.vocabulary), int(vocabulary.counts.sum())
    facts: dict[str, Any] = {"words": words, "lines": store.n_lines, "distinct": distinct}
    facts |= {"vocabulary": len(vocabulary), "in_vocabulary": kept, "coverage": kept / words}
    if not quiet:
        say(
            f"{words:,} words, {distinct:,} distinct; {len(vocabulary):,} of these occur at least"
            f" {settings.min_count} times and are {100 * kept / words:.1f} % of the text"
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
