"""The memory that the kernel works on: aligned matrices with room for every thread's own rows, and each thread's
scratch, as addresses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from w2v.kernels.cpu.block import TALLY, Scratch
from w2v.kernels.cpu.reader import STATE_SIZE
from w2v.kernels.cpu.rows import SLOTS, Matrices, Slots

FLOATS = 16  # a row is padded to whole vectors
BUFFER_WORDS = 1024  # words that a thread reads ahead


def aligned(floats: int) -> np.ndarray:
    """Zeros [floats] float32 on a 64-byte boundary."""
    buffer = np.zeros(floats + FLOATS, np.float32)
    start = (-buffer.ctypes.data // 4) % FLOATS
    return buffer[start : start + floats]


def address(array: np.ndarray) -> int:
    """Where an array's data begin."""
    return int(array.ctypes.data)


@dataclass(frozen=True)
class TileShape:
    """`width` output rows x `group` hidden rows, whose scores fill the 16 lanes."""

    width: int
    group: int

    @classmethod
    def for_rows(cls, rows: int | None) -> TileShape:
        """The tile for a fixed number of output rows with the least padding (the wider one on a tie); None: the
        number varies."""
        if rows is None:
            return cls(4, 4)
        width = min((6, 5, 4, 3), key=lambda width: -(-rows // width) * width)
        return cls(width, {6: 2, 5: 3, 4: 4, 3: 5}[width])


class Weights:
    """Input and output matrix [rows, padded dim], each followed by `threads` times its first `hot` rows, and the
    biases laid out alike.

    Row i of thread t's own copies stands at row (rows + t · hot + i).
    """

    def __init__(self, rows_in: int, rows_out: int, dim: int, threads: int, hot: int) -> None:
        self.dim, self.padded = dim, -(-dim // FLOATS) * FLOATS
        self.rows_in, self.rows_out = rows_in, rows_out
        # whole vectors of biases must be thread-own, hence the multiple of 16
        self.hot_in, self.hot_out = (
            min(hot, rows) // FLOATS * FLOATS if threads > 1 else 0 for rows in (rows_in, rows_out)
        )
        self.flat_in = aligned((rows_in + 2 * threads * self.hot_in) * self.padded)
        self.flat_out = aligned((rows_out + 2 * threads * self.hot_out) * self.padded)
        self.bias = aligned(-(-rows_out // FLOATS) * FLOATS + 2 * threads * self.hot_out)
        self.shared_bias = aligned((1 + 2 * threads) * FLOATS)
        self.threads = threads

    @property
    def size(self) -> int:
        """Bytes of a padded row."""
        return self.padded * 4

    @property
    def w_in(self) -> np.ndarray:
        """[rows_in, dim] view."""
        return self.flat_in[: self.rows_in * self.padded].reshape(self.rows_in, self.padded)[:, : self.dim]

    @property
    def w_out(self) -> np.ndarray:
        """[rows_out, dim] view."""
        return self.flat_out[: self.rows_out * self.padded].reshape(self.rows_out, self.padded)[:, : self.dim]

    def matrices(self, thread: int) -> Matrices:
        """The addresses for one thread."""
        own_in = self.rows_in + 2 * thread * self.hot_in
        own_out = self.rows_out + 2 * thread * self.hot_out
        bias_rows = -(-self.rows_out // FLOATS) * FLOATS
        w_in, w_out, bias, shared = (
            address(array) for array in (self.flat_in, self.flat_out, self.bias, self.shared_bias)
        )
        own_bias = bias + 4 * (bias_rows + 2 * thread * self.hot_out)
        own_shared = shared + 64 * (1 + 2 * thread) if self.hot_out or self.hot_in else shared
        return Matrices(
            w_in=w_in,
            own_in=w_in + own_in * self.size,
            base_in=w_in + (own_in + self.hot_in) * self.size,
            hot_in=self.hot_in,
            w_out=w_out,
            own_out=w_out + own_out * self.size,
            base_out=w_out + (own_out + self.hot_out) * self.size,
            hot_out=self.hot_out,
            bias=bias,
            own_bias=own_bias,
            base_bias=own_bias + 4 * self.hot_out,
            shared_bias=shared,
            own_shared_bias=own_shared,
            base_shared_bias=shared + 64 * (2 + 2 * thread),
        )


class Workspace:
    """One thread's scratch. `rows`: the largest number of output rows of a target; `noise`: whether rows are target
    and noise words (fixed labels)."""

    def __init__(self, rows: int, window: int, size: int, shape: TileShape, noise: bool) -> None:
        width, group = shape.width, shape.group
        tiles = max(1, -(-rows // width))
        floats = size // 4
        self.zero_row = aligned(floats)
        self.hidden = aligned((2 * window + group) * floats)
        self.scores = aligned(tiles * -(-2 * window // group) * 16)
        self.outputs = aligned(tiles * width * floats)
        self.output_rows = np.full(tiles * width, address(self.zero_row), np.int64)
        self.output_rows[:rows] = address(self.outputs) + size * np.arange(rows)
        self.contexts = np.zeros(2 * window + group, np.int64)
        self.masks = np.zeros((group, 16), np.float32)
        for short in range(group):
            self.masks[short, : (group - short) * width] = 1
        self.biased = np.zeros((tiles, 8), np.float32)
        self.slot_rows = np.full((SLOTS, tiles * width), address(self.zero_row), np.int64)
        self.slot_biases = np.zeros((SLOTS, tiles * width), np.int64)
        self.labels, self.offsets, self.weights = (np.zeros((SLOTS, tiles, 8), np.float32) for _ in range(3))
        if noise:
            self.labels[:, 0, 0] = 1
            for k in range(rows):
                self.weights[:, k // width, k % width] = 1
        capacity = BUFFER_WORDS + 4 * window
        self.words, self.sentences = np.zeros(capacity, np.int32), np.zeros(capacity, np.int32)
        self.state = np.zeros(STATE_SIZE, np.int64)
        self.tally = np.zeros(len(TALLY))

    def scratch(self) -> Scratch:
        """Addresses for the kernel."""
        arrays = (self.hidden, self.scores, self.outputs, self.output_rows, self.contexts, self.masks, self.biased)
        return Scratch(*(address(array) for array in arrays))

    def slots(self) -> Slots:
        """Addresses for the kernel."""
        return Slots(
            rows=address(self.slot_rows),
            biases=address(self.slot_biases),
            labels=address(self.labels),
            offsets=address(self.offsets),
            weights=address(self.weights),
            row_bytes=self.slot_rows.strides[0],
            lane_bytes=self.labels.strides[0],
            zero_row=address(self.zero_row),
        )
