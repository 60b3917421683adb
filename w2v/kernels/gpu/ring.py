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
def around(words, n, border, shape: tl.constexpr):
    """Of the ring when it holds the `window` words on both sides of `border`: (the words [ring, 1],
    which slots hold one)."""
    place = position(tl.arange(0, shape.ring), border - shape.window, shape)
    held = (place < border + shape.window) & (place >= 0) & (place < n)
    word = tl.load(words + place, mask=held, other=0).to(tl.int32)
    return word[:, None], held[:, None]


@triton.jit
def fill(table, words, n, begin, shape: tl.constexpr):
    """X as it is before the last row of the window of target `begin` enters."""
    there = present(shape)
    word, held = around(words, n, begin, shape)
    return read(addresses(table, word, shape), held & there)


@triton.jit
def word_at(words, n, place):
    """The word (int32) at a place of the text; beside the text, any."""
    return tl.load(words + place, mask=(place >= 0) & (place < n), other=0).to(tl.int32)


@triton.jit
def enter(X, gained, table, word, n, place, shape: tl.constexpr):
    """(X, gained) with the row of the word at `place`, which has gained nothing yet."""
    there = present(shape)
    own = (tl.arange(0, shape.ring)[:, None] == (place & (shape.ring - 1))) & (place < n)
    row = read(addresses(table, word, shape), there)
    return tl.where(own, row, X), tl.where(own, 0.0, gained)


@triton.jit
def leave(gained, table, words, n, place, shape: tl.constexpr):
    """The row of the word at `place` += its damping · what it has gained."""
    there = present(shape)
    word = word_at(words, n, place)
    own = tl.arange(0, shape.ring)[:, None] == (place & (shape.ring - 1))
    change = tl.sum(tl.where(own, gained, 0.0), 0, keep_dims=True) * tl.load(table.damping + word)
    add(addresses(table, word, shape), change, there & (place >= 0))


@triton.jit
def drain(gained, table, words, n, end, shape: tl.constexpr):
    """`leave` for all that are still there after the window of target end - 1."""
    there = present(shape)
    word, held = around(words, n, end, shape)
    gained *= tl.load(table.damping + word, mask=held, other=0.0)
    add(addresses(table, word, shape), gained, held & there)


@triton.jit
def neighbours(text, n, i, shape: tl.constexpr):
    """[ring]: whether a slot's position is in the window of target i and of its sentence."""
    place = position(tl.arange(0, shape.ring), i - shape.window, shape)
    far = tl.load(text.reach + i)
    near = (place >= i - far) & (place <= i + far) & (place != i) & (place >= 0) & (place < n)
    lines = tl.load(text.sentences + place, mask=near, other=-1)
    return near & (lines == tl.load(text.sentences + i))
