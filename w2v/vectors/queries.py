"""The words nearest to a word, to an expression such as `king - man + woman`, or to a vector.

The unit vectors of the words are added with their signs, the sum is brought to length 1, and the
words are ranked by their cosine to it; the words of the query never answer.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from w2v.errors import InputError, shown
from w2v.evaluation.analogies import COSMUL_EPSILON, METHODS
from w2v.system.arguments import asks, number, one_of, optional
from w2v.vectors.rows import WordRows

# Near spellings are looked for among the most frequent words only; a rarer one would hardly be
# meant.
SUGGESTION_WORDS = 100_000
SUGGESTIONS = 3
LONGEST_PHRASE = 8  # blanks and all, a word in a sum has at most so many parts

Asked = str | Sequence[str] | np.ndarray  # a word or an expression, words to be added, a vector


class QueryError(InputError):
    """One query cannot be answered; the next one may."""


class UnknownWordError(QueryError, KeyError):
    """A `word` has no vector; `suggestions` are words of it that are spelt nearly so."""

    def __init__(self, word: str, suggestions: Sequence[str], source: str) -> None:
        guesses = " or ".join(suggestions)
        hint = f"did you mean {guesses}?" if guesses else "check its spelling and its case"
        super().__init__(f"{shown(word)} is not in the vocabulary of {source}; {hint}")
        self.word = word
        self.suggestions = tuple(suggestions)
        self._source = source

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.word, self.suggestions, self._source)

    __str__ = Exception.__str__  # KeyError's would put the sentence in quotation marks


class Neighbour(NamedTuple):
    """A word and its cosine to the query."""

    word: str
    similarity: float


class Query(NamedTuple):
    """What is looked for: unit vectors [T, D] float32 with their signs [T], +1 or -1, the sum of
    these, and the rows that may not answer."""

    terms: np.ndarray
    signs: np.ndarray
    total: np.ndarray
    exclude: tuple[int, ...] = ()


def parse_expression(
    text: str, is_word: Callable[[str], bool] = lambda text: False
) -> list[tuple[int, str]]:
    """(sign, word) of each word in `word` or `word + word - word …`. Signs stand alone between
    words: "x-ray" is one word, and so is "-" by itself, and what `is_word` of several with blanks
    between them."""
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
            raise QueryError(f"{shown(text.strip())} has no + or - between {pair}; put one there")
        sign, rest = -1 if rest[0] == "-" else 1, rest[1:]
    raise QueryError(f"{shown(text.strip())} ends with {tokens[-1]!r}; put a word after it")


def check_words(vectors: WordRows, words: Sequence[str]) -> None:
    """Raises UnknownWordError for a word without a vector, and a QueryError for what is no word."""
    for word in words:
        if not isinstance(word, str):
            raise QueryError(f"{shown(word)} is no word; give a text")
        if not vectors.has(word):
            raise UnknownWordError(word, near_spellings(vectors, word), vectors.source)


def resolve(vectors: WordRows, asked: Asked) -> Query:
    """Returns the query that a word, an expression, a list of words or a vector [D] stands for; a
    QueryError says why it stands for none."""
    if isinstance(asked, str):

        def known(text: str) -> bool:
            return vectors.index(text) is not None

        terms = [(1, asked)] if known(asked) else parse_expression(asked, known)
        return added(vectors, terms, asked.strip(" \t\r\n"))
    if isinstance(asked, (list, tuple)) and asked and all(isinstance(x, str) for x in asked):
        return added(vectors, [(1, str(each)) for each in asked])
    try:
        vector = np.asarray(asked, np.float64)
    except (TypeError, ValueError):
        raise QueryError("a query is a word, an expression, a list of words or a vector") from None
    if vector.shape != (vectors.dim,):
        have = f"the {vectors.dim} dimensions of {vectors.source}"
        raise QueryError(f"a vector of shape {list(vector.shape)} does not fit {have}")
    length = np.linalg.norm(vector)
    if not (np.isfinite(length) and length > 0):
        raise QueryError("the vector holds only zeros, or NaN or infinity, so it has no neighbours")
    unit = np.asarray(vector / length, np.float32)
    return Query(unit[None], np.ones(1, np.float32), unit)


def added(vectors: WordRows, terms: Sequence[tuple[int, str]], text: str = "") -> Query:
    """Returns the query for a sum of (sign, word) terms."""
    text = text or " ".join(f"{'+' if sign > 0 else '-'} {word}" for sign, word in terms)
    words = [word for _, word in terms]
    check_words(vectors, words)
    signs = np.array([sign for sign, _ in terms], np.float32)
    unit = vectors.unit_of(words)
    total = (signs[:, None] * unit).sum(axis=0)
    # A sum of unit vectors that cancel keeps rounding errors of about 1e-7.
    if np.linalg.norm(total) < 1e-5:
        what = "adds up to a vector of zeros, which has no neighbours"
        raise QueryError(f"{shown(text)} {what}; use other words")
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
        method: "add" ranks by the cosine to the sum; "mul", 3CosMul (Levy & Goldberg 2014, ACL
            W14-1618), by the product of s(x, w) over the words w that are added, divided by that
            over the subtracted ones + 1e-6, where s is the cosine brought into 0 to 1.
        restrict_vocab: only so many of the most frequent words answer, 0 = all.
        min_similarity: words whose figure is lower do not answer.
    """
    if not queries:
        return []
    sums = np.stack([query.total for query in queries])
    sums /= np.linalg.norm(sums, axis=1, keepdims=True)

    def products(block: np.ndarray) -> np.ndarray:
        return np.stack([_product(query, block) for query in queries])

    found = vectors.neighbours(
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
        for rows, scores in found
    ]


