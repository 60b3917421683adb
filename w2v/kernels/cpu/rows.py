"""Chooses the output rows that a window scores: the inner nodes on the target's path, the target
and noise words, or both.

Rows are chosen and prefetched a few windows ahead, in a ring of slots. A slot holds for each tile:
the addresses of the rows, labels, offsets added to the scores, and weights (0 for padding and for
noise words that equal the target, otherwise 1). Labels, offsets and weights take 8 floats per tile,
whatever its width. With both kinds of rows, the path comes first, padded to whole tiles.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from numba import float32, int32, int64, uint32

from w2v.kernels.cpu import vector as v
from w2v.kernels.cpu.parts import inlined
from w2v.kernels.cpu.random import below, step
from w2v.kernels.plan import NOISE, PATH

SLOTS = 4  # a power of two greater than AHEAD
AHEAD = 2  # windows between choosing rows and using them, to hide the memory latency
NEAR_ROOT = 1024  # of this many nodes at least one is used in almost every window


class RowAddresses(NamedTuple):
    """Addresses of the rows of a table for one thread.

    shared: the rows shared by all threads. own: this thread's copies of the first `hot` rows (the
    most frequent words, the nodes nearest the root). base: the values of these copies at the last
    merge. uses: int32 counts of how often this thread has used each of them since then, and one
    more count for all other rows.
    """

    shared: int
    own: int
    base: int
    uses: int
    hot: int


class Matrices(NamedTuple):
    """The tables: input rows of words and of n-grams, output rows of inner nodes and of words,
    biases (NCE), and -log Z if it is learned. Without thread-own rows, log_z.own equals
    log_z.shared."""

    input: RowAddresses
    ngrams: RowAddresses
    path: RowAddresses
    noise: RowAddresses
    bias: RowAddresses
    log_z: RowAddresses


class Choice(NamedTuple):
    """Addresses of the tables from which output rows are chosen, and their sizes.

    noise: alias table [V] of 8 bytes per cell: how many of 2^32 draws give the cell's own word, and
    the word that the other draws give. offsets [V]: added to the scores. negatives: noise words per
    target. vocabulary: V. starts [V + 1] int64, steps int32 = node · 2 + label: the paths in CSR
    form.
    """

    noise: int
    offsets: int
    negatives: int
    vocabulary: int
    starts: int
    steps: int


class Slots(NamedTuple):
    """The ring of slots: addresses of its arrays, and their bytes per slot (row_bytes for rows and
    biases, lane_bytes for labels, offsets and weights). zero_row: the address of a row of zeros."""

    row_bytes: int
    lane_bytes: int
    zero_row: int
    rows: int
    biases: int
    labels: int
    offsets: int
    weights: int


@inlined
def row_of(table: Any, index: Any, size: int) -> int:
    """Returns the address of a row of `size` bytes: of this thread's own copy if there is one."""
    return (table.own if index < table.hot else table.shared) + int64(index) * size


@inlined
def count_use(table: Any, index: Any) -> None:
    """Counts a use of a row. Rows without own copies share the count after the last, because a
    branch would often be mispredicted."""
    at = table.uses + 4 * min(int64(index), table.hot)
    v.write_int(at, int32(v.read_int(at) + 1))


@inlined
def choose_noise(
    state: Any, target: Any, slot: int, slots: Any, m: Any, choice: Any, width: int, size: int,
    offset: int, skip_hits: int, bias: int, after_path: int,
) -> Any:  # fmt: skip
    """Writes target and noise words to the slot; returns the random state. Noise is drawn with
    Walker's alias method.

    after_path: 1 writes them after the path, whose length varies, so that labels and padding must
    be written too.
    """
    lanes, rows = slot * slots.lane_bytes, slot * slots.row_bytes
    first = int64(0)
    if after_path:
        first = padded_path(target, choice, width)
    for k in range(choice.negatives + 1):
        at = lanes + (first + k) // width * 32 + (first + k) % width * 4
        word = target
        weight = float32(1)
        if k > 0:
            state = step(state)
            cell = int64(below(state, choice.vocabulary))
            entry = v.read_long(choice.noise + 8 * cell)
            word = int32(cell) if uint32(state) < uint32(entry) else int32(entry >> 32)
            if skip_hits and word == target:
                weight = float32(0)
        if after_path:
            v.write_float(slots.labels + at, float32(1) if k == 0 else float32(0))
        if after_path or (skip_hits and k > 0):
            v.write_float(slots.weights + at, weight)
        if offset:
            v.write_float(slots.offsets + at, v.read_float(choice.offsets + 4 * int64(word)))
        if bias:
            v.write_long(slots.biases + rows + 8 * k, row_of(m.bias, word, 4))
        row = row_of(m.noise, word, size)
        v.write_long(slots.rows + rows + 8 * (first + k), row)
        v.prefetch_row(row, size)
        count_use(m.noise, word)
    if after_path:
        for k in range(first + choice.negatives + 1, padded(first + choice.negatives + 1, width)):
            v.write_float(slots.weights + lanes + k // width * 32 + k % width * 4, float32(0))
            v.write_long(slots.rows + rows + 8 * k, slots.zero_row)
    return state


@inlined
def choose_path(
    target: Any, slot: int, slots: Any, m: Any, choice: Any, width: int, size: int
) -> None:
    """Writes the inner nodes on the target's path to the slot, root first; pads the last tile."""
    lanes, rows = slot * slots.lane_bytes, slot * slots.row_bytes
    start = v.read_long(choice.starts + 8 * int64(target))
    count = v.read_long(choice.starts + 8 * int64(target) + 8) - start
    for k in range(padded(count, width)):
        at = lanes + k // width * 32 + k % width * 4
        if k >= count:
            v.write_float(slots.weights + at, float32(0))
            v.write_long(slots.rows + rows + 8 * k, slots.zero_row)
            continue
        path_step = int64(v.read_int(choice.steps + 4 * (start + k)))
        node = path_step >> 1
        v.write_float(slots.labels + at, float32(path_step & 1))
        v.write_float(slots.weights + at, float32(1))
        row = row_of(m.path, node, size)
        v.write_long(slots.rows + rows + 8 * k, row)
        count_use(m.path, node)
        if node >= NEAR_ROOT:  # nodes nearer the root are always in the cache
            v.prefetch_row(row, size)


@inlined
def padded(count: int, width: int) -> int:
    """Returns `count` rounded up to whole tiles."""
    return (count + width - 1) // width * width


@inlined
def padded_path(target: Any, choice: Any, width: int) -> int:
    """Returns how many rows the tiles of a target's path hold."""
    at = choice.starts + 8 * int64(target)
    return padded(v.read_long(at + 8) - v.read_long(at), width)


@inlined
def rows_of(target: Any, choice: Any, rows: int, width: int) -> int:
    """Returns how many output rows the target has; `rows`: PATH, NOISE or both."""
    if rows == NOISE:
        return choice.negatives + 1
    if rows == PATH:
        at = choice.starts + 8 * int64(target)
        return v.read_long(at + 8) - v.read_long(at)
    return padded_path(target, choice, width) + choice.negatives + 1
