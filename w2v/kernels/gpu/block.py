"""The kernel: each program trains a run of targets, window by window.

    for every target i of the program's run
        the row of position i + window enters the ring
        H [hidden, width]: the ring's rows; CBOW: mean or sum of those in the window
        scores, residuals and loss of the target's output rows; these rows learn at once
        the ring's rows that are in the window learn
        the row of position i - window leaves the ring

Programs add to the tables as they go (reductions without order, which nobody waits for) and see
what others add as it comes. Changes are multiplied by the damping of their row, see
`w2v.kernels.gpu.damping`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import triton
import triton.language as tl

from w2v.kernels.gpu.outputs import draw_tile, learn_noise, learn_path, learn_tiles, path_of
from w2v.kernels.gpu.ring import enter, fill, leave, neighbours, word_at

# differ from launch to launch, so that values get no machine code of their own
VARYING = ("n", "first", "last", "per", "vocabulary", "lr", "seed")


class Text(NamedTuple):
    """words, sentences, reach [n], as in `w2v.words.windows.Windows`."""

    words: Any
    sentences: Any
    reach: Any


class Table(NamedTuple):
    """rows [·, stride] float32, damping of each."""

    rows: Any
    damping: Any


class Tree(NamedTuple):
    """Paths in CSR form."""

    starts: Any
    steps: Any


class Noise(NamedTuple):
    """Alias table [V], offsets [V], biases [V], -log Z [1] and its damping [1]; None: there are
    none."""

    accept: Any
    alias: Any
    offsets: Any
    bias: Any
    log_z: Any
    log_z_damping: Any


@triton.jit(do_not_specialize=VARYING)
def train_runs(
    text, n, first, last, per, inputs, nodes, tree, outputs, noise, vocabulary, scratch, tally, lr,
    seed: tl.int64, shape: tl.constexpr,
):  # fmt: skip
    """Program p trains the targets first + p · per … of the text, below `last`, and adds (loss,
    predictions) to tally [2] float64."""
    begin = first + tl.program_id(0) * per
    end = tl.minimum(begin + per, last)
    X = fill(inputs, text.words, n, begin, scratch, shape)
    sums = tl.full([], 0, tl.float32), tl.full([], 0, tl.float32)
    predictions = tl.full([shape.hidden], 0, tl.int32)
    chance = seed, vocabulary, noise.accept, noise.alias
    # words are asked for one window ahead; for paths and noise words there are no registers left
    coming = word_at(text.words, n, begin + shape.window)
    target = word_at(text.words, n, begin)
    for i in range(begin, end):
        X = enter(X, inputs, coming, n, i + shape.window, scratch, shape)
        coming = word_at(text.words, n, i + 1 + shape.window)
        next_target = word_at(text.words, n, i + 1)
        near = neighbours(text, n, i, shape)
        H, live = X, near
        if shape.cbow:
            size = tl.sum(near.to(tl.float32), 0, keep_dims=True)
            live, size = size > 0, tl.maximum(size, 1.0)[:, None]
            H = tl.sum(tl.where(near[:, None], X, 0.0), 0, keep_dims=True)
            if shape.mean:
                H /= size
        predictions += live.to(tl.int32)
        # skip-gram adds to the ring's rows right away: the matrix units have a copy of their own
        dH = X
        if shape.cbow:
            dH = tl.full([1, shape.width], 0, tl.float32)
        if shape.path:
            path = path_of(target, tree)
            dH, sums = learn_path(dH, sums, H, live, path, nodes, tree, lr, shape)
        if shape.noise:
            if shape.tiles == 1:
                drawn = draw_tile(i - first, 0, chance, shape)
                dH, sums = learn_noise(dH, sums, H, live, target, drawn, outputs, noise, lr, shape)
            else:
                dH, sums = learn_tiles(
                    dH, sums, H, live, target, i - first, outputs, noise, chance, scratch, lr, shape
                )
        target = next_target
        if shape.learns:
            if shape.cbow:
                if shape.share:
                    dH /= size
                X += tl.where(near[:, None], dH, 0.0)
            else:
                X = dH
            leave(X, inputs, text.words, n, i - shape.window, scratch, shape)
    if shape.learns:
        for place in range(end - shape.window, end + shape.window):
            leave(X, inputs, text.words, n, place, scratch, shape)
    exact = sums[0].to(tl.float64) - sums[1].to(tl.float64)
    tl.atomic_add(tally, exact, sem="relaxed")
    count = tl.sum(predictions.to(tl.int64), 0).to(tl.float64)
    tl.atomic_add(tally + 1, count, sem="relaxed")
