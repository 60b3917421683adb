"""The words nearest to a word or to an expression such as `king - man + woman`.

The unit vectors of the words are added with their signs, the sum is brought to length 1, and the
words are ranked by their cosine to it; the words of the query never answer (gensim's
`most_similar`).

    nearest(vectors, [resolve(vectors, "paris"), resolve(vectors, "king - man + woman")], k=5)
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from w2v.errors import InputError
from w2v.vectors.word_vectors import WordVectors

# Near spellings are looked for among the most frequent words only; a rarer one would hardly be
# meant.
SUGGESTION_WORDS = 100_000
SUGGESTIONS = 3


class QueryError(InputError):
    """One query cannot be answered; the next one may."""


class UnknownWordError(QueryError):
    """A word of the query is not in the vocabulary.

    Attributes:
        word: that word.
        suggestions: words of the vocabulary that are spelt nearly so, nearest first.
    """

    def __init__(self, word: str, suggestions: Sequence[str], source: str) -> None:
        hint = (
            f"did you mean {' or '.join(suggestions)}?"
            if suggestions
            else "check its spelling and its case"
        )
        super().__init__(f"{word!r} is not in the vocabulary of {source}; {hint}")
        self.word = word
        self.suggestions = tuple(suggestions)


@dataclass(frozen=True)
class Neighbour:
    """A word and its cosine to the query."""

    word: str
    similarity: float


@dataclass(frozen=True)
class Query:
    """What is looked for: the text as given, the rows of its words, and their signs (+1 or -1)."""

    text: str
    rows: tuple[int, ...]
    signs: tuple[int, ...]


def parse_expression(text: str) -> list[tuple[int, str]]:
    """(sign, word) of each word in `word` or `word + word - word …`.

    Signs stand alone between words: "x-ray" is one word, and so is "-" by itself.

    Raises:
        QueryError: words without a sign between them, or a sign without a word after it.
    """
    tokens = [token for token in text.replace("\t", " ").strip("\r\n").split(" ") if token]
    if not tokens:
        raise QueryError(
            "the query is empty; give a word, or an expression such as 'king - man + woman'"
        )
    operands, signs = tokens[0::2], tokens[1::2]
    wrong = next((i for i, sign in enumerate(signs) if sign not in ("+", "-")), None)
    if wrong is not None:
        pair = f"{operands[wrong]!r} and {signs[wrong]!r}"
        raise QueryError(f"{text.strip()!r} has no + or - between {pair}; put one there")
    if len(signs) == len(operands):
        raise QueryError(f"{text.strip()!r} ends with {signs[-1]!r}; put a word after it")
    signed = [
        (1 if sign == "+" else -1, word) for sign, word in zip(signs, operands[1:], strict=True)
    ]
    return [(1, operands[0]), *signed]


def resolve(vectors: WordVectors, text: str) -> Query:
    """The query that `text` stands for.

    Raises:
        UnknownWordError: a word is not in the vocabulary.
        QueryError: the expression is malformed, or has no direction.
    """
    terms = parse_expression(text)
    rows = []
    for _, word in terms:
        row = vectors.index(word)
        if row is None:
            raise UnknownWordError(word, near_spellings(vectors, word), vectors.source)
        rows.append(row)
    query = Query(text.strip(), tuple(rows), tuple(sign for sign, _ in terms))
    # A sum of unit vectors that cancel keeps rounding errors of about 1e-7.
    if np.linalg.norm(_sum(vectors, query)) < 1e-5:
        raise QueryError(
            f"{query.text!r} adds up to a vector of zeros, which has no neighbours; use other words"
        )
    return query


def nearest(vectors: WordVectors, queries: Sequence[Query], k: int = 10) -> list[list[Neighbour]]:
    """For each query the k nearest words, best first; fewer when the vocabulary is smaller."""
    if not queries:
        return []
    sums = np.stack([_sum(vectors, query) for query in queries])
    sums /= np.linalg.norm(sums, axis=1, keepdims=True)
    rows, cosines = vectors.neighbours(sums, k, [query.rows for query in queries])
    return [
        [
            Neighbour(vectors.words[row], cosine)
            for row, cosine in zip(best.tolist(), values.tolist(), strict=True)
        ]
        for best, values in zip(rows, cosines, strict=True)
    ]


def _sum(vectors: WordVectors, query: Query) -> np.ndarray:
    signs = np.array(query.signs, np.float32)[:, None]
    total: np.ndarray = (signs * vectors.unit(list(query.rows))).sum(axis=0)
    return total


def near_spellings(vectors: WordVectors, word: str, n: int = SUGGESTIONS) -> list[str]:
    """Up to n words of the vocabulary spelt nearly like `word`: other capitals first, then by
    difflib's ratio."""
    folded = word.casefold()
    if not folded:
        return []
    first, last = folded[0], folded[-2:]
    near: dict[str, list[str]] = {}
    for candidate in vectors.words[:SUGGESTION_WORDS]:
        if abs(len(candidate) - len(word)) <= 2:
            key = candidate.casefold()
            # One typing error leaves the beginning or the end as it was; comparing every word would
            # take seconds.
            if key and (key[0] == first or key[-2:] == last):
                near.setdefault(key, []).append(candidate)
    keys = difflib.get_close_matches(folded, near, n=n, cutoff=0.7)
    return [candidate for key in keys for candidate in near[key]][:n]
