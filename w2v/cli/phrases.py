"""Find phrases, words that occur together more often than by chance: new_york.

Piped output and the file that -o writes have the columns phrase, its parts (separated by spaces),
count, score and pass, sorted by score within each pass. w2v train --phrases reads such a file.

\b
  w2v phrases corpus.txt -o phrases.tsv
  w2v phrases corpus.txt --passes 2 --connectors en -o phrases.tsv
  w2v train corpus.txt --phrases phrases.tsv
"""

from __future__ import annotations

from typing import Annotated

import typer

from w2v.cli.options import Json, NoCache, Output, Overwrite, Quiet, with_settings
from w2v.cli.output import file_to_write, print_first, print_json, print_written, say
from w2v.cli.progress import ConsoleReporter
from w2v.settings.build import build_config, build_group
from w2v.settings.declare import settings_of
from w2v.settings.groups import CorpusSettings
from w2v.settings.phrases import PhraseSettings

COLUMNS = ("phrase", "parts", "count", "score", "pass")
LEFT_OUT = ("max_sentence", "max_vocab", "vocab")  # settings for training only


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
    options = {name: given.pop(name) for name in settings_of(PhraseSettings)}
    phrase_settings = build_group(PhraseSettings, options)
    settings = build_config({"corpus": tuple(corpus), **given}).corpus
    file = file_to_write(output, overwrite=overwrite)
    from w2v.corpus.phrases import find_phrases, threshold_of  # imports pyarrow

    threshold_of(phrase_settings)
    with ConsoleReporter(quiet=quiet) as reporter:
        store = reporter.read(corpus, settings, use_cache=not no_cache)
        reporter.stage(f"counting the pairs of {store.n_words:,} words")
        phrases = find_phrases(store, settings.min_count, phrase_settings)
    if not quiet:
        say(f"{len(phrases):,} phrases")
    if file is not None:
        phrases.save(file)
        print_written(file, json, phrases=len(phrases))
    elif json:
        for phrase in phrases:
            print_json(dict(zip(COLUMNS, phrase, strict=True)))
    else:
        print_first(COLUMNS, phrases.rows(), len(phrases))
