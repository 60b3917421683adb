"""Reads and writes fastText models (.bin): one row per word, and rows of character n-grams.

All numbers are little-endian:
    magic, version                        2 int32
    arguments                             12 int32 (see Arguments), float64: the threshold t
    entries, words, labels                3 int32, then 2 int64: words seen, and pruned n-grams
                                          (-1: none pruned)
    for each entry                        UTF-8, a zero byte, its count int64, 1 for a label int8
    quantised                             int8; quantised models are not supported
    input: rows, D                        2 int64, then float32 [words + buckets, D]
    output quantised                      int8
    output: rows, D                       2 int64, then float32 [words or labels, D]

A word's vector is the mean of its own row and those of its n-grams. The reader accepts skip-gram
and CBOW models, and the words of classifiers. The output matrix is skipped when reading, and
written as zeros, for negative sampling.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import numpy as np

from w2v.corpus.ngrams import LONGEST_WORD, Ngrams
from w2v.errors import InputError
from w2v.system.limits import MANY_WORD_BYTES, MAX_DIM, MAX_WORD_BYTES, MEAN_WORD_BYTES
from w2v.vectors.content import Part, VectorStream, damaged
from w2v.vectors.ngrams import NgramRows
from w2v.vectors.precision import check_finite

if TYPE_CHECKING:
    from w2v.settings.config import Config

MAGIC = b"\xba\x16\x4f\x2f"
VERSION = 12  # version 11 had no n-grams in classifiers
HEAD, FIGURES, SHAPE = struct.Struct("<4si12id"), struct.Struct("<3i2q"), struct.Struct("<2q")
ENTRY = struct.Struct("<qb")  # after each word
CBOW, SKIP_GRAM, CLASSIFIER = MODELS = (1, 2, 3)
ALL_NGRAMS = -1  # in place of the number of pruned n-grams
MOST = 2**31 - 1
LONGEST = 99  # characters of an n-gram: bounds the number of n-grams that a file can claim
BLOCK_WORDS = 8192
SAMPLED = 1000  # n-grams by which it is decided who wrote a file


class Arguments(NamedTuple):
    """fastText's training arguments, in the order of the file; `bucket`, `minn` and `maxn` define
    the n-grams."""

    dim: int
    ws: int = 5
    epoch: int = 5
    min_count: int = 1
    neg: int = 5
    word_ngrams: int = 1
    loss: int = 2  # negative sampling
    model: int = SKIP_GRAM
    bucket: int = 0
    minn: int = 0
    maxn: int = 0
    lr_update_rate: int = 100
    t: float = 1e-4


class _File:
    """Reads a file from its beginning on; raises InputError where it ends too early."""

    def __init__(self, path: Path, name: str) -> None:
        with open(path, "rb") as file:
            self.data = mmap(file.fileno(), 0, access=ACCESS_READ)
        self.name, self.position = name, 0

    @property
    def remaining(self) -> int:
        return len(self.data) - self.position

    def damaged(self, problem: str) -> InputError:
        return damaged(self.name, problem)

    def take(self, form: struct.Struct) -> tuple[Any, ...]:
        self.need(form.size)
        values = form.unpack_from(self.data, self.position)
        self.position += form.size
        return values

    def flag(self) -> bool:
        return bool(self.take(struct.Struct("<b"))[0])

    def need(self, size: int) -> None:
        if size > self.remaining:
            problem = f"{size:,} more bytes should follow, but only {max(0, self.remaining):,} do"
            raise self.damaged(problem)

    def matrix(self, name: str) -> np.ndarray:
        """Returns the next matrix, memory-mapped."""
        rows, dim = self.take(SHAPE)
        if rows < 0 or not 1 <= dim <= MAX_DIM:
            raise self.damaged(f"its {name} has {rows:,} rows of {dim:,} numbers")
        self.need(4 * rows * dim)
        values = np.frombuffer(self.data, "<f4", rows * dim, self.position).reshape(rows, dim)
        self.position += 4 * rows * dim
        return values


class _Words(NamedTuple):
    raw: list[bytes]
    counts: np.ndarray


def is_fasttext(sample: bytes) -> bool:
    """Returns whether a file with these first bytes is a fastText model."""
    return sample.startswith(MAGIC)


def read_fasttext(path: Path, stream: VectorStream) -> tuple[Iterator[Part], NgramRows | None]:
    """Returns the words with their vectors, and the memory-mapped rows of the n-grams, if any.
    Raises InputError if the file is damaged, quantised, or of a newer version."""
    file = _File(path, stream.name)
    _, version, *numbers = file.take(HEAD)
    arguments = Arguments(*numbers)
    if version > VERSION:
        problem = f"is a fastText model of version {version}, newer than {VERSION}"
        raise InputError(f"{stream.name} {problem}; save its vectors as .vec with fastText")
    if arguments.model not in MODELS:
        raise file.damaged(f"it is a fastText model of unknown kind {arguments.model}")
    if version == VERSION - 1 and arguments.model == CLASSIFIER:
        arguments = arguments._replace(maxn=0)
    words = _read_words(file, stream, is_classifier=arguments.model == CLASSIFIER)
    ngrams = Ngrams(arguments.minn, max(0, arguments.maxn), arguments.bucket)
    rows = file.matrix("input")
    file.flag()
    file.matrix("output")
    if file.remaining:
        raise file.damaged(f"{file.remaining:,} bytes follow the last matrix")
    n_words, expected = len(words.raw), (len(words.raw) + ngrams.buckets, arguments.dim)
    if ngrams.buckets < 0 or rows.shape != expected:
        problem = f"its input has {rows.shape[0]:,} x {rows.shape[1]:,} numbers"
        raise file.damaged(f"{problem} instead of {expected[0]:,} x {expected[1]:,}")
    trained = None
    if max(1, ngrams.shortest) <= ngrams.longest:
        if not ngrams.buckets or ngrams.longest > LONGEST:
            problem = f"its n-grams have up to {ngrams.longest} characters"
            raise file.damaged(f"{problem} in {ngrams.buckets} buckets")
        trained = NgramRows(ngrams, rows[n_words:])
        for start in range(0, n_words, BLOCK_WORDS):
            trained.learn(_spelt(words.raw[start : start + BLOCK_WORDS]))
        assert trained.learnt is not None
        others = np.flatnonzero(~trained.learnt)
        if not trained.rows[others[:: len(others) // SAMPLED + 1]].any(axis=1).all():
            trained.learnt = None  # ours: what no word has learnt, not even of an `init`, is zeros
    return _parts(words, rows, trained, stream), trained


def _read_words(file: _File, stream: VectorStream, *, is_classifier: bool) -> _Words:
    """Returns the words and their counts, and leaves `file` after the flag for quantised models."""
    entries, n_words, labels, _, pruned = file.take(FIGURES)
    if n_words < 1 or labels < 0 or entries != n_words + labels:
        raise file.damaged(f"it has {entries:,} entries, {n_words:,} words and {labels:,} labels")
    file.need(entries * (1 + ENTRY.size))
    raw, counts, word_bytes = [], [], 0
    for number in range(entries):
        end = file.data.find(b"\0", file.position, file.position + MAX_WORD_BYTES + 1)
        if end < 0:
            raise file.damaged(f"its word {number + 1:,} has no end")
        word = file.data[file.position : end]
        file.position = end + 1
        count, is_label = file.take(ENTRY)
        if is_label != (number >= n_words):
            raise file.damaged(f"its word {number + 1:,} is a label, or the other way round")
        word_bytes += len(word)
        if word_bytes > MANY_WORD_BYTES + MEAN_WORD_BYTES * (number + 1):
            raise file.damaged(f"its words have more than {MEAN_WORD_BYTES} bytes on average")
        if not is_label:
            raw.append(word)
            counts.append(count)
    if pruned > 0:
        file.need(8 * pruned)
        file.position += 8 * pruned
    if file.flag():
        remedy = "use the model before fasttext quantize"
        raise InputError(f"{stream.name} is quantised (.ftz), which is not supported: {remedy}")
    if pruned > ALL_NGRAMS:
        raise InputError(f"{stream.name} has pruned n-grams, which even fastText does not read")
    if is_classifier:
        stream.warnings.append(
            f"{stream.name} is a fastText classifier: its {labels:,} labels were left out"
        )
    return _Words(raw, np.array(counts, np.int64))


def _parts(
    words: _Words, rows: np.ndarray, ngrams: NgramRows | None, stream: VectorStream
) -> Iterator[Part]:
    """Yields the words with their vectors, BLOCK_WORDS at a time."""
    name, stop = stream.name, min(stream.limit or len(words.raw), len(words.raw))
    for start in range(0, stop, BLOCK_WORDS):
        block = slice(start, min(start + BLOCK_WORDS, stop))
        raw, vectors = words.raw[block], rows[block]
        if ngrams is not None:
            spelt = _spelt(raw)
            if max(map(len, spelt)) > LONGEST_WORD:
                raise damaged(name, f"it has a word of more than {LONGEST_WORD:,} characters")
            vectors = ngrams.full(spelt, vectors)
        yield Part(raw, np.asarray(vectors, np.float32), words.counts[block])


def _spelt(raw: Sequence[bytes]) -> list[str]:
    """Decodes words such that their n-grams are those of these bytes, even if not valid UTF-8."""
    return [word.decode("utf-8", "surrogateescape") for word in raw]


def write_fasttext(
    file: IO[bytes],
    words: Sequence[str],
    matrix: np.ndarray,
    counts: np.ndarray | None,
    ngrams: NgramRows | None,
    config: Config | None,
) -> None:
    """Writes a model in which the words have the vectors `matrix` [V, D]. Without `counts`, each
    word has count 1; arguments that `config` does not provide have fastText's defaults."""
    (n_words, dim), rows = matrix.shape, 0
    arguments = _arguments(dim, config)
    if ngrams is not None:
        shortest, longest, rows = ngrams.ngrams
        arguments = arguments._replace(bucket=rows, minn=shortest, maxn=longest)
    numbers = np.ones(n_words, np.int64) if counts is None else np.maximum(counts, 1)
    file.write(HEAD.pack(MAGIC, VERSION, *arguments))
    file.write(FIGURES.pack(n_words, n_words, 0, int(numbers.sum()), ALL_NGRAMS))
    for word, count in zip(words, numbers.tolist(), strict=True):
        file.write(b"%b\0%b" % (word.encode("utf-8"), ENTRY.pack(count, 0)))

    def own_rows(start: int, stop: int) -> np.ndarray:
        block = np.asarray(matrix[start:stop])
        if ngrams is None:
            return block
        block = ngrams.own(words[start:stop], block)
        remedy = "train with a smaller `lr`"
        check_finite(
            block, words[start:stop], "in float32, without its n-grams, the vector of", remedy
        )
        return block

    file.write(b"\0" + SHAPE.pack(n_words + rows, dim))
    _write_rows(file, n_words, own_rows)
    if ngrams is not None:
        _write_rows(file, rows, lambda start, stop: ngrams.rows[start:stop])
    file.write(b"\0" + SHAPE.pack(n_words, dim))
    _write_rows(file, n_words, lambda start, stop: np.zeros((stop - start, dim), np.float32))


def _arguments(dim: int, config: Config | None) -> Arguments:
    arguments = Arguments(dim)
    if config is None or not config.only_vectors:
        return arguments
    return arguments._replace(
        ws=min(config.model.window, MOST),
        epoch=min(config.training.epochs, MOST),
        min_count=min(config.corpus.min_count, MOST),
        neg=config.as_dict().get("negatives", arguments.neg),
        model=CBOW if config.model.model == "cbow" else SKIP_GRAM,
        t=config.training.sample,
    )


def _write_rows(file: IO[bytes], rows: int, part: Callable[[int, int], np.ndarray]) -> None:
    for start in range(0, rows, BLOCK_WORDS):
        block = part(start, min(start + BLOCK_WORDS, rows))
        file.write(np.ascontiguousarray(block, "<f4").data)
