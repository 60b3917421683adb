"""Find phrases, words that stand together more often than by chance: new_york.

Piped output, and the file that -o writes, have the columns phrase, its parts (separated by blanks),
count, score and pass, the best of each pass first. Such a file is what w2v train --phrases takes.

\b
  w2v phrases corpus.txt -o phrases.tsv
  w2v phrases corpus.txt --passes 2 --connectors en -o phrases.tsv
  w2v train corpus.txt --phrases phrases.tsv
"""

from __future__ import annotations

import sys
from itertools import islice
from typing import Annotated

import typer

from w2v.cli.options import Json, NoCache, Output, Overwrite, Quiet, with_settings
from w2v.cli.output import is_terminal, print_json, print_line, print_table, say
from w2v.cli.progress import ConsoleReporter
from w2v.settings.build import build_config, build_group
from w2v.settings.declare import settings_of
from w2v.settings.groups import CorpusSettings, PhraseSettings

SHOWN = 20  # phrases in a terminal
LEFT_OUT = ("max_sentence", "max_vocab", "vocab")  # nothing is trained


@with_settings(
    each
    for name, each in {**settings_of(CorpusSettings), **settings_of(PhraseSettings)}.items()
    if name not in LEFT_OUT
)
def command(
    corpus: Annotated[list[str], typer.Argument(metavar="CORPUS", hidden=True)],
    output: Output = None,
    overwrite: Overwrite = False,
    no_cache: NoCache = False,
    quiet: Quiet = False,
    json: Json = False,
    **given: str | bool | None,
) -> None:
    how = {name: given.pop(name) for name in settings_of(PhraseSettings)}
    wanted = build_group(PhraseSettings, how)
    settings = build_config({"corpus": tuple(corpus), **given}).corpus
    if output not in (None, "-"):
        from w2v.system.files import check_writable

        check_writable(output, overwrite=overwrite)
    from w2v.corpus import read_corpus
    from w2v.corpus.phrases import find_phrases, threshold_of

    threshold_of(wanted)
    with ConsoleReporter(quiet=quiet) as reporter:
        reading = reporter.reading
        store = read_corpus(corpus, settings, use_cache=not no_cache, progress=reading)
        for warning in store.warnings:
            reporter.warn(warning)
        reporter.stage(f"counting the pairs of {store.n_words:,} words")
        phrases = find_phrases(store, settings.min_count, wanted)
    if not quiet:
        say(f"{len(phrases):,} phrases")
    if output not in (None, "-"):
        phrases.save(output)
        print_json({"output": output, "phrases": len(phrases)}) if json else print_line(output)
    elif json:
        for each in phrases:
            print_json({**each._asdict(), "parts": list(each.parts)})
    elif is_terminal(sys.stdout):
        print_table(("phrase", "parts", "count", "score", "pass"), islice(phrases.rows(), SHOWN))
        if len(phrases) > SHOWN:
            more = len(phrases) - SHOWN
            say(f"... and {more:,} more: pipe the output, or write it with -o FILE")
    else:
        for row in phrases.rows():
            print_line("\t".join(map(str, row)))
