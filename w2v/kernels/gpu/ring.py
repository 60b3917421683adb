"""The context rows of the windows near a target, in registers: position i of the text has slot
i mod ring of X [ring, width] for as long as some window of the program can hold it.

A row is read from the table when its position comes within the window's reach, and what the
windows have added to it is added to the table when the position has fallen behind. So a row is read
and written once a word and not once a pair (FULL-W2V, arXiv 2312.07743); a word that stands in the
ring twice has two copies, whose changes add up in the table.
"""

from __future__ import annotations

import triton
import triton.language as tl

from w2v.kernels.gpu.rows import add, addresses, present, read


@triton.jit
def position(slot, low, shape: tl.constexpr):
    """The one of the positions low … low + ring - 1 that has the slot."""
    return low + ((slot - low) & (shape.ring - 1))


@triton.jit
def noted(scratch, slot, shape: tl.constexpr):
    """Where a program keeps what stood in the table when a slot's row was read: [·, width]. Other
    threads read it than have written it, but the products' barriers are between."""
    own = tl.program_id(0).to(tl.int64) * shape.scratch
    return scratch + own + slot * shape.width + tl.arange(0, shape.width)[None, :]


@triton.jit
def fill(table, words, n, begin, scratch, shape: tl.constexpr):
    """X as it is before the last row of the window of target `begin` enters."""
    place = position(tl.arange(0, shape.ring), begin - shape.window, shape)
    held = (place < begin + shape.window) & (place >= 0) & (place < n)
    word = tl.load(words + place, mask=held, other=0).to(tl.int32)
    X = read(addresses(table, word[:, None], shape), held[:, None] & present(shape))
    if shape.learns:
        tl.store(noted(scratch, tl.arange(0, shape.ring)[:, None], shape), X)
    return X


@triton.jit
def word_at(words, n, place):
    """The word (int32) at a place of the text; beside the text, any."""
    return tl.load(words + place, mask=(place >= 0) & (place < n), other=0).to(tl.int32)


@triton.jit
def enter(X, table, word, n, place, scratch, shape: tl.constexpr):
    """X with the row of the word at `place`."""
    slot = place & (shape.ring - 1)
    own = (tl.arange(0, shape.ring)[:, None] == slot) & (place < n)
    row = read(addresses(table, word, shape), present(shape))
    if shape.learns:
        tl.store(noted(scratch, slot, shape), row)
    return tl.where(own, row, X)


@triton.jit
def leave(X, table, words, n, place, scratch, shape: tl.constexpr):
    """The row of the word at `place` += its damping · what it has gained."""
    there = present(shape)
    word = word_at(words, n, place)
    slot = place & (shape.ring - 1)
    own = tl.arange(0, shape.ring)[:, None] == slot
    change = tl.sum(tl.where(own, X, 0.0), 0, keep_dims=True)
    change = (change - tl.load(noted(scratch, slot, shape))) * tl.load(table.damping + word)
    add(addresses(table, word, shape), change, there & (place >= 0) & (place < n))


@triton.jit
def neighbours(text, n, i, shape: tl.constexpr):
    """[ring]: whether a slot's position is in the window of target i and of its sentence."""
    place = position(tl.arange(0, shape.ring), i - shape.window, shape)
    far = tl.load(text.reach + i)
    near = (place >= i - far) & (place <= i + far) & (place != i) & (place >= 0) & (place < n)
    lines = tl.load(text.sentences + place, mask=near, other=-1)
    return near & (lines == tl.load(text.sentences + i))
