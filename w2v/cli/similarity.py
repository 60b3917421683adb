"""Print the cosine of pairs of words, from -1 to 1.

A and B may be expressions such as "king - man + woman". With - in place of words, pairs are read
from stdin, one per line, separated by a tab or, two words, by a blank; one that cannot be answered
is reported, and the others go on. Piped output has the columns A, B, cosine similarity.

\b
  w2v similarity vectors.bin paris rome
  w2v similarity vectors.bin - < pairs.tsv
"""

from __future__ import annotations

from typing import Annotated

import typer

from w2v.cli.answers import Question, answer_each
from w2v.cli.options import EncodingErrors, Json, Model
from w2v.errors import InputError


def command(
    model: Model,
    words: Annotated[list[str], typer.Argument(metavar="A B", hidden=True)],
    encoding_errors: EncodingErrors = "strict",
    json: Json = False,
) -> int:
    question = Question("w2v similarity", ("a", "b", "similarity"), "two words", _pair)
    return answer_each(
        question,
        (model, encoding_errors),
        words,
        lambda vectors, pair: (*pair, vectors.similarity(*pair)),
        json=json,
    )


def _pair(line: str) -> list[str]:
    parts = line.split("\t") if "\t" in line else line.split(" ")
    if len(parts) != 2:
        raise InputError(f"{line!r} is no pair; separate two words by a tab")
    return parts
