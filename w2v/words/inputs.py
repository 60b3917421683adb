"""The rows that make up a word's vector: its own row and those of its n-grams (`subwords`).

A word's vector is the mean of these rows, as in fastText. Only buckets used by words of the
vocabulary have rows, ordered by use, so that the most used rows are adjacent in memory. With `init`
all buckets have rows, because the earlier vectors may use any of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

import numpy as np

from w2v.corpus.ngrams import Ngrams
from w2v.sampling.unigram import keep_probabilities
from w2v.settings.config import Config

CHARACTERS = 11  # mean length of a vocabulary word with its boundary marks, roughly
BLOCK = 4096  # rows processed at a time
SPARSE = 16  # a block is written row by row if fewer than one row in SPARSE is used
NGRAMS, BUCKETS = "ngrams", "ngrams.buckets"  # names in an engine's state: [rows, D], [rows]


@dataclass(frozen=True)
class Inputs:
    """The n-grams of the words in CSR form: word w has the table rows rows[starts[w] :
    starts[w + 1]]; starts [V + 1] int64, rows int32. buckets [table rows] int32: their buckets.
    """

    ngrams: Ngrams
    starts: np.ndarray
    rows: np.ndarray
    buckets: np.ndarray

    @property
    def parts(self) -> tuple[np.ndarray, np.ndarray]:
        """The arrays that the kernel needs."""
        return self.starts, self.rows

    def vectors(self, word_rows: np.ndarray, ngrams: np.ndarray) -> np.ndarray:
        """Returns the words' vectors [V, D] from their own rows [V, D] and the n-gram rows."""
        sums = self.sums(ngrams)
        sums += word_rows
        sums /= self.counts[:, None]
        return sums

    @property
    def used(self) -> int:
        """The number of table rows that words of the vocabulary use; these come first."""
        return int(self.rows.max(initial=-1)) + 1

    @property
    def counts(self) -> np.ndarray:
        """The number of rows of each word, including its own, [V] float32."""
        return (np.diff(self.starts) + 1).astype(np.float32)

    def sums(self, ngrams: np.ndarray) -> np.ndarray:
        """Returns the sum of each word's n-gram rows [V, D] float32."""
        sums = np.zeros((len(self.starts) - 1, ngrams.shape[1]), np.float32)
        for start in range(0, len(sums), BLOCK):
            stop = min(start + BLOCK, len(sums))
            bounds = self.starts[start : stop + 1]
            gathered = ngrams[self.rows[bounds[0] : bounds[-1]]]
            has = np.flatnonzero(np.diff(bounds))
            if len(has):
                sums[start + has] = np.add.reduceat(gathered, bounds[:-1][has] - bounds[0])
        return sums

    def write(self, file: IO[bytes], ngrams: np.ndarray) -> None:
        """Writes the rows of all buckets [buckets, D] as .npy; unused rows are 0 and take no space
        on file systems with sparse files."""
        dim = ngrams.shape[1]
        shape = self.ngrams.buckets, dim
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        begin, order = file.tell(), np.argsort(self.buckets)
        buckets = self.buckets[order]
        for start in range(0, self.ngrams.buckets, BLOCK):
            stop = min(start + BLOCK, self.ngrams.buckets)
            first, last = np.searchsorted(buckets, (start, stop))
            rows = ngrams[order[first:last]]
            if SPARSE * len(rows) > stop - start:
                block = np.zeros((stop - start, dim), np.float32)
                block[buckets[first:last] - start] = rows
                file.seek(begin + 4 * dim * start)
                file.write(block.data)
                continue
            for bucket, row in zip(buckets[first:last].tolist(), rows, strict=True):
                file.seek(begin + 4 * dim * bucket)
                file.write(row.data)
        file.truncate(begin + 4 * dim * self.ngrams.buckets)


def ngrams_of(config: Config) -> Ngrams | None:
    """Returns the n-grams that a configuration asks for, or None."""
    lengths = config.model.ngram_lengths
    return None if lengths is None else Ngrams(*lengths, config.model.buckets)


def make_inputs(config: Config, words: Sequence[str], counts: np.ndarray) -> Inputs | None:
    """Returns the n-gram rows of the words, or None if the model has no n-grams. counts [V] and
    `sample` determine how often each n-gram is used."""
    ngrams = ngrams_of(config)
    if ngrams is None:
        return None
    starts, ids = ngrams.ids(words)
    all_buckets = config.start.init is not None
    buckets = np.arange(ngrams.buckets, dtype=np.int32) if all_buckets else np.unique(ids)
    rows = ids if all_buckets else np.searchsorted(buckets, ids)
    used = np.repeat(counts * keep_probabilities(counts, config.training.sample), np.diff(starts))
    order = np.argsort(-np.bincount(rows, used, len(buckets)), kind="stable")
    position = np.empty(len(order), np.int32)
    position[order] = np.arange(len(order), dtype=np.int32)
    return Inputs(ngrams, starts, position[rows], buckets[order])


def check_buckets(saved: np.ndarray, expected: np.ndarray) -> None:
    """Raises ValueError if the buckets in `saved` are those of another vocabulary."""
    if not np.array_equal(saved, expected):
        raise ValueError(f"{BUCKETS} are not those of this vocabulary")


def most_ngrams(config: Config, vocabulary: int) -> int:
    """Returns the approximate maximum number of n-gram rows for V = vocabulary."""
    buckets = config.model.buckets
    entries = _entries(ngrams_of(config), vocabulary)
    return buckets if entries and config.start.init is not None else min(buckets, entries)


def list_bytes(config: Config, vocabulary: int) -> int:
    """Returns the bytes of the lists of n-grams of V = vocabulary words."""
    entries = _entries(ngrams_of(config), vocabulary)
    return 8 * vocabulary + 4 * (entries + most_ngrams(config, vocabulary)) if entries else 0


def _entries(ngrams: Ngrams | None, vocabulary: int) -> int:
    """Returns the approximate number of n-grams of V = vocabulary words together."""
    if ngrams is None:
        return 0
    lengths = range(ngrams.shortest, ngrams.longest + 1)
    return vocabulary * sum(max(1, CHARACTERS + 1 - length) for length in lengths)
