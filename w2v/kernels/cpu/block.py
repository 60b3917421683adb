"""The training kernel: reads one block of text, chooses windows and output rows, and trains window
by window.

`make_kernel` compiles what determines the machine code (tile, row length, rows, link) as plain
integers into a closure: the on-disk cache identifies the kernel by them, and LLVM removes branches
that a constant integer rules out.

Within a window all context words share the noise words (HogBatch, arXiv:1611.06172): C + R row
loads make C · R scores. CBOW has one hidden row per window and applies its gradient to the context
words' rows.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numba import float32, float64, int64, uint64

from w2v.kernels.cpu import reader
from w2v.kernels.cpu import vector as v
from w2v.kernels.cpu.bias import biased_offsets, update_biases
from w2v.kernels.cpu.composed import compose, distribute_change, prefetch_parts, row_count
from w2v.kernels.cpu.lanes import lane_product, lane_sum, load_tile
from w2v.kernels.cpu.links import cross_entropy_residuals, logistic_residuals
from w2v.kernels.cpu.merge import merge, refresh
from w2v.kernels.cpu.random import below, mix, step
from w2v.kernels.cpu.reader import begin, refill
from w2v.kernels.cpu.rows import AHEAD, SLOTS, choose_noise, choose_path, count_use, row_of, rows_of
from w2v.kernels.cpu.tile import (
    gather_contexts,
    gather_weighted,
    scatter_gradient,
    score_tile,
    update_rows,
)
from w2v.kernels.plan import NOISE, PATH
from w2v.system.compiled import compiled

# Entries of the tally that a block returns (float64): summed loss in nats, predictions = pairs of
# context and target (CBOW: targets with a context), word counts as in `training.engine.Tally`.
TALLY = ("loss", "predictions", "read", "rare", "dropped", "trained")


class Variant(NamedTuple):
    """The constants compiled into a kernel.

    size: bytes of a row, a multiple of 64. width, group: tiles of `width` output rows x `group`
    hidden rows (width · group <= 16, width <= 8). together: the number of output rows if all of
    them are updated together, or 0: tile by tile. rows to bias: as in FusedPlan. cbow: 1 for one
    hidden row per window, 0 for skip-gram. ngrams: 1 if input rows are composed of those of
    n-grams.
    """

    size: int
    width: int
    group: int
    together: int
    rows: int
    cross_entropy: int = 0
    offset: int = 0
    skip_hits: int = 0
    bias: int = 0
    cbow: int = 0
    ngrams: int = 0


class Scratch(NamedTuple):
    """Addresses of one thread's working memory, for tiles of T output rows x Q hidden rows.

    hidden: CBOW's hidden row and its gradient, or copies of hidden rows [2·window]; origins:
    addresses of the hidden rows' values at the start of the window [2·window + Q]. scores [tiles,
    groups, 16]. outputs: copies of output rows [tiles · T]; output_rows: their addresses. contexts:
    addresses of the context rows [2·window]. masks [Q, 16]: masks[i] keeps the lanes of all but the
    last i hidden rows of a group. biased: offsets with the biases added [tiles, 8]. gradient: the
    address of a list with one entry, the address of the second hidden row, which holds CBOW's
    gradient. sizes: if words have n-grams, the weight of each context row in CBOW's mean
    [2·window] float32.
    """

    hidden: int
    origins: int
    scores: int
    outputs: int
    output_rows: int
    contexts: int
    masks: int
    biased: int
    gradient: int
    sizes: int


class BlockSettings(NamedTuple):
    """A block, which covers positions start … stop - 1 of the stream, and how it is trained.

    window, max_sentence: the settings of these names. mean: 1 if CBOW's hidden row is the mean of
    the context rows (with n-grams, of all rows they are composed of), 0 if it is their sum. share:
    1 if each context row gets its share of the hidden row's gradient, 0 if it gets all of it.
    """

    start: int
    stop: int
    window: int
    max_sentence: int
    mean: int
    share: int


@cache
def make_kernel(variant: Variant) -> Callable[..., None]:
    """Returns the kernel of a variant; equal variants give the same function.

    The kernel merges thread-own rows after every `merge_every` trained words and at the end of the
    block; with merge_every = 0 it does not, and the caller merges them between blocks. threads: the
    number of threads that run the kernel at the same time. With lr = 0 it only computes the loss
    and writes to no row.
    """
    size, T, Q, together, rows, cross_entropy, offset, skip_hits, bias, cbow, ngrams = variant
    TILE, U = T * Q, together or T
    both = int(rows == PATH + NOISE)

    @compiled(nogil=True, error_model="numpy", boundscheck=False)
    def train_block(
        ids: Any, keep: Any, block: Any, m: Any, choice: Any, slots: Any, scratch: Any,
        composed: Any, words: Any, sentences: Any, state: Any, tally: Any, lr: Any, key: Any,
        seed: Any, merge_every: int, threads: int,
    ) -> None:  # fmt: skip
        window, hidden = block.window, scratch.hidden
        groups_max = (2 * window + Q - 1) // Q
        stride = groups_max * 64
        hot = m.input.hot + m.path.hot + m.noise.hot > 0 and merge_every > 0
        random = mix(uint64(seed)) | uint64(1)
        trained = predictions = since = composed_end = distributed_end = int64(0)
        sums = v.spread(float32(0)), v.spread(float32(1)), int64(0), float64(0)
        lr = float32(lr)
        if hot:
            refresh(m, size, bias)
        begin(state, ids, keep, key, block)
        buffer, lines = int64(words.ctypes.data), int64(sentences.ctypes.data)
        while state[reader.FINISHED] == 0:
            ready = refill(state, ids, keep, key, block, words, sentences)
            i, chosen, length = state[reader.NEXT], state[reader.CHOSEN], state[reader.LENGTH]
            targets, removed = min(state[reader.TARGETS], length), state[reader.REMOVED]
            while i < ready:
                # in a newly filled buffer no output rows are chosen yet; this iteration then
                # only chooses them
                trains = chosen > min(i + AHEAD, targets - 1)
                contexts = scored = groups = tiles = int64(0)
                receivers, sources, row_list = scratch.contexts, int64(0), int64(0)
                share, total, seen = float32(1), float32(0), uint64(0)
                if trains:
                    random = step(random)
                    reach = window - int64(below(random, window))
                    line = v.read_int(lines + 4 * i)
                    if ngrams:
                        while composed_end < removed + min(length, i + window + 1):
                            word = v.read_int(buffer + 4 * (composed_end - removed))
                            compose(word, composed_end & composed.mask, m, composed, size)
                            composed_end += 1
                    for j in range(max(0, i - reach), min(length, i + reach + 1)):
                        if j != i and v.read_int(lines + 4 * j) == line:
                            word = v.read_int(buffer + 4 * j)
                            if ngrams:
                                ring_slot = (removed + j) & composed.mask
                                row = composed.ring + ring_slot * size
                                place = uint64(ring_slot)
                                if cbow:
                                    weight = float32(1)
                                    if block.mean:
                                        weight = row_count(word, composed)
                                    v.write_float(scratch.sizes + 4 * contexts, weight)
                                    total += weight
                            else:
                                row = row_of(m.input, word, size)
                                place = uint64(word)
                                count_use(m.input, word)
                            v.write_long(scratch.contexts + 8 * contexts, row)
                            if not cbow:
                                # a row that occurs twice changes before its second occurrence is
                                # used; a few others are copied too, whose bits are the same
                                bit = uint64(1) << (place & uint64(63))
                                if not together or seen & bit:
                                    copy = hidden + contexts * size
                                    v.copy_rows(copy, row, size)
                                    row = copy
                                seen |= bit
                                v.write_long(scratch.origins + 8 * contexts, row)
                            contexts += 1
                    trained += 1
                    since += 1
                if contexts > 0:
                    slot = i % SLOTS
                    n = rows_of(v.read_int(buffer + 4 * i), choice, rows, T)
                    scored = contexts
                    if cbow:
                        scored, receivers = int64(1), scratch.gradient
                        share = float32(1) / float32(contexts)
                        scale = share if block.mean else float32(1)
                        if ngrams:
                            if block.mean:
                                scale = float32(1) / total
                            gather_weighted(
                                hidden, scratch.contexts, scratch.sizes, contexts, scale, size
                            )
                        else:
                            gather_contexts(hidden, scratch.contexts, contexts, scale, size)
                    predictions += scored
                    tiles, groups = (n + T - 1) // T, (scored + Q - 1) // Q
                    row_list = slots.rows + slot * slots.row_bytes
                    biases = slots.biases + slot * slots.row_bytes
                    sources = row_list
                    # the row of a noise word may occur in two tiles: the second tile must not see
                    # the update of the first
                    if rows & NOISE and choice.negatives >= T and not together:
                        sources = scratch.output_rows
                        for k in range(n):
                            v.copy_rows(
                                scratch.outputs + k * size, v.read_long(row_list + 8 * k), size
                            )
                    lanes_at = slot * slots.lane_bytes
                    offsets_at = slots.offsets + lanes_at
                    if bias:
                        biased_offsets(scratch.biased, offsets_at, biases, n, T, m.log_z.own, bias)
                        offsets_at = scratch.biased
                    for tile in range(tiles):
                        for g in range(groups):
                            at, tile_rows = scratch.origins + g * Q * 8, sources + tile * T * 8
                            lanes = score_tile(v.zeros(TILE), v.zeros(T), at, tile_rows, size)
                            v.store(scratch.scores + tile * stride + g * 64, lanes)
                    last = v.load(scratch.masks + (groups * Q - scored) * 64)
                    if cross_entropy:
                        sums = cross_entropy_residuals(
                            v.zeros(T), v.zeros(TILE), scratch.scores, stride, tiles, groups,
                            slots.labels + lanes_at, offsets_at, slots.weights + lanes_at, last, lr,
                            sums,
                        )  # fmt: skip
                    else:
                        for tile in range(tiles):
                            at = lanes_at + tile * 32
                            weights = load_tile(slots.weights + at, v.zeros(T), v.zeros(TILE))
                            labels = load_tile(slots.labels + at, v.zeros(T), v.zeros(TILE))
                            offsets = load_tile(offsets_at + tile * 32, v.zeros(T), v.zeros(TILE))
                            sums = logistic_residuals(
                                scratch.scores + tile * stride, groups, labels, offsets, weights,
                                v.multiply(weights, last), lr, sums,
                            )  # fmt: skip
                    if bias and lr != 0:
                        own, at = m.log_z.own, scratch.scores
                        update_biases(at, stride, biases, n, scored, T, Q, own, bias)
                # done here because it does not depend on the residuals, so that the CPU can overlap
                # the two
                while chosen <= i + AHEAD + int64(trains) and chosen < targets:
                    target = v.read_int(buffer + 4 * chosen)
                    if rows & PATH:
                        choose_path(target, chosen % SLOTS, slots, m, choice, T, size)
                    if rows & NOISE:
                        random = choose_noise(
                            random, target, chosen % SLOTS, slots, m, choice, T, size, offset,
                            skip_hits, bias & 1, both,
                        )  # fmt: skip
                    if chosen + window < length:
                        word = v.read_int(buffer + 4 * (chosen + window))
                        if ngrams:
                            prefetch_parts(word, m, composed, size)
                        else:
                            v.prefetch_row(row_of(m.input, word, size), size)
                    chosen += 1
                if contexts > 0 and lr != 0:
                    for tile in range(1 if together else tiles):
                        update_rows(
                            v.zeros(U), v.zeros(T), v.zeros(Q), scratch.origins, receivers, scored,
                            sources + tile * T * 8, row_list + tile * T * 8,
                            scratch.scores + tile * stride, stride, size,
                        )  # fmt: skip
                    if cbow:
                        scale = share if block.share else float32(1)
                        scatter_gradient(hidden, scratch.contexts, contexts, scale, size)
                    if hot and since >= merge_every:
                        merge(m, size, bias, threads, lr)
                        since = 0
                if ngrams and trains:
                    # words that no later window reaches
                    while distributed_end <= removed + i - window:
                        if lr != 0:
                            word = v.read_int(buffer + 4 * (distributed_end - removed))
                            distribute_change(
                                word, distributed_end & composed.mask, m, composed, size
                            )
                        distributed_end += 1
                i += int64(trains)
            state[reader.NEXT], state[reader.CHOSEN] = i, chosen
        if ngrams and lr != 0:
            for position in range(distributed_end, composed_end):
                word = v.read_int(buffer + 4 * (position - state[reader.REMOVED]))
                distribute_change(word, position & composed.mask, m, composed, size)
        if hot:
            merge(m, size, bias, threads, lr)
        tally[0] = sums[3] + lane_sum(sums[0]) + np.log(lane_product(sums[1]))
        tally[1] = predictions
        tally[2] = state[reader.READ]
        tally[3] = state[reader.RARE]
        tally[4] = state[reader.DROPPED]
        tally[5] = trained

    return train_block
