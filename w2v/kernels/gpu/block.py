"""The training kernel. Each Triton program trains a contiguous run of targets, window by window.

    for every target i of the program's run
        load the input row of position i + window into the ring buffer
        H [hidden, width] = the ring's rows; CBOW: the mean or sum of those in the window
        compute scores, residuals and loss for the target's output rows, and update these rows
        update the ring's rows that are in the window
        write the change of the row of position i - window back to the table

Programs write to the shared tables with atomic additions whose results are not read back, and see
the additions of other programs as they arrive. Each change is multiplied by the damping factor of
its row, see `w2v.kernels.gpu.damping`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import triton
import triton.language as tl

from w2v.kernels.gpu.outputs import (
    draw_noise_tile,
    path_range,
    train_noise,
    train_noise_tiles,
    train_path,
)
from w2v.kernels.gpu.ring import enter_ring, fill_ring, in_window, leave_ring, word_at

# Arguments that differ from launch to launch. Triton must not compile a kernel for each value.
VARYING = ("n", "first", "last", "targets_each", "vocabulary", "tiles", "lr", "seed")


class WindowArrays(NamedTuple):
    """words, sentences and reach [n], as in `w2v.words.windows.Windows`."""

    words: Any
    sentences: Any
    reach: Any


class DampedTable(NamedTuple):
    """rows [R, stride] float32, and the damping factor [R] of each row."""

    rows: Any
    damping: Any


class PathArrays(NamedTuple):
    """The paths of all words in CSR form, as in `w2v.kernels.gpu.tables.RowSelection`."""

    starts: Any
    steps: Any


class NoiseArrays(NamedTuple):
    """What the kernel needs for noise words besides the table of output rows: the alias table
    (accept [V], alias [V]), score offsets [V], biases [V], -log Z [1] and its damping factor [1].
    Fields that the loss does not use are None."""

    accept: Any
    alias: Any
    offsets: Any
    bias: Any
    log_z: Any
    log_z_damping: Any


@triton.jit(do_not_specialize=VARYING)
def train_runs(
    text, n, first, last, targets_each, inputs, nodes, tree, outputs, noise, vocabulary, tiles,
    scratch, tally, lr, seed: tl.int64, shape: tl.constexpr,
):  # fmt: skip
    """Program p trains the targets from first + p · targets_each up to the next program's first
    target or `last`. Adds (summed loss in nats, number of predictions) to tally [2] float64.

    tiles: `shape.tiles`, as a number that the compiler does not know: otherwise it unrolls the
    loops over tiles, for which there are not enough registers."""
    begin = first + tl.program_id(0) * targets_each
    end = tl.minimum(begin + targets_each, last)
    X = fill_ring(inputs, text.words, n, begin, scratch, shape)
    sums = tl.full([], 0, tl.float32), tl.full([], 0, tl.float32)
    predictions = tl.full([shape.hidden], 0, tl.int32)
    sampler = seed, vocabulary, noise.accept, noise.alias
    # Word ids are loaded one window ahead to hide the latency; for paths and noise words there are
    # not enough registers to do the same.
    entering = word_at(text.words, n, begin + shape.window)
    target = word_at(text.words, n, begin)
    for i in range(begin, end):
        X = enter_ring(X, inputs, entering, n, i + shape.window, scratch, shape)
        entering = word_at(text.words, n, i + 1 + shape.window)
        next_target = word_at(text.words, n, i + 1)
        near = in_window(text, n, i, shape)
        H, active = X, near
        if shape.cbow:
            size = tl.sum(near.to(tl.float32), 0, keep_dims=True)
            active, size = size > 0, tl.maximum(size, 1.0)[:, None]
            H = tl.sum(tl.where(near[:, None], X, 0.0), 0, keep_dims=True)
            if shape.mean:
                H /= size
        predictions += active.to(tl.int32)
        # Skip-gram accumulates the gradient in the ring's rows themselves. This does not disturb H,
        # because the matrix units read a copy of it in shared memory.
        dH = X
        if shape.cbow:
            dH = tl.full([1, shape.width], 0, tl.float32)
        if shape.path:
            path = path_range(target, tree)
            dH, sums = train_path(dH, sums, H, active, path, nodes, tree, lr, shape)
        if shape.noise:
            if shape.tiles == 1:
                drawn = draw_noise_tile(i - first, 0, sampler, shape)
                dH, sums = train_noise(
                    dH, sums, H, active, target, drawn, outputs, noise, lr, shape
                )
            else:
                dH, sums = train_noise_tiles(
                    dH, sums, H, active, target, i - first, tiles, outputs, noise, sampler,
                    scratch, lr, shape,
                )  # fmt: skip
        target = next_target
        if shape.updates:
            if shape.cbow:
                if shape.share:
                    dH /= size
                X += tl.where(near[:, None], dH, 0.0)
            else:
                X = dH
            leave_ring(X, inputs, text.words, n, i - shape.window, scratch, shape)
    if shape.updates:
        for position in range(end - shape.window, end + shape.window):
            leave_ring(X, inputs, text.words, n, position, scratch, shape)
    loss = sums[0].to(tl.float64) - sums[1].to(tl.float64)
    tl.atomic_add(tally, loss, sem="relaxed")
    count = tl.sum(predictions.to(tl.int64), 0).to(tl.float64)
    tl.atomic_add(tally + 1, count, sem="relaxed")
