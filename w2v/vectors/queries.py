"""Finds the words nearest to a word, to an expression such as `king - man + woman`, or to a vector.

The unit vectors of the words are added with their signs, the sum is normalized to length 1, and all
words are ranked by their cosine to it, except the words of the query.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from w2v.errors import InputError, shown
from w2v.evaluation.analogies import COSMUL_EPSILON, METHODS
from w2v.system.arguments import asks, number, one_of, optional
from w2v.vectors.rows import WordRows

# Spelling suggestions come only from the most frequent words; a rarer one is hardly ever meant.
SUGGESTION_WORDS = 100_000
SUGGESTIONS = 3
LONGEST_PHRASE = 8  # a word with spaces in an expression has at most this many parts

Asked = str | Sequence[str] | np.ndarray  # a word or expression, a list of words to add, a vector


class QueryError(InputError):
    """Raised when one query cannot be answered, although others may be."""


class UnknownWordError(QueryError, KeyError):
    """Raised when `word` has no vector; `suggestions` are known words with a similar spelling."""

    def __init__(self, word: str, suggestions: Sequence[str], source: str) -> None:
        guesses = " or ".join(suggestions)
        hint = f"did you mean {guesses}?" if guesses else "check its spelling and its case"
        super().__init__(f"{shown(word)} is not in the vocabulary of {source}; {hint}")
        self.word = word
        self.suggestions = tuple(suggestions)
        self._source = source

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.word, self.suggestions, self._source)

    __str__ = Exception.__str__  # KeyError.__str__ would put the message in quotation marks


class Neighbour(NamedTuple):
    """A word and its cosine to the query."""

    word: str
    similarity: float


class Query(NamedTuple):
    """A query, resolved to vectors."""

    terms: np.ndarray  # [T, D] float32, unit vectors
    signs: np.ndarray  # [T] float32, +1 or -1
    total: np.ndarray  # [D] float32, the signed sum of the terms
    exclude: tuple[int, ...] = ()  # rows that may not be answers


def parse_expression(
    text: str, is_word: Callable[[str], bool] = lambda text: False
) -> list[tuple[int, str]]:
    """Parses `word` or `word + word - word …` into (sign, word) terms. A sign must be separated by
    spaces: "x-ray" is one word, and so is "-" by itself. Several tokens joined by spaces are one
    word if `is_word` says so."""
    tokens = [token for token in text.replace("\t", " ").strip("\r\n").split(" ") if token]
    if not tokens:
        remedy = "give a word, or an expression such as 'king - man + woman'"
        raise QueryError(f"the query is empty; {remedy}")
    terms: list[tuple[int, str]] = []
    sign, rest = 1, tokens
    while rest:
        lengths = range(min(LONGEST_PHRASE, len(rest)), 1, -1)
        n = next((n for n in lengths if is_word(" ".join(rest[:n]))), 1)
        terms.append((sign, " ".join(rest[:n])))
        rest = rest[n:]
        if not rest:
            return terms
        if rest[0] not in ("+", "-"):
            pair = f"{shown(terms[-1][1])} and {shown(rest[0])}"
            raise QueryError(f"{shown(text.strip())} has no + or - between {pair}; insert one")
        sign, rest = -1 if rest[0] == "-" else 1, rest[1:]
    raise QueryError(f"{shown(text.strip())} ends with {tokens[-1]!r}; add a word after it")


def check_words(vectors: WordRows, words: Sequence[str]) -> None:
    """Raises UnknownWordError for a word without a vector, and QueryError for a non-string."""
    for word in words:
        if not isinstance(word, str):
            raise QueryError(f"{shown(word)} is not a word; pass a string")
        if not vectors.has(word):
            raise UnknownWordError(word, near_spellings(vectors, word), vectors.source)


def resolve(vectors: WordRows, query: Asked) -> Query:
    """Returns the query for a word, an expression, a list of words or a vector [D]. Raises
    QueryError if it is none of these, or has an unknown word."""
    if isinstance(query, str):

        def is_word(text: str) -> bool:
            return vectors.index(text) is not None

        terms = [(1, query)] if is_word(query) else parse_expression(query, is_word)
        if len(terms) == 1 and not vectors.has(word := terms[0][1]):
            parts = re.split(r"([+-])", word)
            if len(parts) > 1 and all(map(is_word, parts[::2])):
                guesses = [*near_spellings(vectors, word), " ".join(parts)]
                raise UnknownWordError(word, guesses, vectors.source)
        return added(vectors, terms, query.strip(" \t\r\n"))
    if isinstance(query, (list, tuple)) and query and all(isinstance(x, str) for x in query):
        return added(vectors, [(1, str(word)) for word in query])
    try:
        vector = np.asarray(query, np.float64)
    except (TypeError, ValueError):
        vector = np.zeros(())
    if vector.ndim == 0:
        kinds = "a query is a word, an expression, a list of words or a vector"
        raise QueryError(f"{kinds}, not {shown(query)}")
    if vector.shape != (vectors.dim,):
        have = f"the {vectors.dim} dimensions of {vectors.source}"
        raise QueryError(f"a vector of shape {list(vector.shape)} does not fit {have}")
    length = np.linalg.norm(vector)
    if not (np.isfinite(length) and length > 0):
        raise QueryError("a vector of zeros, or with NaN or infinity, has no neighbours")
    unit = np.asarray(vector / length, np.float32)
    return Query(unit[None], np.ones(1, np.float32), unit)


def added(vectors: WordRows, terms: Sequence[tuple[int, str]], text: str = "") -> Query:
    """Returns the query for a sum of (sign, word) terms; `text` is the query in messages."""
    text = text or " ".join(f"{'+' if sign > 0 else '-'} {word}" for sign, word in terms)
    words = [word for _, word in terms]
    check_words(vectors, words)
    signs = np.array([sign for sign, _ in terms], np.float32)
    unit = vectors.unit_of(words)
    total = (signs[:, None] * unit).sum(axis=0)
    # Unit vectors that cancel leave rounding errors of about 1e-7.
    if np.linalg.norm(total) < 1e-5:
        problem = "adds up to a vector of zeros, which has no neighbours"
        raise QueryError(f"{shown(text)} {problem}; use other words")
    rows = (vectors.index(word) for word in words)
    return Query(unit, signs, total, tuple(row for row in rows if row is not None))


@asks(
    k=number(1, whole=True),
    method=one_of(METHODS),
    restrict_vocab=number(0, whole=True),
    min_similarity=optional(number(-1)),
)
def nearest(
    vectors: WordRows,
    queries: Sequence[Query],
    k: int = 10,
    *,
    method: str = "add",
    restrict_vocab: int = 0,
    min_similarity: float | None = None,
) -> list[list[Neighbour]]:
    """Returns for each query the k nearest words, best first, from one pass over the matrix; fewer
    when the vocabulary is smaller.

    Args:
        method: "add" ranks words x by the cosine to the sum. "mul", 3CosMul (Levy & Goldberg 2014,
            ACL W14-1618), ranks by Π s(x, w) over the added words w, divided by (Π s(x, w) over the
            subtracted ones + 1e-6), where s = (1 + cosine) / 2.
        restrict_vocab: consider only this many of the most frequent words; 0 = all.
        min_similarity: leave out words with a lower score.
    """
    if not queries:
        return []
    sums = np.stack([query.total for query in queries])
    sums /= np.linalg.norm(sums, axis=1, keepdims=True)

    def products(block: np.ndarray) -> np.ndarray:
        return np.stack([_product(query, block) for query in queries])

    neighbours = vectors.neighbours(
        sums,
        k,
        [query.exclude for query in queries],
        scores=products if method == "mul" else None,
        n_rows=restrict_vocab or None,
    )
    return [
        [
            Neighbour(vectors.words[row], score)
            for row, score in zip(rows.tolist(), scores.tolist(), strict=True)
            if min_similarity is None or score >= min_similarity
        ]
        for rows, scores in neighbours
    ]


def _product(query: Query, block: np.ndarray) -> np.ndarray:
    """Returns the 3CosMul score [n] of each unit row in `block` [n, D]."""
    shifted = (1 + query.terms @ block.T) / 2
    added, subtracted = (shifted[query.signs == sign].prod(axis=0) for sign in (1, -1))
    return np.asarray(added / (subtracted + COSMUL_EPSILON))


def answers(
    vectors: WordRows, asked: Iterable[Asked], k: int = 10, **options: Any
) -> list[list[Neighbour] | QueryError]:
    """Returns the result of `nearest` for each of many queries, from one pass over the matrix; for
    a query that cannot be answered, the QueryError. The options are those of `nearest`."""
    resolved: list[Query | QueryError] = []
    for question in asked:
        try:
            resolved.append(resolve(vectors, question))
        except QueryError as error:
            resolved.append(error)
    queries = [question for question in resolved if isinstance(question, Query)]
    good = iter(nearest(vectors, queries, k, **options))
    return [next(good) if isinstance(question, Query) else question for question in resolved]


def similarity(vectors: WordRows, a: Asked, b: Asked) -> float:
    """Returns the cosine, from -1 to 1, of two words, expressions or vectors."""
    x, y = (resolve(vectors, expression).total.astype(np.float64) for expression in (a, b))
    return float(np.clip(x @ y / np.sqrt((x @ x) * (y @ y)), -1.0, 1.0))


def analogy(
    vectors: WordRows, a: str, b: str, c: str, k: int = 10, method: str = "add"
) -> list[Neighbour]:
    """Returns the k words that best complete "a is to b as c is to ...", best first: those nearest
    to b - a + c by the `method` of `nearest`."""
    return nearest(vectors, [added(vectors, [(1, b), (-1, a), (1, c)])], k, method=method)[0]


def odd_one_out(vectors: WordRows, words: Sequence[str]) -> str:
    """Returns the word that fits the others least: the one with the lowest cosine to the mean of
    the unit vectors of all words."""
    if isinstance(words, str) or len(words) < 3:
        few = shown(words if isinstance(words, str) else " ".join(map(str, words)))
        raise QueryError(f"finding the odd one out needs at least three words, not {few}")
    check_words(vectors, words)
    unit = vectors.unit_of(words)
    blank = np.flatnonzero(~unit.any(axis=1))
    if len(blank):
        raise QueryError(f"the vector of {shown(words[blank[0]])} is zeros; leave the word out")
    return words[int((unit @ unit.mean(axis=0)).argmin())]


def near_spellings(vectors: WordRows, word: str) -> list[str]:
    """Returns up to SUGGESTIONS words with a spelling similar to `word`, ranked by difflib's ratio
    without regard to case."""
    folded = word.casefold()
    if not folded:
        return []
    first, last = folded[0], folded[-2:]
    near: dict[str, list[str]] = {}
    for candidate in vectors.words[:SUGGESTION_WORDS]:
        if abs(len(candidate) - len(word)) <= 2:
            key = candidate.casefold()
            # A typing error leaves the beginning or the end unchanged; comparing with all words
            # would take seconds.
            if key and (key[0] == first or key[-2:] == last):
                near.setdefault(key, []).append(candidate)
    keys = difflib.get_close_matches(folded, near, n=SUGGESTIONS, cutoff=0.7)
    return [candidate for key in keys for candidate in near[key]][:SUGGESTIONS]
