"""Scores and updates the output rows of a window: the inner nodes on the target's path, and the
target with its noise words. All scores are computed from the rows as they are when the window
begins.

The nodes of a path are all different, so the tiles of a path are scored and updated one after the
other. Noise words may repeat. If they take more than one tile, all tiles are therefore scored
before any row is updated, and the residuals are kept in `scratch` meanwhile.

Arguments that several functions share:

    dH [hidden, width]    what is to be added to the hidden rows
    sums                  the loss so far, see `w2v.kernels.gpu.links.add_losses`
    H [hidden, width]     the hidden rows
    active [hidden]       which of the hidden rows the window has
    table                 the output rows, as a `w2v.kernels.gpu.block.DampedTable`
"""

from __future__ import annotations

import triton
import triton.language as tl

from w2v.kernels.gpu.links import (
    add_losses,
    cross_entropy,
    exponentials,
    logistic,
    softmax_residuals,
)
from w2v.kernels.gpu.products import hidden_gradient, output_gradient, scores
from w2v.kernels.gpu.random import draw
from w2v.kernels.gpu.rows import add, inside_row, read, row_addresses


@triton.jit
def path_range(target, tree):
    """Returns (the index of the first step of the target's path, the number of its steps)."""
    start = tl.load(tree.starts + target)
    return start, (tl.load(tree.starts + target + 1) - start).to(tl.int32)


@triton.jit
def train_path(dH, sums, H, active, path, table, tree, lr, shape: tl.constexpr):
    """Trains on the target's path: updates the rows of its nodes, and returns (dH, sums) with their
    contributions added.

    Not done: to keep the rows of the top nodes, which nearly every window uses, in a tile of each
    program's own. That would avoid most of the conflicting additions.
    """
    columns = inside_row(shape)
    start, length = path
    # Most paths take one tile: what the compiler would keep in registers for all tiles is not
    # worth them.
    for first in tl.range(0, length, shape.tile, disable_licm=True):
        k = first + tl.arange(0, shape.tile)
        used = k < length
        step = tl.load(tree.steps + start + k, mask=used, other=0)
        node, label = step >> 1, (step & 1).to(tl.float32)
        addresses, mask = row_addresses(table, node[:, None], shape), used[:, None] & columns
        Y = read(addresses, mask)
        g, losses = logistic(scores(H, Y, shape), label[None, :], active[:, None] & used[None, :])
        sums = add_losses(sums, losses)
        if shape.updates:
            g *= lr
            dH += hidden_gradient(g, Y, shape)
            g *= tl.load(table.damping + node, mask=used, other=0.0)[None, :]
            add(addresses, output_gradient(g, H, shape), mask)
    return dH, sums


@triton.jit
def train_noise(dH, sums, H, active, target, drawn, table, noise, lr, shape: tl.constexpr):
    """Trains on the target and its noise words, if they fit into one tile: updates their rows, and
    returns (dH, sums) with their contributions added. drawn [tile]: from `draw_noise_tile`."""
    word, used, labels = scored_words(target, drawn, 0, shape)
    Y, s = score_words(H, word, used, table, noise, shape)
    if shape.cross_entropy:
        g, losses = cross_entropy(s, labels, active[:, None] & used[None, :])
    else:
        g, losses = logistic(s, labels, active[:, None] & used[None, :])
    sums = add_losses(sums, losses)
    if shape.updates:
        g *= lr
        dH += hidden_gradient(g, Y, shape)
        update_words(g, H, word, used, table, noise, shape)
    return dH, sums


