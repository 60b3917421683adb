"""The output rows of a window: the inner nodes on the target's path, and the target with noise
words. All scores come from the rows as they are at the window's start.

A path's nodes are distinct, so its tiles are worked off one by one. Noise words may repeat: where
they take more than one tile, no row is written to before all tiles are scored, and the residuals
wait in `scratch`.
"""

from __future__ import annotations

import triton
import triton.language as tl

from w2v.kernels.gpu.links import add_losses, cross_entropy, exponentials, logistic, softened
from w2v.kernels.gpu.products import for_hidden, for_outputs, scores
from w2v.kernels.gpu.random import draw
from w2v.kernels.gpu.rows import add, addresses, present, read


@triton.jit
def path_of(target, tree):
    """(where the steps of the target's path begin, how many they are)."""
    start = tl.load(tree.starts + target)
    return start, (tl.load(tree.starts + target + 1) - start).to(tl.int32)


@triton.jit
def learn_path(dH, sums, H, live, path, table, tree, lr, shape: tl.constexpr):
    """(dH, sums) with those of the target's path added, and its nodes' rows learn. (To keep the top
    nodes' rows, which nearly every window uses, in a tile of the program's own would spare most of
    the reductions that meet there.)"""
    there = present(shape)
    start, length = path
    for first in range(0, length, shape.tile):
        k = first + tl.arange(0, shape.tile)
        used = k < length
        step = tl.load(tree.steps + start + k, mask=used, other=0)
        node, label = step >> 1, (step & 1).to(tl.float32)
        places, inside = addresses(table, node[:, None], shape), used[:, None] & there
        Y = read(places, inside)
        g, losses = logistic(scores(H, Y, shape), label[None, :], live[:, None] & used[None, :])
        sums = add_losses(sums, losses)
        if shape.learns:
            g *= lr
            dH += for_hidden(g, Y, shape)
            g *= tl.load(table.damping + node, mask=used, other=0.0)[None, :]
            add(places, for_outputs(g, H, shape), inside)
    return dH, sums


@triton.jit
def learn_noise(dH, sums, H, live, target, drawn, table, noise, lr, shape: tl.constexpr):
    """(dH, sums) with those of the target and its noise words added, whose rows learn: all in one
    tile."""
    word, used, labels = among(target, drawn, 0, shape)
    Y, s = gather(H, word, used, table, noise, shape)
    if shape.cross_entropy:
        g, losses = cross_entropy(s, labels, live[:, None] & used[None, :])
    else:
        g, losses = logistic(s, labels, live[:, None] & used[None, :])
    sums = add_losses(sums, losses)
    if shape.learns:
        g *= lr
        dH += for_hidden(g, Y, shape)
        update(g, H, word, used, table, noise, shape)
    return dH, sums


@triton.jit
def learn_tiles(
    dH, sums, H, live, target, i, table, noise, chance, scratch, lr, shape: tl.constexpr
):
    """`learn_noise` in more than one tile. scratch: [programs, tiles, hidden, tile]."""
    there = present(shape)
    size: tl.constexpr = shape.hidden * shape.tile
    own = scratch + tl.program_id(0).to(tl.int64) * shape.scratch + shape.ring * shape.width
    own += tl.arange(0, shape.hidden)[:, None] * shape.tile + tl.arange(0, shape.tile)[None, :]
    top = tl.full([shape.hidden], 0, tl.float32)
    total = tl.full([shape.hidden], 0, tl.float32)
    tl.debug_barrier()
    for tile in range(shape.tiles):
        word, used, labels = among(target, draw_tile(i, tile, chance, shape), tile, shape)
        Y, s = gather(H, word, used, table, noise, shape)
        both = live[:, None] & used[None, :]
        if shape.cross_entropy:
            top += tl.sum(tl.where(labels > 0, s, 0.0), 1)  # the target is in the first tile
            found, losses = exponentials(s, top, both)
            total += tl.sum(found, 1)
        else:
            found, losses = logistic(s, labels, both)
        sums = add_losses(sums, losses)
        tl.store(own + tile * size, found)
    if shape.cross_entropy:
        total = tl.maximum(total, 1.0)
        once = live[:, None] & (tl.arange(0, shape.tile) == 0)[None, :]
        sums = add_losses(sums, tl.where(once, tl.log(total)[:, None], 0.0))
    if shape.learns:
        tl.debug_barrier()
        for tile in range(shape.tiles):
            word, used, labels = among(target, draw_tile(i, tile, chance, shape), tile, shape)
            Y = read(addresses(table, word[:, None], shape), used[:, None] & there)
            g = tl.load(own + tile * size)
            if shape.cross_entropy:
                g = softened(g, total, labels, live[:, None] & used[None, :])
            dH += for_hidden(g * lr, Y, shape)
        tl.debug_barrier()
        for tile in range(shape.tiles):
            word, used, labels = among(target, draw_tile(i, tile, chance, shape), tile, shape)
            g = tl.load(own + tile * size)
            if shape.cross_entropy:
                g = softened(g, total, labels, live[:, None] & used[None, :])
            update(g * lr, H, word, used, table, noise, shape)
    return dH, sums


@triton.jit
def draw_tile(i, tile, chance, shape: tl.constexpr):
    """The words [tile] that are drawn for a tile of target number i; word number 0 is none."""
    seed, vocabulary, accept, alias = chance
    k = tile * shape.tile + tl.arange(0, shape.tile)
    counter = i.to(tl.int64) * shape.negatives + (k - 1)
    drawn = (k > 0) & (k <= shape.negatives)
    return draw(seed, counter, drawn, vocabulary, accept, alias)


@triton.jit
def among(target, drawn, tile, shape: tl.constexpr):
    """(words [tile] of the tile, whether they are scored, labels [1, tile]): the target, which is
    number 0, and the noise words."""
    k = tile * shape.tile + tl.arange(0, shape.tile)
    word, used = tl.where(k == 0, target, drawn), k <= shape.negatives
    if shape.skip_hits:
        used = used & ((k == 0) | (word != target))
    return word, used, tl.where(k == 0, 1.0, 0.0)[None, :]


@triton.jit
def gather(H, word, used, table, noise, shape: tl.constexpr):
    """(rows Y [tile, width] of the words, their scores [hidden, tile])."""
    there = present(shape)
    Y = read(addresses(table, word[:, None], shape), used[:, None] & there)
    s = scores(H, Y, shape)
    if shape.offsets:
        s += tl.load(noise.offsets + word, mask=used, other=0.0)[None, :]
    if shape.word_bias:
        s += read(noise.bias + word, used)[None, :]
    if shape.log_z:
        s += tl.load(noise.log_z, cache_modifier=".cg")
    return Y, s


@triton.jit
def update(g, H, word, used, table, noise, shape: tl.constexpr):
    """The words' rows and biases += what residuals g [hidden, tile], times lr, ask for, damped."""
    there = present(shape)
    if shape.log_z:
        change = tl.sum(tl.sum(g, 1), 0) * tl.load(noise.log_z_damping)
        add(noise.log_z, change, None)
    g *= tl.load(table.damping + word, mask=used, other=0.0)[None, :]
    if shape.word_bias:
        add(noise.bias + word, tl.sum(g, 0), used)
    add(addresses(table, word[:, None], shape), for_outputs(g, H, shape), used[:, None] & there)
