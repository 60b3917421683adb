"""The memory that the kernel uses: aligned tables with room for every thread's own rows, and each
thread's scratch memory, as addresses."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from w2v.kernels.cpu.block import TALLY, Scratch, Variant
from w2v.kernels.cpu.composed import Composed
from w2v.kernels.cpu.reader import STATE_SIZE
from w2v.kernels.cpu.rows import SLOTS, Choice, Matrices, RowAddresses, Slots
from w2v.kernels.plan import NOISE, PATH, FusedPlan
from w2v.sampling.unigram import alias_table, unigram_probabilities
from w2v.tree import huffman

Parts = tuple[np.ndarray, np.ndarray]  # see `w2v.words.inputs`
# There are so many times as many thread-own rows of n-grams as of words, because an n-gram is used
# more often than a word of the same rank.
HOT_NGRAMS = 4
FLOATS = 16  # a row is padded to whole vectors of this length
# Output rows that are updated together, at most: with their gradients they fill 24 of 32 registers.
TOGETHER = 12
BUFFER_WORDS = 1024  # words that a thread reads ahead


def aligned(floats: int) -> np.ndarray:
    """Returns zeros [floats] float32, aligned to 64 bytes."""
    buffer = np.zeros(floats + FLOATS, np.float32)
    start = (-buffer.ctypes.data // 4) % FLOATS
    return buffer[start : start + floats]


def address(array: np.ndarray) -> int:
    """Returns the address of an array's data."""
    return int(array.ctypes.data)


