"""Find the words nearest to a word, or to a sum of words.

Several words are several queries, but words joined by + or - are one query, and so is a quoted
text: a word that contains spaces, or such a sum. Put words that begin with - last, after --. With -
in place of words, queries are read from stdin, one per line; any that cannot be answered is
reported, and the others are answered. Piped output has the columns query, word, cosine similarity.

\b
  w2v nearest vectors.bin paris berlin
  w2v nearest vectors.bin king - man + woman
  w2v nearest vectors.bin -k 3 -- -lrb-
  w2v nearest vectors.bin - --json < queries.txt
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from w2v.cli.answers import Answer, Questions, answer_each
from w2v.cli.options import EncodingErrors, Json, Model, choice, real, whole
from w2v.cli.output import Cell
from w2v.errors import InputError

if TYPE_CHECKING:
    from w2v.vectors import WordVectors

SIGNS = ("+", "-")


def command(
    model: Model,
    words: Annotated[list[str], typer.Argument(metavar="WORD", hidden=True)],
    k: Annotated[int, whole("--k", "-k", min=1, help="number of neighbours")] = 10,
    method: Annotated[
        str, choice(("add", "mul"), "rank by the cosine to the sum, or by 3CosMul")
    ] = "add",
    restrict_vocab: Annotated[
        int, whole(min=0, help="consider only this many of the most frequent words; 0 for all")
    ] = 0,
    min_similarity: Annotated[
        float | None, real(help="leave out words that are less similar")
    ] = None,
    encoding_errors: EncodingErrors = "strict",
    json: Json = False,
) -> int:
    def answers(vectors: WordVectors, texts: list[str]) -> Iterator[Answer | InputError]:
        answered = vectors.answers(
            texts, k, method=method, restrict_vocab=restrict_vocab, min_similarity=min_similarity
        )
        for text, answer in zip(texts, answered, strict=True):
            if isinstance(answer, InputError):
                yield answer
            else:
                rows: list[tuple[Cell, ...]] = [(text, *n) for n in answer]
                yield rows, {"query": text, "neighbours": [n._asdict() for n in answer]}

    headings = ("query", "word", "similarity")
    questions = Questions("w2v nearest", "queries", headings, {"neighbours": []}, answers)
    texts = split_queries(words)
    return answer_each(questions, (model, encoding_errors), words, texts, json=json)


def split_queries(words: Sequence[str]) -> list[str]:
    """Groups the words of the command line into queries: a sign joins the words on both sides of
    it; all others are separate queries."""
    queries: list[list[str]] = []
    for word in words:
        after_sign = bool(queries) and len(queries[-1]) > 1 and queries[-1][-1] in SIGNS
        if after_sign or (queries and word in SIGNS):
            queries[-1].append(word)
        else:
            queries.append([word])
    return [" ".join(query) for query in queries]
