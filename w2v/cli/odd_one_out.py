"""Print the word that fits the others least.

With - in place of words, sets of words are read from stdin, one per line, separated by blanks or
tabs. Piped output has the columns words, odd one out.

\b
  w2v odd-one-out vectors.bin breakfast cereal dinner lunch
"""

from __future__ import annotations

from typing import Annotated

import typer

from w2v.cli.answers import Question, answer_each
from w2v.cli.options import EncodingErrors, Json, Model


def command(
    model: Model,
    words: Annotated[list[str], typer.Argument(metavar="WORD", hidden=True)],
    encoding_errors: EncodingErrors = "strict",
    json: Json = False,
) -> int:
    question = Question("w2v odd-one-out", ("words", "odd"), "words", split_words)
    return answer_each(
        question,
        (model, encoding_errors),
        words,
        lambda vectors, asked: (" ".join(asked), vectors.odd_one_out(asked)),
        json=json,
    )


def split_words(line: str) -> list[str]:
    """Returns the words of a line: those between tabs, if there are tabs, else between blanks."""
    return [word for word in line.split("\t" if "\t" in line else " ") if word]
