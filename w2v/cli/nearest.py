"""Show the words nearest to a word, or to a sum such as king - man + woman.

Several words are several queries; a quoted text is one. The only word - reads queries from stdin,
one per line; a bad one is reported there and the stream goes on. Piped output has the columns
query, word, cosine similarity.

\b
  w2v nearest vectors.bin paris berlin
  w2v nearest vectors.bin king - man + woman
  w2v nearest vectors.bin - --json < queries.txt
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, cast

import typer

from w2v.cli.lines import batches_of_lines
from w2v.cli.model import open_model
from w2v.cli.options import EncodingErrors, Json, Model
from w2v.cli.output import print_json, print_table, say
from w2v.errors import InputError

if TYPE_CHECKING:
    from w2v.vectors import WordVectors

NAME = "nearest"
SIGNS = ("+", "-")


def command(
    model: Model,
    words: Annotated[list[str], typer.Argument(metavar="WORD", hidden=True)],
    k: Annotated[int, typer.Option("--k", "-k", min=1, metavar="INT", help="how many words")] = 10,
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
    for batch in _queries_of_stdin() if streaming else [split_queries(words)]:
        good, bad = _answer(vectors, batch, k, json, streaming)
        answered, failed = answered + good, failed + bad
        if sys.stdout is not None:
            sys.stdout.flush()
    return 2 if failed and not (streaming and answered) else 0


def split_queries(words: Sequence[str]) -> list[str]:
    """The queries in the command line's words: a sign joins the words beside it, all others stand
    alone."""
    queries: list[list[str]] = []
    for word in words:
        after_sign = bool(queries) and len(queries[-1]) > 1 and queries[-1][-1] in SIGNS
        if after_sign or (queries and word in SIGNS):
            queries[-1].append(word)
        else:
            queries.append([word])
    return [" ".join(query) for query in queries]


def _answer(
    vectors: WordVectors, texts: Sequence[str], k: int, json: bool, streaming: bool
) -> tuple[int, int]:
    """Answers the queries in their order; returns how many could be answered and how many not."""
    answers = vectors.answers(texts, k)
    for text, answer in zip(texts, answers, strict=True):
        if isinstance(answer, InputError):
            say(f"w2v nearest: {answer}")
            if json and streaming:  # every query of a stream has its line
                print_json({"query": text, "neighbours": [], "error": str(answer)})
        elif json:
            print_json({"query": text, "neighbours": [each._asdict() for each in answer]})
        else:
            print_table(("query", "word", "similarity"), [(text, *each) for each in answer])
    failed = sum(isinstance(answer, InputError) for answer in answers)
    return len(texts) - failed, failed


def _queries_of_stdin() -> Iterator[list[str]]:
    """Fast for a file, at once for somebody who types."""
    for lines in batches_of_lines(cast(io.BufferedReader, sys.stdin.buffer)):
        texts = (line.decode("utf-8", "replace").strip() for line in lines)
        yield [text for text in texts if text]
