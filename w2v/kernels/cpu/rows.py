"""Which output rows a window scores: the inner nodes on the target's path, or the target and noise words.

Rows are chosen, and prefetched, a few windows ahead, into a ring of slots. A slot holds, tile by tile: addresses of
the rows, labels, offsets added to the scores, and
0/1 weights (0 = padding, or a noise word that hit the target). Labels, offsets and weights take 8 floats a tile,
however narrow the tile is.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from numba import float32, int32, int64, njit, uint32

from w2v.kernels.cpu.random import below, step
from w2v.kernels.cpu.vector import prefetch_row, read_float, read_int, read_long, read_unsigned, write_float, write_long

SLOTS = 4  # a power of two above AHEAD
AHEAD = 2  # windows between the choice of rows and their use: covers the latency of memory


class Matrices(NamedTuple):
    """Addresses of the two matrices, of this thread's own copies of their first rows (the most frequent words, the
    nodes nearest the root) and of what those copies were at the last merge; how many rows are thread-own; the biases
    (NCE) in the same three forms, `shared_bias` being -log Z when it is learnt. With no thread-own rows,
    own_shared_bias is shared_bias."""

    w_in: int
    own_in: int
    base_in: int
    hot_in: int
    w_out: int
    own_out: int
    base_out: int
    hot_out: int
    bias: int
    own_bias: int
    base_bias: int
    shared_bias: int
    own_shared_bias: int
    base_shared_bias: int


class Choice(NamedTuple):
    """Addresses of what rows are chosen by: alias table [V] and offsets [V], or paths in CSR form (int64 starts [V +
    1], int32 steps = node · 2 + label)."""

    accept: int
    alias: int
    offsets: int
    negatives: int
    vocabulary: int
    starts: int
    steps: int


class Slots(NamedTuple):
    """Addresses of the ring of slots, and its sizes in bytes per slot."""

    rows: int
    biases: int
    labels: int
    offsets: int
    weights: int
    row_bytes: int
    lane_bytes: int
    zero_row: int


@njit(nogil=True, boundscheck=False, forceinline=True)
def word_row(matrix: int, own: int, hot: int, word: Any, size: int) -> int:
    """The address of a word's (or node's) row: this thread's own copy if it is one of the hot ones."""
    return (own if word < hot else matrix) + int64(word) * size


@njit(nogil=True, boundscheck=False, forceinline=True)
def choose_noise(
    state: Any,
    target: Any,
    slot: int,
    slots: Any,
    m: Any,
    choice: Any,
    width: int,
    size: int,
    offset: int,
    skip_hits: int,
    bias: int,
) -> Any:
    """Target and noise words -> slot; returns the state of the random numbers. Noise is drawn by Walker's alias
    method."""
    lanes = slot * slots.lane_bytes
    for k in range(choice.negatives + 1):
        place = lanes + k // width * 32 + k % width * 4
        word = target
        if k > 0:
            state = step(state)
            cell = int64(below(state, choice.vocabulary))
            word = (
                int32(cell)
                if uint32(state) < read_unsigned(choice.accept + 4 * cell)
                else read_int(choice.alias + 4 * cell)
            )
            if skip_hits:
                write_float(slots.weights + place, float32(0) if word == target else float32(1))
        if offset:
            write_float(slots.offsets + place, read_float(choice.offsets + 4 * int64(word)))
        if bias:
            write_long(
                slots.biases + slot * slots.row_bytes + 8 * k,
                (m.own_bias if word < m.hot_out else m.bias) + 4 * int64(word),
            )
        row = word_row(m.w_out, m.own_out, m.hot_out, word, size)
        write_long(slots.rows + slot * slots.row_bytes + 8 * k, row)
        prefetch_row(row, size)
    return state


@njit(nogil=True, boundscheck=False, forceinline=True)
def choose_path(target: Any, slot: int, slots: Any, m: Any, choice: Any, width: int, size: int) -> None:
    """The inner nodes on the target's path, root first -> slot; the last tile is padded."""
    lanes, rows = slot * slots.lane_bytes, slot * slots.row_bytes
    start = read_long(choice.starts + 8 * int64(target))
    count = read_long(choice.starts + 8 * int64(target) + 8) - start
    for k in range((count + width - 1) // width * width):
        place = lanes + k // width * 32 + k % width * 4
        if k >= count:
            write_float(slots.weights + place, float32(0))
            write_long(slots.rows + rows + 8 * k, slots.zero_row)
            continue
        path_step = int64(read_int(choice.steps + 4 * (start + k)))
        node = path_step >> 1
        write_float(slots.labels + place, float32(path_step & 1))
        write_float(slots.weights + place, float32(1))
        row = word_row(m.w_out, m.own_out, m.hot_out, node, size)
        write_long(slots.rows + rows + 8 * k, row)
        if node >= m.hot_out:  # the rows nearest the root never leave the cache
            prefetch_row(row, size)


@njit(nogil=True, boundscheck=False, forceinline=True)
def rows_of(target: Any, choice: Any, noise: int) -> int:
    """How many output rows the target has."""
    if noise:
        return choice.negatives + 1
    return read_long(choice.starts + 8 * int64(target) + 8) - read_long(choice.starts + 8 * int64(target))
