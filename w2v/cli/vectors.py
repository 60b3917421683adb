"""Print the vectors of words: a line for each, the word and its values, separated by spaces.

With - in place of words, they are read from stdin, one per line; any without a vector is reported,
and the others are printed. The values are printed exactly; --json prints an object per word.

\b
  w2v vectors vectors.bin paris rome
  w2v vectors vectors.bin - < words.txt > few.txt
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from w2v.cli.answers import Answer, Questions, answer_each, one_by_one
from w2v.cli.options import EncodingErrors, Json, Model

if TYPE_CHECKING:
    from w2v.vectors import WordVectors


def command(
    model: Model,
    words: Annotated[list[str], typer.Argument(metavar="WORD", hidden=True)],
    encoding_errors: EncodingErrors = "strict",
    json: Json = False,
) -> int:
    questions = Questions("w2v vectors", "words", (), {"vector": None}, one_by_one(_answer))
    return answer_each(questions, (model, encoding_errors), words, [*words], json=json)


def _answer(vectors: WordVectors, word: str) -> Answer:
    values = [float(str(value)) for value in vectors[word]]  # the shortest exact representation
    return [(word, *values)], {"word": word, "vector": values}