def _product(query: Query, block: np.ndarray) -> np.ndarray:
    """Returns 3CosMul's figure of each unit row in `block` [n, D]."""
    shifted = (1 + query.terms @ block.T) / 2
    added, subtracted = (shifted[query.signs == sign].prod(axis=0) for sign in (1, -1))
    return np.asarray(added / (subtracted + COSMUL_EPSILON))


def answers(
    vectors: WordRows, asked: Iterable[Asked], k: int = 10, **options: Any
) -> list[list[Neighbour] | QueryError]:
    """Returns what `nearest` does for each of many queries, from one pass over the matrix; in the
    place of one that cannot be answered the error that says why. The options are `nearest`'s."""
    found: list[Query | QueryError] = []
    for each in asked:
        try:
            found.append(resolve(vectors, each))
        except QueryError as error:
            found.append(error)
    queries = [each for each in found if isinstance(each, Query)]
    good = iter(nearest(vectors, queries, k, **options))
    return [next(good) if isinstance(each, Query) else each for each in found]


def similarity(vectors: WordRows, a: Asked, b: Asked) -> float:
    """Returns the cosine, -1 to 1, of what two words, expressions or vectors stand for."""
    x, y = (resolve(vectors, each).total.astype(np.float64) for each in (a, b))
    return float(np.clip(x @ y / np.sqrt((x @ x) * (y @ y)), -1.0, 1.0))


def analogy(
    vectors: WordRows, a: str, b: str, c: str, k: int = 10, method: str = "add"
) -> list[Neighbour]:
    """Returns the k words that best complete "a is to b as c is to ...", best first: those nearest
    to b - a + c by the `method` of `nearest`."""
    return nearest(vectors, [added(vectors, [(1, b), (-1, a), (1, c)])], k, method=method)[0]


def odd_one_out(vectors: WordRows, words: Sequence[str]) -> str:
    """Returns the word that fits the others least, whose cosine to the mean of all their unit
    vectors is the lowest."""
    if isinstance(words, str) or len(words) < 3:
        raise QueryError("the odd one out is looked for among three words at least")
    check_words(vectors, words)
    unit = vectors.unit_of(words)
    blank = np.flatnonzero(~unit.any(axis=1))
    if len(blank):
        raise QueryError(f"the vector of {shown(words[blank[0]])} is zeros, near to no word")
    return words[int((unit @ unit.mean(axis=0)).argmin())]


def near_spellings(vectors: WordRows, word: str) -> list[str]:
    """A few words of the vocabulary spelt nearly like `word`: other capitals first, then by
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
    keys = difflib.get_close_matches(folded, near, n=SUGGESTIONS, cutoff=0.7)
    return [candidate for key in keys for candidate in near[key]][:SUGGESTIONS]
