"""What a program does with word vectors: look up, compare, query, encode texts, evaluate, hand on.

vectors = w2v.load("wiki-skip-gram-neg")
vectors["paris"], vectors[["paris", "rome"]], "paris" in vectors
vectors.nearest("king - man + woman", k=5)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from w2v.errors import InputError
from w2v.vectors import queries
from w2v.vectors.encoding import encode
from w2v.vectors.queries import Asked, Neighbour, QueryError
from w2v.vectors.rows import WordRows
from w2v.vectors.saving import save_vectors

if TYPE_CHECKING:
    import pandas
    import torch

    from w2v.evaluation.evaluate import Result
    from w2v.evaluation.sets import AnalogySet, SimilaritySet

METHODS = ("add", "mul")


class WordVectors(WordRows, Mapping[str, np.ndarray]):
    """A mapping from words, most frequent first, to their vectors; its attributes are those of
    `WordRows`."""

    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __repr__(self) -> str:
        where = "" if self.source == "the vectors" else f", from {self.source}"
        return f"WordVectors({len(self):,} words x {self.dim}{where})"

    @overload
    def __getitem__(self, word: str) -> np.ndarray: ...

    @overload
    def __getitem__(self, word: Sequence[str]) -> np.ndarray: ...

    def __getitem__(self, word: str | Sequence[str]) -> np.ndarray:
        """Returns the vector of a word [D], or those of a list of words [n, D]; an unknown word is
        an UnknownWordError, which is an InputError and a KeyError."""
        if isinstance(word, str):
            found: np.ndarray = self.matrix[queries.known_row(self, word)]
            return found
        return np.asarray(self.matrix[[queries.known_row(self, each) for each in word]])

    def __contains__(self, word: object) -> bool:
        return isinstance(word, str) and self.index(word) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self.words)

    def get(self, word: str, default: Any = None) -> Any:
        """Returns the word's vector, or `default` for a word that has none."""
        row = self.index(word)
        return default if row is None else self.matrix[row]

    def nearest(self, query: Asked, k: int = 10) -> list[Neighbour]:
        """Returns the k words nearest to a query, best first, without the query's own words.

        Args:
            query: a word, an expression such as "king - man + woman", a list of words, which are
                added, or a vector [D].
            k: how many; fewer come back when the vocabulary is smaller.

        Raises:
            UnknownWordError: a word is not in the vocabulary.
            InputError: the query is malformed, or has no direction.
        """
        _check_k(k)
        return queries.nearest(self, [queries.resolve(self, query)], k)[0]

    def answers(self, asked: Iterable[Asked], k: int = 10) -> list[list[Neighbour] | QueryError]:
        """Returns what `nearest` does for each of many queries, from one pass over the matrix; in
        the place of one that cannot be answered the error that says why."""
        _check_k(k)
        return queries.answers(self, asked, k)

    def similarity(self, a: Asked, b: Asked) -> float:
        """Returns the cosine, -1 to 1, of two words (or of whatever `nearest` takes)."""
        return queries.similarity(self, a, b)

    def analogy(self, a: str, b: str, c: str, k: int = 10, method: str = "add") -> list[Neighbour]:
        """Returns the k words that best complete "a is to b as c is to ...", best first: "add"
        ranks by the cosine to b - a + c, "mul" by 3CosMul, see `queries.multiplicative`."""
        if method not in METHODS:
            raise InputError(f"`method` {method} is unknown; use one of {', '.join(METHODS)}")
        _check_k(k)
        if method == "mul":
            return queries.multiplicative(self, a, b, c, k)
        query = queries.added(self, [(1, b), (-1, a), (1, c)])
        return queries.nearest(self, [query], k)[0]

    def odd_one_out(self, words: Sequence[str]) -> str:
        """Returns the word that fits the others least: the one farthest from the mean of all."""
        return queries.odd_one_out(self, words)

    def encode(
        self, texts: str | Iterable[str | Sequence[str]], pooling: str = "mean"
    ) -> np.ndarray:
        """Returns a vector for each text [n, D], or [D] for one string, see `encoding`."""
        return encode(self, texts, pooling)

    @overload
    def evaluate(self, given: None = None, **options: Any) -> dict[str, Result]: ...

    @overload
    def evaluate(
        self, given: str | Path | AnalogySet | SimilaritySet, **options: Any
    ) -> Result: ...

    def evaluate(
        self, given: str | Path | AnalogySet | SimilaritySet | None = None, **options: Any
    ) -> Result | dict[str, Result]:
        """Asks the questions of a set, or correlates with its scores: an AnalogyResult or a
        SimilarityResult.

        Args:
            given: a file of analogies or of scored word pairs, or a set that was read before;
                without one, the small sets that come with w2v: a dict of results by name.
            options: method, restrict_vocab, case and intervals, see `w2v.evaluation.evaluate`.
        """
        from w2v.evaluation.evaluate import evaluate  # not needed for queries
        from w2v.evaluation.sets import default_sets

        if given is None:
            return {each.name: evaluate(self, each, **options) for each in default_sets()}
        return evaluate(self, given, **options)

    def save(self, path: str | Path, format: str | None = None) -> None:
        """Writes the vectors in the format that the extension names: .txt .vec .bin .glove .npy,
        of which .npy keeps the counts; or in one of "text", "binary", "glove", "npy"; raises as
        `save_vectors` does."""
        save_vectors(path, self.words, self.matrix, self.counts, format)

    def to_torch(self) -> torch.Tensor:
        """Returns a copy of the matrix [V, D], as nn.Embedding.from_pretrained takes it."""
        import torch  # takes a second

        return torch.from_numpy(np.array(self.matrix))

    def to_pandas(self) -> pandas.DataFrame:
        """Returns a copy of the matrix as a DataFrame with the words as its index."""
        _check_installed("pandas")
        import pandas  # not a requirement of w2v

        return pandas.DataFrame(np.array(self.matrix), index=self.words)

    def to_gensim(self) -> Any:
        """Returns gensim's KeyedVectors with a copy of the matrix, and the counts where known."""
        _check_installed("gensim")
        from gensim.models import KeyedVectors  # not a requirement of w2v

        found = KeyedVectors(self.dim)
        found.add_vectors(self.words, np.array(self.matrix))
        if self.counts is not None:
            found.expandos["count"] = self.counts.copy()
        return found


def _check_installed(package: str) -> None:
    if find_spec(package) is None:
        raise InputError(f"{package} is not installed here; pip install {package}")


def _check_k(k: int) -> None:
    if k < 1:
        raise InputError(f"`k` {k} is out of range; ask for one word at least")
