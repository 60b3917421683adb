"""Computes vectors of texts from the vectors of their words.

mean    the mean of the vectors of those words of a text that have one
sif     smooth inverse frequency (Arora, Liang & Ma 2017, "A Simple but Tough-to-Beat Baseline for
        Sentence Embeddings"): the mean with weights a / (a + p), where p is a word's probability
        and a = 1e-3, minus its projection on the first principal component of all texts
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

import numpy as np

from w2v.corpus.words import split_words
from w2v.errors import InputError
from w2v.system.arguments import warn
from w2v.system.files import temporary_file
from w2v.vectors.rows import WordRows

POOLINGS = ("mean", "sif")
SIF_A = 1e-3
BATCH_TEXTS = 4096
BLOCK_VALUES = 1 << 20  # floats of word vectors summed at a time
# Floats per matrix product. The threads of a product wait for each other, which takes longer than a
# small product on a busy machine.
PRODUCT_VALUES = 1 << 22
KEPT_TOKENS = 200_000  # strings between whitespace whose words are cached

Text = str | Sequence[str]


def encode(vectors: WordRows, texts: str | Iterable[Text], pooling: str = "mean") -> np.ndarray:
    """Returns the vectors of texts, [n, D] float32, or one vector [D] for a single string.

    A text is a list of words, or a string. A string is split like the corpus of the run that the
    vectors come from, or at whitespace if they come from no run. Words without a vector are left
    out; vectors with n-grams give unknown words a vector too, with weight 1 in "sif". A text
    without any known word becomes a row of zeros, and a warning states how many these are. "sif"
    needs counts; the common component is that of the texts of this call, and is not removed from a
    single text.
    """
    encoder = _Encoder(vectors, pooling)
    items = [texts] if isinstance(texts, str) else list(texts)
    rows = np.empty((len(items), vectors.dim), np.float32)
    batches = [slice(start, start + BATCH_TEXTS) for start in range(0, len(items), BATCH_TEXTS)]
    for batch in batches:
        rows[batch] = encoder.rows(items[batch])
    common = encoder.common()
    for batch in batches:
        rows[batch] -= _shared(rows[batch], common)
    encoder.warn()
    return rows[0] if isinstance(texts, str) else rows


def encode_stream(
    vectors: WordRows, texts: Iterable[Text], pooling: str = "mean"
) -> Iterator[tuple[Sequence[Text], np.ndarray]]:
    """Yields batches of the texts with the vectors [n, D] float32 that `encode` would return, in
    constant memory. For "sif", all texts wait in a temporary file, since their common component is
    known only at the end."""
    remaining = iter(texts)
    batches = iter(lambda: list(islice(remaining, BATCH_TEXTS)), [])
    return encode_batches(vectors, batches, pooling)


def encode_batches(
    vectors: WordRows, batches: Iterable[Sequence[Text]], pooling: str = "mean"
) -> Iterator[tuple[Sequence[Text], np.ndarray]]:
    """Yields the texts of each batch, possibly split, with their vectors; see `encode_stream`."""
    encoder = _Encoder(vectors, pooling)
    parts = (
        (part, encoder.rows(part))
        for batch in batches
        for part in (batch[i : i + BATCH_TEXTS] for i in range(0, len(batch), BATCH_TEXTS))
    )
    if pooling == "mean":
        yield from parts
    else:
        with temporary_file() as file:
            n = 0
            for n, encoded in enumerate(parts, 1):  # noqa: B007
                pickle.dump(encoded, file, protocol=5)
            file.seek(0)
            common = encoder.common()
            for _ in range(n):
                part, rows = pickle.load(file)
                yield part, np.asarray(rows - _shared(rows, common), np.float32)
    encoder.warn()


def _shared(rows: np.ndarray, common: np.ndarray | None) -> np.ndarray | float:
    """Returns the projections of rows [n, D] on the unit vector `common` [D], or 0 for None."""
    if common is None:
        return 0.0
    return np.outer(np.einsum("ij,j->i", rows, common), common)  # float64, without threads


class _Encoder:
    """Computes vectors of texts, a batch at a time, and accumulates their second moments."""

    def __init__(self, vectors: WordRows, pooling: str) -> None:
        self._vectors, self._rows_of = vectors, _RowsOf(vectors)
        self._weights: np.ndarray | None = None
        self._n = self._empty = 0
        self._waiting: list[np.ndarray] = []
        self._moments = np.zeros((vectors.dim, vectors.dim if pooling == "sif" else 0))
        if pooling == "sif":
            if vectors.counts is None:
                problem = "does not say how often its words occur, which sif needs"
                remedy = "use a run directory or an .npy file with counts, or `pooling` mean"
                raise InputError(f"{vectors.source} {problem}: {remedy}")
            shares = vectors.counts / max(1, vectors.counts.sum())
            self._weights = np.append(SIF_A / (SIF_A + shares), 1.0)  # last: unknown words

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
        known = self._rows_of.known(rows)
        counts = np.diff(np.concatenate([[0], np.cumsum(known)])[ends])
        sums = self._sums(rows[known], counts)
        sums /= np.maximum(counts, 1)[:, None]
        with np.errstate(over="ignore"):
            means = sums.astype(np.float32)
        if not np.isfinite(means).all():
            problem = f"{self._vectors.source}: a text's vector holds NaN or infinity"
            raise InputError(f"{problem}; train again with a smaller `lr`")
        self._n += len(texts)
        self._empty += int((counts == 0).sum())
        self._rows_of.forget()
        if self._weights is not None:
            self._waiting.append(means)
            if sum(part.size for part in self._waiting) >= PRODUCT_VALUES:
                self._multiply()
        return means

    def _multiply(self) -> None:
        """Adds the waiting rows to the second moments of all rows."""
        if self._waiting:
            exact = np.concatenate(self._waiting, dtype=np.float64)
            self._moments += exact.T @ exact
            self._waiting = []

    def _sums(self, rows: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Returns the sums of the words' weighted rows, [n, D] float64, for n texts of `counts`
        words each."""
        text_of = np.repeat(np.arange(len(counts)), counts)
        dim = self._vectors.dim
        step = max(1, BLOCK_VALUES // max(1, dim))
        buffer = np.empty((min(step, len(rows)), dim), np.float32)
        sums = np.zeros((len(counts), dim))
        for start in range(0, len(rows), step):
            owners, words = text_of[start : start + step], rows[start : start + step]
            block = buffer[: len(words)]
            np.take(self._vectors.matrix, words, axis=0, out=block, mode="clip")
            unknown = np.flatnonzero(words >= len(self._vectors))
            if len(unknown):
                block[unknown] = self._rows_of.vectors(words[unknown])
            if self._weights is not None:
                weights = self._weights[np.minimum(words, len(self._vectors))]
                block *= weights[:, None].astype(np.float32)
            first = np.flatnonzero(np.diff(owners, prepend=-1))
            sums[owners[first]] += np.add.reduceat(block, first, axis=0)
        return sums

    def common(self) -> np.ndarray | None:
        """Returns the first principal component [D] of all rows, or None if none is removed."""
        self._multiply()
        if self._weights is None or self._n - self._empty < 2:
            return None
        return np.asarray(np.linalg.eigh(self._moments)[1][:, -1])

    def warn(self) -> None:
        """Warns about texts without any known word."""
        if self._empty:
            texts = f"{self._empty:,} of {self._n:,} texts"
            warn(f"{texts} contain no known word: their vectors are zeros")


class _RowsOf(dict[str, tuple[int, ...]]):
    """A cache: string between whitespace -> rows of the words in it. With n-grams, unknown words
    are given temporary row numbers after the last row, until `forget`."""

    def __init__(self, vectors: WordRows) -> None:
        super().__init__()
        self._vectors = vectors
        self._settings = None if vectors.config is None else vectors.config.corpus
        self._unknown: dict[str, int] = {}

    def text(self, text: str) -> Iterable[int]:
        """Returns the rows of a text's words, in order."""
        settings = self._settings
        if settings is not None and (settings.tokenizer_file or settings.phrases is not None):
            return self._split(text)  # its words depend on what is around them
        return chain.from_iterable(map(self.__getitem__, text.split()))

    def _split(self, text: str) -> tuple[int, ...]:
        return self.words(split_words(text, self._settings))

    def __missing__(self, token: str) -> tuple[int, ...]:
        rows = self._split(token)
        if len(self) < KEPT_TOKENS and all(row < len(self._vectors) for row in rows):
            self[token] = rows
        return rows

    def words(self, words: Iterable[str]) -> tuple[int, ...]:
        """Returns the rows, or temporary numbers, of those words that have one."""
        return tuple(row for word in words if (row := self._row(word)) is not None)

    def _row(self, word: str) -> int | None:
        row = self._vectors.index(word)
        if row is None and self._vectors.ngrams is not None:
            row = self._unknown.setdefault(word, len(self._vectors) + len(self._unknown))
        return row

    def known(self, numbers: np.ndarray) -> np.ndarray:
        """Returns which of these rows and temporary numbers have a vector, bool [n]."""
        known = np.ones(len(numbers), bool)
        if self._unknown and self._vectors.ngrams is not None:
            unknown = numbers >= len(self._vectors)
            have = self._vectors.ngrams.have([*self._unknown])
            known[unknown] = have[numbers[unknown] - len(self._vectors)]
        return known

    def vectors(self, numbers: np.ndarray) -> np.ndarray:
        """Returns the vectors of unknown words by their temporary numbers, [n, D] float32."""
        words = [*self._unknown]
        distinct, inverse = np.unique(numbers, return_inverse=True)
        return self._vectors.of([words[n - len(self._vectors)] for n in distinct])[inverse]

    def forget(self) -> None:
        self._unknown.clear()