@triton.jit
def train_noise_tiles(
    dH, sums, H, active, target, i, tiles, table, noise, sampler, scratch, lr, shape: tl.constexpr
):
    """As `train_noise`, for noise words that take `tiles` tiles, which it draws for target number
    i. It keeps residuals [tiles, hidden, tile] in the program's part of `scratch`, after what
    `w2v.kernels.gpu.ring` keeps there."""
    columns = inside_row(shape)
    size: tl.constexpr = shape.hidden * shape.tile
    own = scratch + tl.program_id(0).to(tl.int64) * shape.scratch + shape.ring * shape.width
    own += tl.arange(0, shape.hidden)[:, None] * shape.tile + tl.arange(0, shape.tile)[None, :]
    target_score = tl.full([shape.hidden], 0, tl.float32)
    total = tl.full([shape.hidden], 0, tl.float32)
    tl.debug_barrier()
    for tile in range(tiles):
        drawn = draw_noise_tile(i, tile, sampler, shape)
        word, used, labels = scored_words(target, drawn, tile, shape)
        Y, s = score_words(H, word, used, table, noise, shape)
        scored = active[:, None] & used[None, :]
        if shape.cross_entropy:
            # the target is in the first tile
            target_score += tl.sum(tl.where(labels > 0, s, 0.0), 1)
            values, losses = exponentials(s, target_score, scored)
            total += tl.sum(values, 1)
        else:
            values, losses = logistic(s, labels, scored)
        sums = add_losses(sums, losses)
        tl.store(own + tile * size, values)
    if shape.cross_entropy:
        total = tl.maximum(total, 1.0)
        once = active[:, None] & (tl.arange(0, shape.tile) == 0)[None, :]
        sums = add_losses(sums, tl.where(once, tl.log(total)[:, None], 0.0))
    if shape.updates:
        tl.debug_barrier()
        for tile in range(tiles):
            drawn = draw_noise_tile(i, tile, sampler, shape)
            word, used, labels = scored_words(target, drawn, tile, shape)
            Y = read(row_addresses(table, word[:, None], shape), used[:, None] & columns)
            g = tl.load(own + tile * size)
            if shape.cross_entropy:
                g = softmax_residuals(g, total, labels, active[:, None] & used[None, :])
            dH += hidden_gradient(g * lr, Y, shape)
        tl.debug_barrier()
        for tile in range(tiles):
            drawn = draw_noise_tile(i, tile, sampler, shape)
            word, used, labels = scored_words(target, drawn, tile, shape)
            g = tl.load(own + tile * size)
            if shape.cross_entropy:
                g = softmax_residuals(g, total, labels, active[:, None] & used[None, :])
            update_words(g * lr, H, word, used, table, noise, shape)
    return dH, sums


@triton.jit
def draw_noise_tile(i, tile, sampler, shape: tl.constexpr):
    """Returns the noise words [tile] of one tile of target number i. Word 0 of the first tile is
    undefined, because the target takes its place (see `scored_words`)."""
    seed, vocabulary, accept, alias = sampler
    k = tile * shape.tile + tl.arange(0, shape.tile)
    # k by itself, so that the upper half of its 64 bits is 0 and takes no register
    counter = (i.to(tl.int64) * shape.negatives - 1) + k
    drawn = (k > 0) & (k <= shape.negatives)
    return draw(seed, counter, drawn, vocabulary, accept, alias)


@triton.jit
def scored_words(target, drawn, tile, shape: tl.constexpr):
    """Returns (words [tile], whether each is scored [tile], labels [1, tile]) of one tile. Number 0
    of all tiles together is the target; the noise words `drawn` follow, then padding."""
    k = tile * shape.tile + tl.arange(0, shape.tile)
    word, used = tl.where(k == 0, target, drawn), k <= shape.negatives
    if shape.skip_hits:
        used = used & ((k == 0) | (word != target))
    return word, used, tl.where(k == 0, 1.0, 0.0)[None, :]


@triton.jit
def score_words(H, word, used, table, noise, shape: tl.constexpr):
    """Returns (the words' output rows Y [tile, width], their scores [hidden, tile])."""
    columns = inside_row(shape)
    Y = read(row_addresses(table, word[:, None], shape), used[:, None] & columns)
    s = scores(H, Y, shape)
    if shape.offsets:
        s += tl.load(noise.offsets + word, mask=used, other=0.0)[None, :]
    if shape.word_bias:
        s += read(noise.bias + word, used)[None, :]
    if shape.log_z:
        s += tl.load(noise.log_z, cache_modifier=".cg")
    return Y, s


@triton.jit
def update_words(g, H, word, used, table, noise, shape: tl.constexpr):
    """Adds the damped updates to the output rows and biases of the words and to -log Z. g [hidden,
    tile]: residuals times the learning rate."""
    columns = inside_row(shape)
    if shape.log_z:
        change = tl.sum(tl.sum(g, 1), 0) * tl.load(noise.log_z_damping)
        add(noise.log_z, change, None)
    g *= tl.load(table.damping + word, mask=used, other=0.0)[None, :]
    if shape.word_bias:
        add(noise.bias + word, tl.sum(g, 0), used)
    addresses = row_addresses(table, word[:, None], shape)
    add(addresses, output_gradient(g, H, shape), used[:, None] & columns)