def whole_vectors(floats: int) -> int:
    """Returns `floats` rounded up to a multiple of 16."""
    return -(-floats // FLOATS) * FLOATS


def tile_shape(rows: int, negatives: int, cbow: bool) -> tuple[int, int]:
    """Returns (output rows, hidden rows) of the tile for PATH, NOISE or both. For a fixed number of
    output rows it is the shape with the least padding (the wider one on a tie)."""
    if rows == PATH:
        return (6, 1) if cbow else (4, 4)
    widths = (8, 7, 6, 5, 4, 3) if cbow else (6, 5, 4, 3)
    width = min(widths, key=lambda width: -(-(negatives + 1) // width) * width)
    return width, 1 if cbow else {6: 2, 5: 3, 4: 4, 3: 5}[width]


def updated_together(plan: FusedPlan) -> int:
    """Returns the number of output rows if all of them are updated together, or 0."""
    return plan.noise_rows if plan.rows == NOISE and plan.noise_rows <= TOGETHER else 0


class Table:
    """Rows [rows, dim], padded to `padded` floats each, and for every thread copies of the first
    `hot` rows.

    mergeable: whether each thread also stores the copies' values at the last merge, so that it can
    merge at any time; otherwise rows are merged while all threads are paused.
    """

    def __init__(
        self, rows: int, dim: int, padded: int, threads: int, hot: int, mergeable: bool = True
    ) -> None:
        self.rows, self.dim, self.padded, self.threads, self.hot = rows, dim, padded, threads, hot
        self._mergeable, self._own = mergeable, hot * (1 + mergeable)
        count = rows + threads * self._own
        self.floats = aligned(count * padded).reshape(count, padded)
        # the counts of two threads are never in the same cache line
        self._counts = np.zeros((threads, hot + FLOATS), np.int32)

    @property
    def uses(self) -> np.ndarray:
        """How often each thread has used its copies since the last merge, [threads, hot] int32; a
        view."""
        return self._counts[:, : self.hot]

    @property
    def matrix(self) -> np.ndarray:
        """The shared rows [rows, dim]; a view."""
        return self.floats[: self.rows, : self.dim]

    def own(self, thread: int) -> np.ndarray:
        """Returns a thread's own rows [hot, dim]; a view."""
        start = self.rows + thread * self._own
        return self.floats[start : start + self.hot, : self.dim]

    def all_rows(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns (shared rows [rows, padded], all threads' own rows [threads, rows, padded]);
        only if all rows have thread-own copies."""
        own = self.floats[self.rows :].reshape(self.threads, self.rows, self.padded)
        return self.floats[: self.rows], own

    def addresses(self, thread: int) -> RowAddresses:
        """Returns the addresses for the kernel."""
        if not self.hot:
            return self.only_shared(thread)
        shared, row = address(self.floats), 4 * self.padded
        own = shared + (self.rows + thread * self._own) * row
        base = own + self.hot * row if self._mergeable else shared
        return RowAddresses(shared, own, base, address(self._counts[thread]), self.hot)

    def only_shared(self, thread: int) -> RowAddresses:
        """Returns the addresses for a kernel that only reads: without thread-own rows, and with
        uses counted where nothing reads the count."""
        shared = address(self.floats)
        return RowAddresses(shared, shared, shared, address(self._counts[thread, self.hot :]), 0)


class Weights:
    """All trained arrays: input rows of words [V, dim] and of n-grams [ngrams, dim], output rows of
    inner nodes [V - 1, dim] and of words [V, dim] (either may be missing), biases [V, 1], -log Z
    [1, 1].

    rows: PATH, NOISE or both. hot: how many rows of each table are thread-own (of the n-grams
    HOT_NGRAMS times as many); None: all, and they are merged while the threads are paused.
    """

    def __init__(
        self, rows: int, vocabulary: int, dim: int, threads: int, hot: int | None, bias: int = 0,
        ngrams: int = 0,
    ) -> None:  # fmt: skip
        padded, mergeable = whole_vectors(dim), hot is not None
        nodes = max(1, vocabulary - 1) if rows & PATH else 0
        words = vocabulary if rows & NOISE else 0

        def own(rows: int, times: int = 1) -> int:
            if threads == 1 or hot is None:
                return rows if threads > 1 else 0
            # biases are copied as whole vectors, hence the multiple of 16
            return min(hot * times, rows) // FLOATS * FLOATS

        counts = (vocabulary, nodes, words)
        tables = (Table(count, dim, padded, threads, own(count), mergeable) for count in counts)
        self.input, self.path, self.noise = tables
        own_ngrams = own(ngrams, HOT_NGRAMS)
        self.ngrams = Table(ngrams, dim, padded, threads, own_ngrams, mergeable)
        biased = whole_vectors(vocabulary) if bias & 1 else 0
        own_biases = 0 if not biased else self.noise.hot if mergeable else own(biased)
        self.bias = Table(biased, 1, 1, threads, own_biases, mergeable)
        self.log_z = Table(1, 1, FLOATS, threads, int(threads > 1), mergeable)
        self.tables = (self.input, self.ngrams, self.path, self.noise, self.bias, self.log_z)

    def matrices(self, thread: int) -> Matrices:
        """Returns the addresses for one thread."""
        return Matrices(*(table.addresses(thread) for table in self.tables))

    def only_shared(self, thread: int) -> Matrices:
        """Returns the addresses for one thread that changes nothing while training is paused."""
        return Matrices(*(table.only_shared(thread) for table in self.tables))


class Workspace:
    """One thread's scratch memory. longest: nodes on the longest path (0 without paths). parts: the
    n-grams of the words in CSR form."""

    def __init__(
        self, plan: FusedPlan, longest: int, window: int, variant: Variant, parts: Parts | None
    ) -> None:
        size, width, group = variant[:3]
        rows, noise = plan.rows, plan.noise_rows
        tiles = max(1, -(-longest // width) + -(-noise // width))
        floats = size // 4
        self.zero_row = aligned(floats)
        self.hidden = aligned((2 * window + 1) * floats)
        # beyond the hidden rows of a window, any row that exists
        self.origins = np.full(2 * window + group, address(self.zero_row), np.int64)
        if variant.cbow:
            self.origins[0] = address(self.hidden)
        self.scores = aligned(tiles * -(-2 * window // group) * 16)
        self.outputs = aligned(tiles * width * floats)
        self.output_rows = address(self.outputs) + size * np.arange(tiles * width)
        if rows == NOISE:
            self.output_rows[noise:] = address(self.zero_row)
        self.contexts = np.zeros(2 * window + group, np.int64)
        self.gradient = np.array([address(self.hidden) + size])
        self.sizes = np.zeros(2 * window, np.float32)
        self.masks = np.zeros((group, 16), np.float32)
        for short in range(group):
            self.masks[short, : (group - short) * width] = 1
        self.biased = np.zeros((tiles, 8), np.float32)
        self.slot_rows = np.full((SLOTS, tiles * width), address(self.zero_row), np.int64)
        self.slot_biases = np.zeros((SLOTS, tiles * width), np.int64)
        self.labels, self.offsets, self.weights = (
            np.zeros((SLOTS, tiles, 8), np.float32) for _ in range(3)
        )
        if rows == NOISE:  # constant; otherwise written whenever rows are chosen
            self.labels[:, 0, 0] = 1
            for k in range(noise):
                self.weights[:, k // width, k % width] = 1
        capacity = BUFFER_WORDS + 4 * window
        self.words, self.sentences = np.zeros(capacity, np.int32), np.zeros(capacity, np.int32)
        self.state = np.zeros(STATE_SIZE, np.int64)
        self.tally = np.zeros(len(TALLY))
        nothing = np.zeros(1, np.int64), np.zeros(0, np.int32)
        self.parts = starts, _ = nothing if parts is None else parts
        self.slots = 1 << (2 * window).bit_length() if parts is not None else 1
        self.row_list = np.zeros(int(np.diff(starts).max(initial=0)), np.int64)
        self.ring, self.initial = (aligned(self.slots * floats) for _ in range(2))

    def arguments(self) -> tuple[Any, ...]:
        """Returns for the kernel: slots, scratch, composed rows, reader's arrays, and tally."""
        tables = self.slot_rows, self.slot_biases, self.labels, self.offsets, self.weights
        scratch = (
            self.hidden, self.origins, self.scores, self.outputs, self.output_rows, self.contexts,
            self.masks, self.biased, self.gradient, self.sizes,
        )  # fmt: skip
        sizes = self.slot_rows.strides[0], self.labels.strides[0], address(self.zero_row)
        slots = Slots(*sizes, *(address(table) for table in tables))
        arrays = self.words, self.sentences, self.state, self.tally
        composed = *self.parts, self.row_list, self.ring, self.initial
        return (
            slots,
            Scratch(*(address(array) for array in scratch)),
            Composed(*[*(address(array) for array in composed), self.slots - 1]),
            *arrays,
        )


class RowTables:
    """The tables from which output rows are chosen; `choice` holds their addresses, which are valid
    as long as this object exists.

    counts [V]: of the vocabulary, in descending order. longest: nodes on the longest path.
    """

    def __init__(self, plan: FusedPlan, counts: np.ndarray) -> None:
        noise = offsets = starts = steps = np.zeros(0, np.int32)
        self.longest = 0
        if plan.rows & NOISE:
            q = unigram_probabilities(counts, plan.power)
            accept, alias = alias_table(q)
            # side by side, so that a draw takes one cache line and no branch
            noise, offsets = alias.astype(np.int64) << 32 | accept, _offsets(plan, q)
        if plan.rows & PATH:
            tree = huffman(counts)
            starts, steps, self.longest = tree.starts, tree.steps(), int(tree.lengths.max())
        self.arrays = noise, offsets, starts, steps
        noise_at, offsets_at, starts_at, steps_at = (address(array) for array in self.arrays)
        sizes = plan.negatives, len(counts)
        self.choice = Choice(noise_at, offsets_at, *sizes, starts_at, steps_at)


def _offsets(plan: FusedPlan, q: np.ndarray) -> np.ndarray:
    """Returns what is added to the score of every word [V]; q [V]: probabilities of noise words."""
    if not plan.offsets:
        return np.zeros(len(q), np.float32)
    log_z = math.log(len(q)) if plan.log_z is None else plan.log_z
    # with an extreme power the probability of rare words is 0: log q is then that of the smallest
    # positive number
    log_q = np.log(np.maximum(q, np.finfo(np.float64).tiny))
    return (-log_z - math.log(plan.negatives) - log_q).astype(np.float32)
