"""Find the words nearest to a word, or to a sum of words.

Several words are several queries, but words joined by + or - are one, and so is a quoted text: a
word of the file, blanks and all, or else such a sum. A word that begins with - goes last, behind
--. With - in place of words, queries are read from stdin, one per line; one that cannot be answered
is reported, and the others go on. Piped output has the columns query, word, cosine similarity.

\b
  w2v nearest vectors.bin paris berlin
  w2v nearest vectors.bin king - man + woman
  w2v nearest vectors.bin -k 3 -- -lrb-
  w2v nearest vectors.bin - --json < queries.txt
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Sequence
from typing import Annotated, cast

import typer

from w2v.cli.lines import batches_of_lines
from w2v.cli.model import VECTOR_FILES, open_model
from w2v.cli.options import EncodingErrors, Json, Model
from w2v.cli.output import print_json, print_table, say
from w2v.errors import InputError
from w2v.system.fields import BYTE_ORDER_MARK
from w2v.system.limits import MAX_WORD_BYTES

SIGNS = ("+", "-")


def command(
    model: Model,
    words: Annotated[list[str], typer.Argument(metavar="WORD", hidden=True)],
    k: Annotated[
        int, typer.Option("--k", "-k", min=1, metavar="INT", help="how many neighbours")
    ] = 10,
    encoding_errors: EncodingErrors = "strict",
    json: Json = False,
) -> int:
    streaming = list(words) == ["-"]
    if streaming and sys.stdin is None:
        raise InputError(
            "WORD - reads queries from stdin, which is closed; name words, or pipe them in"
        )
    if streaming and model == "-":
        raise InputError("MODEL and WORD cannot both be -: there is only one stdin")
    vectors = open_model(model, encoding_errors=encoding_errors)
    answered = failed = 0
    for texts in _queries_of_stdin() if streaming else [split_queries(words)]:
        for text, answer in zip(texts, vectors.answers(texts, k), strict=True):
            if isinstance(answer, InputError):
                failed += 1
                say(f"w2v nearest: {answer}")
                if json and streaming:  # every query of a stream has its line
                    print_json({"query": text, "neighbours": [], "error": str(answer)})
                continue
            answered += 1
            if json:
                print_json({"query": text, "neighbours": [each._asdict() for each in answer]})
            else:
                print_table(("query", "word", "similarity"), [(text, *each) for each in answer])
        if sys.stdout is not None:
            sys.stdout.flush()
    return 2 if failed and not (streaming and answered) else 0


def split_queries(words: Sequence[str]) -> list[str]:
    """Returns the queries in the command line's words: a sign joins the words beside it, all others
    stand alone."""
    queries: list[list[str]] = []
    for word in words:
        after_sign = bool(queries) and len(queries[-1]) > 1 and queries[-1][-1] in SIGNS
        if after_sign or (queries and word in SIGNS):
            queries[-1].append(word)
        else:
            queries.append([word])
    return [" ".join(query) for query in queries]


def _queries_of_stdin() -> Iterator[list[str]]:
    """Yields many queries at a time from a file, each at once when somebody types."""
    first = True
    for lines in batches_of_lines(cast(io.BufferedReader, sys.stdin.buffer), MAX_WORD_BYTES):
        if first:
            lines[0], first = lines[0].removeprefix(BYTE_ORDER_MARK), False
        # Other blanks, such as U+00A0, may be part of a word.
        texts = (line.decode("utf-8", "replace").strip(" \t\r") for line in lines)
        yield [text for text in texts if text]


__doc__ = f"{__doc__}\n{VECTOR_FILES}"  # what --help shows
