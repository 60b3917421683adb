"""Words with one row each, and the computation of cosines, x·y / (|x| |y|).

The matrix may be memory-mapped: nothing here copies all of it, and rows are normalized to unit
length block by block.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from w2v.errors import InputError, shown
from w2v.vectors.ngrams import KEPT_WORDS, NgramRows

if TYPE_CHECKING:
    from w2v.settings.config import Config

# Floats in one block of rows or of scores: 16 MB, small compared with the matrix, but large enough
# to amortize the calls.
BLOCK_VALUES = 4 << 20


class WordRows:
    """Words, most frequent first, with one vector each.

    Attributes:
        words: a list of V strings.
        matrix: [V, D] float32; read-only and memory-mapped if it comes from a run directory or a
            .npy file.
        counts: [V] int64, how often each word occurs in the corpus; None if unknown.
        source: where the vectors come from, for error messages.
        warnings: sentences for the user about the file.
        run: the directory of the run that the vectors come from, if any.
        ngrams: the n-grams from which unknown words get vectors, if any.
    """

    run: Path | None = None
    ngrams: NgramRows | None = None

    def __init__(
        self,
        words: Sequence[str],
        matrix: np.ndarray,
        counts: np.ndarray | None = None,
        source: str = "the vectors",
        warnings: Sequence[str] = (),
    ) -> None:
        matrix = _numbers(matrix)
        if matrix.ndim != 2 or len(words) != len(matrix) or not matrix.shape[1]:
            raise InputError(f"{len(words)} words do not fit a matrix of shape {matrix.shape}")
        self.words = words if isinstance(words, list) else list(words)
        kinds = set(map(type, self.words))
        if isinstance(words, str) or not all(issubclass(kind, str) for kind in kinds):
            raise InputError("`words` must be a list of strings")
        if len(set(self.words)) < len(self.words):
            twice = next(word for word, count in Counter(self.words).items() if count > 1)
            raise InputError(f"`words` has {shown(twice)} more than once; each must be unique")
        self.matrix = matrix
        self.counts = None if counts is None else _checked_counts(counts, len(words))
        self.source = source
        self.warnings = tuple(warnings)

    def __len__(self) -> int:
        return len(self.words)

    @property
    def dim(self) -> int:
        """The dimension D of the vectors."""
        return int(self.matrix.shape[1])

    @cached_property
    def _index_of(self) -> dict[str, int]:
        return {word: row for row, word in enumerate(self.words)}

    def index(self, word: str) -> int | None:
        """Returns the word's row, or None."""
        return self._index_of.get(word) if isinstance(word, str) else None

    def has(self, word: str) -> bool:
        """Returns whether the word has a vector: it is in the vocabulary or has trained n-grams."""
        if not isinstance(word, str) or self.ngrams is None:
            return self.index(word) is not None
        return self.index(word) is not None or self.ngrams.has(word)

    def of(self, words: Sequence[str]) -> np.ndarray:
        """Returns a copy of the vectors of these words, [n, D] float32; each word must have one."""
        rows = [self.index(word) for word in words]
        vectors = np.array(self.matrix[[row or 0 for row in rows]], np.float32)
        unknown = [position for position, row in enumerate(rows) if row is None]
        if unknown and self.ngrams is not None:
            vectors[unknown] = self.ngrams.means([words[position] for position in unknown])
        return vectors

    def unit_of(self, words: Sequence[str]) -> np.ndarray:
        """Returns the unit vectors of these words, [n, D] float32; each word must have one."""
        vectors = self.of(words)
        return _unit(vectors, self._lengths(vectors, words))

    @cached_property
    def config(self) -> Config | None:
        """The settings of the run that the vectors come from, None if they come from no run."""
        if self.run is None or not (self.run / "config.yaml").is_file():
            return None
        from w2v.settings.build import build_config  # YAML takes 15 ms

        return build_config({}, self.run / "config.yaml")

    def made_of_ngrams(self) -> str | None:
        """Returns a sentence about the unknown words that have been looked up, None if none."""
        asked = [] if self.ngrams is None else [*self.ngrams.asked]
        if not asked:
            return None
        one = len(asked) == 1
        more = " or more" if len(asked) >= KEPT_WORDS else ""
        words = f"{len(asked):,}{more} {'word' if one else 'words'} ({shown(asked[0])}"
        lower = sum(self.index(word.lower()) is not None for word in asked)
        hint = f" ({lower:,} would be, in lower case)" if lower else ""
        where = f"{'' if one else ', …'}) {'is' if one else 'are'} not in the vocabulary{hint}"
        return f"{words}{where}: {'its vector comes' if one else 'their vectors come'} from n-grams"

    @cached_property
    def norms(self) -> np.ndarray:
        """Euclidean norms of the rows, [V] float64 (squares of float32 values can overflow
        float32). Raises InputError if a row contains NaN or infinity."""
        return self._lengths(self.matrix, self.words)

    def _lengths(self, rows: np.ndarray, words: Sequence[str]) -> np.ndarray:
        lengths = np.empty(len(rows), np.float64)
        step = max(1, BLOCK_VALUES // 4 // max(1, self.dim))
        for start in range(0, len(rows), step):
            with np.errstate(invalid="ignore"):  # NaN is reported below
                block = np.asarray(rows[start : start + step], np.float64)
            lengths[start : start + step] = np.sqrt(np.einsum("ij,ij->i", block, block))
        wrong = np.flatnonzero(~np.isfinite(lengths))
        if len(wrong):
            problem = f"the vector of {shown(words[wrong[0]])} holds NaN or infinity"
            raise InputError(f"{self.source}: {problem}; train again with a smaller `lr`")
        return lengths

    def unit(self, rows: slice | Sequence[int] | np.ndarray) -> np.ndarray:
        """Returns a copy of the chosen rows normalized to length 1, [n, D] float32; a row of zeros
        stays zero."""
        return _unit(self.matrix[rows], self.norms[rows])

    def neighbours(
        self,
        queries: np.ndarray,
        k: int,
        exclude: Sequence[Sequence[int]],
        *,
        scores: Callable[[np.ndarray], np.ndarray] | None = None,
        n_rows: int | None = None,
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Returns for each of `queries` [Q, D], unit vectors, the rows [≤ k] int64 with the highest
        cosines and these cosines [≤ k] float32, best first; ties go to the earlier row.

        Args:
            exclude: for each query, the rows that may not be returned.
            scores: ranks by another score: maps unit rows [n, D] to scores [Q, n] float32.
            n_rows: consider only the first n_rows rows; None: all.
        """
        queries = np.ascontiguousarray(queries, np.float32)
        best = [(np.empty(0, np.int64), np.empty(0, np.float32))] * len(queries)
        stop = len(self) if n_rows is None else min(n_rows, len(self))
        step = max(1, BLOCK_VALUES // max(self.dim, len(queries), 1))
        for start in range(0, stop, step):
            block = self.unit(slice(start, min(start + step, stop)))
            scored = queries @ block.T if scores is None else scores(block)
            for q, skip in enumerate(exclude):
                scored[q, [row - start for row in skip if 0 <= row - start < len(block)]] = -np.inf
                chosen = top(scored[q], k)
                rows = np.concatenate([best[q][0], chosen + start])
                values = np.concatenate([best[q][1], scored[q, chosen]])
                # The sort is stable and earlier blocks come first, therefore equal scores stay in
                # the order of the rows.
                order = np.argsort(-values, kind="stable")[:k]
                order = order[values[order] > -np.inf]
                best[q] = rows[order], values[order]
        return best


def _numbers(matrix: Any) -> np.ndarray:
    """Returns the matrix as float32; a memory map stays one."""
    try:
        array = matrix if isinstance(matrix, np.memmap) else np.asarray(matrix)
        if array.dtype.kind in "biufO" and not np.ma.is_masked(matrix):
            with np.errstate(over="ignore"):  # infinite values are reported where they are used
                return array.astype(np.float32, copy=False)
    except (TypeError, ValueError):
        pass
    raise InputError("`matrix` must be an array of numbers, a row for each word")


def _checked_counts(counts: Any, length: int) -> np.ndarray:
    array = np.asarray(counts)
    right = array.shape == (length,) and array.dtype.kind in "iuf"
    if not right or not ((array >= 0) & (array < 2**63) & (array == np.floor(array))).all():
        raise InputError(f"`counts` must be {length} whole numbers ≥ 0, one for each word")
    return array.astype(np.int64, copy=False)


def _unit(rows: np.ndarray, norms: np.ndarray) -> np.ndarray:
    lengths = np.where(norms > 0, norms, 1.0)[:, None]
    if len(lengths) and not 1e-30 < lengths.min() <= lengths.max() < 1e30:
        # float32 cannot represent such a length, or its reciprocal, at full precision.
        return np.asarray(rows / lengths, np.float32)
    return np.asarray(rows / lengths.astype(np.float32))


def top(scores: np.ndarray, k: int) -> np.ndarray:
    """Returns the positions of the k highest scores [n], best first; ties go to the earlier."""
    if k >= len(scores):
        return np.argsort(-scores, kind="stable")
    threshold = np.partition(scores, len(scores) - k)[len(scores) - k]
    above = np.flatnonzero(scores > threshold)
    equal = np.flatnonzero(scores == threshold)[: k - len(above)]
    return np.concatenate([above[np.argsort(-scores[above], kind="stable")], equal])
