"""Count the words of a corpus, most frequent first.

Piped output and the file that -o writes have the columns word and count.

\b
  w2v vocab corpus.txt | head
  w2v vocab corpus.txt.gz --min-count 10 -o vocab.tsv
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from w2v.cli.options import Json, NoCache, Output, Overwrite, Quiet, with_settings
from w2v.cli.output import file_to_write, print_first, print_json, print_written, say
from w2v.cli.progress import ConsoleReporter
from w2v.settings.build import build_config
from w2v.settings.declare import settings_of
from w2v.settings.groups import CorpusSettings

LEFT_OUT = ("max_sentence", "vocab")  # settings without effect on counting


@with_settings(each for name, each in settings_of(CorpusSettings).items() if name not in LEFT_OUT)
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
    file = file_to_write(output, overwrite=overwrite)
    from w2v.corpus.selection import lost_text, select_vocabulary  # imports pyarrow

    with ConsoleReporter(quiet=quiet) as reporter:
        store = reporter.read(corpus, settings, use_cache=not no_cache)
        for warning in lost_text(store.vocabulary, settings):
            reporter.warn(warning)
    vocabulary = select_vocabulary(store.vocabulary, settings)
    words, distinct, kept = store.n_words, len(store.vocabulary), int(vocabulary.counts.sum())
    facts: dict[str, Any] = {"words": words, "lines": store.n_lines, "distinct": distinct}
    facts |= {"vocabulary": len(vocabulary), "in_vocabulary": kept, "coverage": kept / words}
    if not quiet:
        say(
            f"{words:,} words, {distinct:,} distinct; the {len(vocabulary):,} of these that are"
            f" kept make up {100 * kept / words:.1f} % of the text"
        )
    rows = zip(vocabulary.words, vocabulary.counts.tolist(), strict=True)
    if file is not None:
        vocabulary.save(file)
        print_written(file, json, **facts)
    elif json:
        for word, count in rows:
            print_json({"word": word, "count": count})
    else:
        print_first(("word", "count"), rows, len(vocabulary))
