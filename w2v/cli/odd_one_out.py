"""Print the word that fits the others least: the one with the lowest cosine to the mean of all.

With - in place of words, sets of words are read from stdin, one per line, separated by tabs or
spaces; any that cannot be answered is reported, and the others are answered. Piped output has the
columns words, odd one out.

\b
  w2v odd-one-out vectors.bin breakfast cereal dinner lunch
  w2v odd-one-out vectors.bin - < sets.txt
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from w2v.cli.answers import Answer, Questions, answer_each, one_by_one, parts
from w2v.cli.options import EncodingErrors, Json, Model

if TYPE_CHECKING:
    from w2v.vectors import WordVectors


def command(
    model: Model,
    words: Annotated[list[str], typer.Argument(metavar="WORD", hidden=True)],
    encoding_errors: EncodingErrors = "strict",
    json: Json = False,
) -> int:
    questions = Questions(
        "w2v odd-one-out", "sets of words", ("words", "odd"), {"odd": None}, one_by_one(_answer)
    )
    text = "\t".join(words)
    return answer_each(questions, (model, encoding_errors), words, [text], json=json)


def _answer(vectors: WordVectors, text: str) -> Answer:
    words = parts(text)
    odd = vectors.odd_one_out(words)
    return [(" ".join(words), odd)], {"words": words, "odd": odd}
