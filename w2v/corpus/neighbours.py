"""Counts the pairs of adjacent words of a text.

If there are connectors ("of", "the"), a row of them, a bridge, may stand between the two words of a
pair, as in "bank of america"; a connector neither begins nor ends a pair. Pairs do not span lines.

Memory is bounded: the first words of pairs are divided into ranges that together occur about
RANGE_WORDS times, and the text is read once for each range. The counts are exact, whatever the
number of ranges.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np

from w2v.corpus.store import TokenStore, id_parts
from w2v.system.cores import available_cores

RANGE_WORDS = 8 << 20  # about 150 MB per thread
MAX_BRIDGE = 8  # connectors in a bridge (fewer if there are many kinds); a longer row makes no pair


@dataclass(frozen=True)
class Bridges:
    """The rows of connectors that occur between two words of a text. The code of a row is a number
    to the base (number of connectors + 1) with one digit for each connector; a bridge is an index
    into the sorted codes. Bridge 0, with code 0, is the empty row."""

    digits: np.ndarray  # int64 [V + 1], 0 for other words and, last, for the line end
    codes: np.ndarray  # int64 [B], sorted; the first is 0

    @classmethod
    def of(cls, store: TokenStore, connectors: frozenset[str]) -> Bridges:
        """Returns the bridges that occur in the text."""
        digits = np.zeros(len(store.vocabulary) + 1, dtype=np.int64)
        bridges = cls(digits, np.zeros(1, dtype=np.int64))
        if connectors:
            words = enumerate(store.vocabulary.words)
            rows = [row for row, word in words if word in connectors]
            digits[rows] = np.arange(1, len(rows) + 1)
            parts = [np.unique(bridges._codes(part)[1]) for part in stretches(store.ids, bridges)]
            codes = np.unique(np.concatenate([[0], *parts]))
            bridges = cls(digits, codes[codes >= 0])
        return bridges

    @cached_property
    def base(self) -> int:
        return int(self.digits.max()) + 1

    @cached_property
    def longest(self) -> int:
        """The largest number of connectors in a row, such that the code fits 63 bits."""
        return min(MAX_BRIDGE, int(63 / np.log2(self.base))) if self.base > 1 else 0

    def row(self, bridge: int) -> list[int]:
        """Returns the ids of the connectors of a bridge."""
        code, ids = int(self.codes[bridge]), []
        while code:
            code, digit = divmod(code, self.base)
            ids.append(int(np.flatnonzero(self.digits == digit)[0]))
        return ids[::-1]

    def find(self, stretch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the words of a stretch of ids without its connectors, int64 [n], -1 for a line
        end, and the bridge between each two of them, int64 [n - 1], -1 if they are not a pair."""
        words, codes = self._codes(stretch)
        linked = np.flatnonzero(codes > 0)
        codes[linked] = np.searchsorted(self.codes, codes[linked])
        return words, codes

    def _codes(self, stretch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns what `find` does, with codes in place of bridges."""
        if self.base == 1:
            words, codes = stretch.astype(np.int64), np.zeros(max(len(stretch) - 1, 0), np.int64)
        else:
            digits = self.digits[stretch]
            positions = np.flatnonzero(digits == 0)
            words, gaps = stretch[positions].astype(np.int64), np.diff(positions) - 1
            codes = np.where(gaps > self.longest, -1, 0)
            bridged = np.flatnonzero((gaps > 0) & (codes == 0))
            for length in range(1, self.longest + 1):
                codes[bridged] = codes[bridged] * self.base + digits[positions[bridged] + length]
                bridged = bridged[gaps[bridged] > length]
        codes[(words[:-1] < 0) | (words[1:] < 0)] = -1
        return words, codes


def stretches(ids: np.ndarray, bridges: Bridges) -> Iterator[np.ndarray]:
    """Yields the text in stretches, each beginning with the last word of the previous one and the
    connectors after that word, so that no pair is missed."""
    rest = ids[:0]
    for part in id_parts(ids):
        stretch = np.concatenate([rest, part])
        yield stretch
        tail = stretch[-1 - bridges.longest :]
        words = np.flatnonzero(bridges.digits[tail] == 0)
        rest = tail[words[-1] :].copy() if len(words) and tail[words[-1]] >= 0 else ids[:0]


class PairCounts(NamedTuple):
    """P frequent pairs, and the number of all distinct pairs."""

    first: np.ndarray  # int64 [P], ids
    bridge: np.ndarray  # int64 [P], see Bridges
    second: np.ndarray  # int64 [P], ids
    counts: np.ndarray  # int64 [P]
    distinct: int


def count_pairs(store: TokenStore, bridges: Bridges, min_count: int) -> PairCounts:
    """Returns the pairs of a text that occur at least `min_count` times, sorted by first word,
    bridge and second word."""
    size, kinds = len(store.vocabulary), len(bridges.codes)
    borders = _ranges(store.vocabulary.counts, size * kinds)
    count = partial(_count_range, store.ids, bridges, size, min_count)
    with ThreadPoolExecutor(available_cores()) as pool:
        counted = list(pool.map(count, borders[:-1], borders[1:]))
    keys, counts, distinct = zip(*counted, strict=True)
    starts = np.concatenate(
        [key // (size * kinds) + low for key, low in zip(keys, borders, strict=False)]
    )
    others = np.concatenate(keys) % (size * kinds)
    return PairCounts(starts, others // size, others % size, np.concatenate(counts), sum(distinct))


def _ranges(counts: np.ndarray, followers: int) -> list[int]:
    """Returns the borders of the ranges of first words: as few as memory allows, but at least one
    per core, and none whose keys exceed 64 bits."""
    total = int(counts.sum())
    number = max(-(-total // RANGE_WORDS), available_cores())
    ends = np.searchsorted(np.cumsum(counts), np.arange(1, number) * (total / number)) + 1
    most = max(1, (2**63 - 1) // max(followers, 1))
    borders = {0, len(counts), *ends[ends < len(counts)].tolist(), *range(0, len(counts), most)}
    return sorted(borders)


def _count_range(
    ids: np.ndarray, bridges: Bridges, size: int, min_count: int, low: int, high: int
) -> tuple[np.ndarray, np.ndarray, int]:
    """Counts the pairs whose first word is low … high - 1. A pair's key combines (first word - low,
    bridge, second word) as the digits of one number. Returns keys and counts of the pairs that
    occur at least `min_count` times, and the number of all distinct pairs."""
    kinds = len(bridges.codes)
    keys, counts = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    gathered = [(keys, counts)]
    for stretch in stretches(ids, bridges):
        words, bridge = bridges.find(stretch)
        first = words[:-1]
        pairs = np.flatnonzero((bridge >= 0) & (first >= low) & (first < high))
        key = ((first[pairs] - low) * kinds + bridge[pairs]) * size + words[1:][pairs]
        key.sort()
        gathered.append(_summed(key, np.ones(len(key), dtype=np.int64)))
        if sum(len(each) for each, _ in gathered[1:]) > RANGE_WORDS + len(gathered[0][0]):
            gathered = [_merged(gathered)]
    keys, counts = _merged(gathered)
    often = counts >= min_count
    return keys[often], counts[often], len(keys)


def _merged(gathered: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    keys = np.concatenate([keys for keys, _ in gathered])
    counts = np.concatenate([counts for _, counts in gathered])
    order = np.argsort(keys)
    return _summed(keys[order], counts[order])


def _summed(keys: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the distinct ones among sorted keys, and the sum of the counts of each."""
    if not len(keys):
        return keys, counts
    begins = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    return keys[begins], np.add.reduceat(counts, begins)
