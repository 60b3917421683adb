"""Rewrites a text with phrases joined: several words become one.

Joining goes from left to right, takes the longest phrase that begins at a word, and continues after
it. A phrase never spans a line end.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import IO

import numpy as np

from w2v.corpus.store import ID_TYPE, LINE_END_ID, PART_IDS, TokenStore, id_parts, map_ids, ranked
from w2v.system.files import temporary_file

Parts = tuple[str, ...]
SIEVE_BITS = 22


def joined(store: TokenStore, phrases: Mapping[Parts, str]) -> TokenStore:
    """Returns the text with `phrases` (parts -> the word that replaces them) joined, and closes
    `store`. Raises RunError if the disk for temporary files is full."""
    import pyarrow as pa  # takes 0.1 s

    words = list(store.vocabulary.words)
    trie = _Trie.of(words, phrases)
    words += trie.new
    with temporary_file() as file:
        counts = np.zeros(len(words) + 1, dtype=np.int64)
        for part in _joined_parts(store.ids, trie):
            counts += np.bincount(part + 1, minlength=len(counts))
            file.write(part.data)
        file.flush()
        vocabulary, ranks, _ = ranked(pa.array(words, pa.large_string()), counts[1:])
        size = int(counts.sum())
        _renumber(file, size, np.append(ranks, ID_TYPE.type(LINE_END_ID)))
        ids = map_ids(file, size)
    result = replace(store, ids=ids, vocabulary=vocabulary, n_words=int(counts[1:].sum()))
    store.close()
    return result


def _renumber(file: IO[bytes], size: int, ranks: np.ndarray) -> None:
    """Replaces ids by ranks in place; -1 stays, since it indexes the last element of `ranks`."""
    for start in range(0, size, PART_IDS):
        n_bytes = min(PART_IDS, size - start) * ID_TYPE.itemsize
        part = np.frombuffer(os.pread(file.fileno(), n_bytes, start * ID_TYPE.itemsize), ID_TYPE)
        os.pwrite(file.fileno(), ranks[part].data, start * ID_TYPE.itemsize)


def _joined_parts(ids: np.ndarray, trie: _Trie) -> Iterator[np.ndarray]:
    """Yields the ids of the joined text, a few million at a time."""
    rest, n_read = ids[:0], 0
    for part in id_parts(ids):
        n_read += len(part)
        stretch = np.concatenate([rest, part])
        # the last words may begin a phrase that ends in the next part
        stop = len(stretch) if n_read == len(ids) else max(0, len(stretch) - trie.longest + 1)
        starts, sizes, words = trie.find(stretch, stop)
        end = max(stop, int(starts[-1] + sizes[-1])) if len(starts) else stop
        keep = np.ones(end, dtype=bool)
        for offset in range(1, trie.longest):
            keep[starts[sizes > offset] + offset] = False
        output = stretch[:end].copy()
        output[starts] = words
        yield output[keep]
        rest = stretch[end:]


@dataclass(frozen=True)
class _Trie:
    """A trie of phrases. Its letters are numbers of the words that occur in phrases; the key of an
    edge is node * size + letter."""

    letters: np.ndarray  # int64 [V + 1], -1: in no phrase; the last is the line end's
    size: int  # of the alphabet
    edges: np.ndarray  # int64 [E], keys, sorted
    nodes: np.ndarray  # int64 [E], the node that each edge leads to
    sieve: np.ndarray  # bool [2^SIEVE_BITS], true at the hash of every edge: rejects most others
    words: np.ndarray  # int64 [nodes], id of the phrase that ends at the node; -1: none does
    longest: int  # the largest number of parts of a phrase
    new: list[str]  # joined words that the vocabulary lacks; their ids begin at V

    @classmethod
    def of(cls, words: list[str], phrases: Mapping[Parts, str]) -> _Trie:
        """Builds the trie of those phrases whose parts are all among `words`."""
        needed = {part for parts, word in phrases.items() for part in (*parts, word)}
        id_of = {word: i for i, word in enumerate(words) if word in needed}
        known = {parts: word for parts, word in phrases.items() if all(p in id_of for p in parts)}
        letter_of = {part: n for n, part in enumerate(dict.fromkeys(p for ps in known for p in ps))}
        letters = np.full(len(words) + 1, -1, dtype=np.int64)
        letters[[id_of[part] for part in letter_of]] = np.arange(len(letter_of))
        new: list[str] = []
        edges: dict[int, int] = {}
        word_at = [-1]
        for parts, word in known.items():
            node = 0
            for part in parts:
                node = edges.setdefault(node * len(letter_of) + letter_of[part], len(word_at))
                word_at += [-1] * (node == len(word_at))
            if word not in id_of:
                id_of[word] = len(words) + len(new)
                new.append(word)
            word_at[node] = id_of[word]
        keys = np.fromiter(edges, np.int64, len(edges))
        nodes = np.fromiter(edges.values(), np.int64, len(edges))
        order, longest = np.argsort(keys), max(map(len, known), default=1)
        sieve = np.zeros(1 << SIEVE_BITS, dtype=bool)
        sieve[_hashes(keys)] = True
        table = keys[order], nodes[order], sieve, np.array(word_at)
        return cls(letters, len(letter_of), *table, longest, new)

    def find(self, stretch: np.ndarray, stop: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns the phrases that begin before `stop`: their positions, their lengths in words,
        and the ids that replace them. They do not overlap."""
        letters = self.letters[stretch]
        positions = np.flatnonzero(letters[:stop] >= 0)
        node, start = np.zeros(len(positions), dtype=np.int64), positions
        size, word = np.zeros((2, len(positions)), dtype=np.int64)
        alive = np.arange(len(positions))  # the positions whose words so far lead to a node
        for depth in range(self.longest):
            alive = alive[start[alive] + depth < len(stretch)]
            letter = letters[start[alive] + depth]
            alive, letter = alive[letter >= 0], letter[letter >= 0]
            keys = node[alive] * self.size + letter
            passed = self.sieve[_hashes(keys)]
            alive, keys = alive[passed], keys[passed]
            edge = np.minimum(np.searchsorted(self.edges, keys), len(self.edges) - 1)
            hit = self.edges[edge] == keys
            alive = alive[hit]
            node[alive] = self.nodes[edge[hit]]
            word_at = self.words[node[alive]]
            ended = alive[word_at >= 0]
            size[ended], word[ended] = depth + 1, word_at[word_at >= 0]
        chosen = np.flatnonzero(size)
        chosen = chosen[_first_ones(start[chosen], start[chosen] + size[chosen])]
        return start[chosen], size[chosen], word[chosen]


def _hashes(keys: np.ndarray) -> np.ndarray:
    """Returns a hash of SIEVE_BITS bits of each key (multiplicative hashing)."""
    return (keys.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(64 - SIEVE_BITS)


def _first_ones(starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Returns for each span, sorted by start, whether a greedy pass from left to right takes it: it
    does unless the span overlaps the one taken last."""
    taken = np.ones(len(starts), dtype=bool)
    overlaps = np.flatnonzero(starts[1:] < np.maximum.accumulate(ends)[:-1]) + 1
    for i in overlaps.tolist():  # only a few spans overlap
        before = i - 1
        while not taken[before]:
            before -= 1
        taken[i] = starts[i] >= ends[before]
    return taken
