"""Print the cosine of two words, from -1 to 1.

A and B may be expressions such as "king - man + woman". With - in place of them, pairs are read
from stdin, one per line, separated by a tab or a space; any that cannot be answered is reported,
and the others are answered. Piped output has the columns a, b, cosine similarity.

\b
  w2v similarity vectors.bin paris rome
  w2v similarity vectors.bin - < pairs.tsv
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from w2v.cli.answers import Answer, Questions, answer_each, one_by_one, parts
from w2v.cli.options import EncodingErrors, Json, Model

if TYPE_CHECKING:
    from w2v.vectors import WordVectors

FIELDS = ("a", "b", "similarity")


def command(
    model: Model,
    words: Annotated[list[str], typer.Argument(metavar="A B", hidden=True)],
    encoding_errors: EncodingErrors = "strict",
    json: Json = False,
) -> int:
    remedy = "give two words, separated by a tab" if words == ["-"] else "give two words"
    answer = one_by_one(partial(_answer, remedy))
    questions = Questions("w2v similarity", "pairs of words", FIELDS, {"similarity": None}, answer)
    text = "\t".join(words)
    return answer_each(questions, (model, encoding_errors), words, [text], json=json)


def _answer(remedy: str, vectors: WordVectors, text: str) -> Answer:
    from w2v.errors import shown
    from w2v.vectors.queries import QueryError

    pair = parts(text)
    if len(pair) != 2:
        raise QueryError(f"{shown(' '.join(pair))} is not a pair; {remedy}")
    cells = (pair[0], pair[1], vectors.similarity(*pair))
    return [cells], dict(zip(FIELDS, cells, strict=True))
