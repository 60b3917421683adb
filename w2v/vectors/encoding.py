"""Vectors of texts from those of their words.

mean    the mean of the vectors of a text's words, of those that have one
sif     smooth inverse frequency (Arora, Liang & Ma 2017, "A Simple but Tough-to-Beat Baseline for
        Sentence Embeddings"): a word of probability p weighs a / (a + p), a = 1e-3, and what all
        texts have in common, the projection on their first principal component, is taken away
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

import numpy as np

from w2v.corpus.words import split_words
from w2v.errors import InputError
from w2v.system.files import temporary_file
from w2v.vectors.rows import WordRows

POOLINGS = ("mean", "sif")
SIF_A = 1e-3
BATCH_TEXTS = 4096
BLOCK_VALUES = 1 << 20  # floats of words' rows that are summed at a time
# Floats that are multiplied at a time. The threads of a product wait for each other, which on a
# busy machine takes longer than a small product.
PRODUCT_VALUES = 1 << 22
KEPT_TOKENS = 200_000  # between whitespace whose words are remembered

Text = str | Sequence[str]


def encode(vectors: WordRows, texts: str | Iterable[Text], pooling: str = "mean") -> np.ndarray:
    """Returns a row for each text [n, D] float32, or one vector [D] for a single string.

    A text is a string, whose words are found as in the text of the run that the vectors come from,
    else between whitespace; or a list of words. Words that have no vector are left out; n-grams, if
    they were learnt, give one to unknown words, which weigh 1 in "sif". A text without any word
    that has one is a row of zeros, and a warning says how many these are. The common
    component of "sif", which needs counts, is that of the texts of this call, so it stays where
    there is only one.
    """
    encoder = _Encoder(vectors, pooling)
    given = [texts] if isinstance(texts, str) else list(texts)
    found = np.empty((len(given), vectors.dim), np.float32)
    batches = [slice(at, at + BATCH_TEXTS) for at in range(0, len(given), BATCH_TEXTS)]
    for batch in batches:
        found[batch] = encoder.rows(given[batch])
    common = encoder.common()
    for batch in batches:
        found[batch] -= _shared(found[batch], common)
    encoder.warn()
    return found[0] if isinstance(texts, str) else found


def encode_stream(
    vectors: WordRows, texts: Iterable[Text], pooling: str = "mean"
) -> Iterator[tuple[Sequence[Text], np.ndarray]]:
    """Yields some of the texts at a time, with their rows [n, D] float32, which are those of
    `encode`, in constant memory: the common component of "sif" is known when all texts are read,
    so they wait in a temporary file."""
    each = iter(texts)
    batches = iter(lambda: list(islice(each, BATCH_TEXTS)), [])
    return encode_batches(vectors, batches, pooling)


def encode_batches(
    vectors: WordRows, batches: Iterable[Sequence[Text]], pooling: str = "mean"
) -> Iterator[tuple[Sequence[Text], np.ndarray]]:
    """Yields the texts of each batch, perhaps in parts, with their rows; see `encode_stream`."""
    encoder = _Encoder(vectors, pooling)
    found = (
        (part, encoder.rows(part))
        for batch in batches
        for part in (batch[at : at + BATCH_TEXTS] for at in range(0, len(batch), BATCH_TEXTS))
    )
    if pooling == "mean":
        yield from found
    else:
        with temporary_file() as file:
            n = 0
            for n, each in enumerate(found, 1):  # noqa: B007
                pickle.dump(each, file, protocol=5)
            file.seek(0)
            common = encoder.common()
            for _ in range(n):
                part, rows = pickle.load(file)
                yield part, np.asarray(rows - _shared(rows, common), np.float32)
    encoder.warn()


def _shared(rows: np.ndarray, common: np.ndarray | None) -> np.ndarray | float:
    """Returns the projections of the rows [n, D] on the unit vector [D], if there is one."""
    if common is None:
        return 0.0
    return np.outer(np.einsum("ij,j->i", rows, common), common)  # float64, without threads


class _Encoder:
    """Makes rows of texts, a batch at a time, and sums up what all have in common."""

    def __init__(self, vectors: WordRows, pooling: str) -> None:
        self._vectors, self._rows_of = vectors, _RowsOf(vectors)
        self._weights: np.ndarray | None = None
        self._n = self._empty = 0
        self._waiting: list[np.ndarray] = []
        self._moments = np.zeros((vectors.dim, vectors.dim if pooling == "sif" else 0))
        if pooling == "sif":
            if vectors.counts is None:
                what = "does not say how often its words occur, which sif needs"
                remedy = "use a run directory or an .npy file with counts, or `pooling` mean"
                raise InputError(f"{vectors.source} {what}: {remedy}")
            shares = vectors.counts / max(1, vectors.counts.sum())
            self._weights = np.append(SIF_A / (SIF_A + shares), 1.0)  # the last of unknown words

    def rows(self, texts: Sequence[Text]) -> np.ndarray:
        """Returns the weighted means of the texts, [n, D] float32."""
        flat: list[int] = []
        ends = [0]
        for text in texts:
            if isinstance(text, str):
                flat.extend(self._rows_of.text(text))
            else:
                flat.extend(self._rows_of.words(text))
            ends.append(len(flat))
        rows = np.array(flat, np.int64)
        given = self._rows_of.given(rows)
        counts = np.diff(np.concatenate([[0], np.cumsum(given)])[ends])
        sums = self._sums(rows[given], counts)
        sums /= np.maximum(counts, 1)[:, None]
        with np.errstate(over="ignore"):
            found = sums.astype(np.float32)
        if not np.isfinite(found).all():
            what = f"{self._vectors.source}: a text's vector holds NaN or infinity"
            raise InputError(f"{what}; train again with a smaller `lr`")
        self._n += len(texts)
        self._empty += int((counts == 0).sum())
        self._rows_of.forget()
        if self._weights is not None:
            self._waiting.append(found)
            if sum(each.size for each in self._waiting) >= PRODUCT_VALUES:
                self._multiply()
        return found

    def _multiply(self) -> None:
        """Adds the rows that wait to the second moments of all rows."""
        if self._waiting:
            exact = np.concatenate(self._waiting, dtype=np.float64)
            self._moments += exact.T @ exact
            self._waiting = []

    def _sums(self, rows: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Returns the sums of the words' weighted rows, [n, D] float64, for texts of so many words
        each."""
        text_of = np.repeat(np.arange(len(counts)), counts)
        dim = self._vectors.dim
        step = max(1, BLOCK_VALUES // max(1, dim))
        buffer = np.empty((min(step, len(rows)), dim), np.float32)
        sums = np.zeros((len(counts), dim))
        for start in range(0, len(rows), step):
            own, words = text_of[start : start + step], rows[start : start + step]
            block = buffer[: len(words)]
            np.take(self._vectors.matrix, words, axis=0, out=block, mode="clip")
            made = np.flatnonzero(words >= len(self._vectors))
            if len(made):
                block[made] = self._rows_of.made(words[made])
            if self._weights is not None:
                weights = self._weights[np.minimum(words, len(self._vectors))]
                block *= weights[:, None].astype(np.float32)
            first = np.flatnonzero(np.diff(own, prepend=-1))
            sums[own[first]] += np.add.reduceat(block, first, axis=0)
        return sums

    def common(self) -> np.ndarray | None:
        """Returns the first principal component [D] of all rows, None if it is to stay."""
        self._multiply()
        if self._weights is None or self._n - self._empty < 2:
            return None
        return np.asarray(np.linalg.eigh(self._moments)[1][:, -1])

    def warn(self) -> None:
        """Says how many texts had no known word."""
        if self._empty:
            told = f"{self._empty:,} of {self._n:,} texts hold no known word: their rows are zeros"
            warnings.warn(told, stacklevel=4)


class _RowsOf(dict[str, tuple[int, ...]]):
    """The rows of the words in what stands between whitespace, which is found once, and in texts.
    With n-grams, unknown words have the numbers behind the last row, until `forget`."""

    def __init__(self, vectors: WordRows) -> None:
        super().__init__()
        self._vectors = vectors
        self._settings = None if vectors.config is None else vectors.config.corpus
        self._unknown: dict[str, int] = {}

    def text(self, text: str) -> Iterable[int]:
        """Returns those of a text in its order."""
        if self._settings is not None and self._settings.tokenizer_file:
            return self._found(text)  # its words depend on what is around them
        return chain.from_iterable(map(self.__getitem__, text.split()))

    def _found(self, text: str) -> tuple[int, ...]:
        return self.words(split_words(text, self._settings))

    def __missing__(self, token: str) -> tuple[int, ...]:
        rows = self._found(token)
        if len(self) < KEPT_TOKENS and all(row < len(self._vectors) for row in rows):
            self[token] = rows
        return rows

    def words(self, words: Iterable[str]) -> tuple[int, ...]:
        """Returns the rows of those words that have one, or a number."""
        return tuple(row for word in words if (row := self._row(word)) is not None)

    def _row(self, word: str) -> int | None:
        row = self._vectors.index(word)
        if row is None and self._vectors.ngrams is not None:
            row = self._unknown.setdefault(word, len(self._vectors) + len(self._unknown))
        return row

    def given(self, numbers: np.ndarray) -> np.ndarray:
        """Returns which of these rows and numbers have a vector, bool [n]."""
        found = np.ones(len(numbers), bool)
        if self._unknown and self._vectors.ngrams is not None:
            made = numbers >= len(self._vectors)
            have = self._vectors.ngrams.have([*self._unknown])
            found[made] = have[numbers[made] - len(self._vectors)]
        return found

    def made(self, numbers: np.ndarray) -> np.ndarray:
        """Returns the vectors of unknown words, [n, D] float32."""
        words = [*self._unknown]
        distinct, place = np.unique(numbers, return_inverse=True)
        return self._vectors.of([words[each - len(self._vectors)] for each in distinct])[place]

    def forget(self) -> None:
        self._unknown.clear()
