"""A ring buffer in registers with the input rows of the words near the current target: position i
of the text has slot i mod ring of X [ring, width] as long as a window of this program can reach it.

A row is loaded from the table when a window first reaches its position. When no window can reach
the position any more, the sum of the changes made to the row is added to the table. Each row is
thus read and written once per word of the text rather than once per pair of context word and target
(FULL-W2V, arXiv:2312.07743). A word that stands at two positions in the ring has two copies, whose
changes add up in the table.
"""

from __future__ import annotations

import triton
import triton.language as tl

from w2v.kernels.gpu.rows import add, inside_row, read, row_addresses


@triton.jit
def position_of(slot, low, shape: tl.constexpr):
    """Returns the position in low … low + ring - 1 that has this slot."""
    return low + ((slot - low) & (shape.ring - 1))


@triton.jit
def loaded_row(scratch, slot, shape: tl.constexpr):
    """Returns the addresses [slots, width] in scratch memory where a program stores the values of a
    slot's row as they were loaded from the table. The threads that read them are not those that
    stored them; the barriers of the matrix products in between make that safe."""
    own = tl.program_id(0).to(tl.int64) * shape.scratch
    return scratch + own + slot * shape.width + tl.arange(0, shape.width)[None, :]


@triton.jit
def fill_ring(table, words, n, begin, scratch, shape: tl.constexpr):
    """Returns X [ring, width] for the window of target `begin`, except that the row of position
    begin + window is missing; `enter_ring` adds it."""
    position = position_of(tl.arange(0, shape.ring), begin - shape.window, shape)
    held = (position < begin + shape.window) & (position >= 0) & (position < n)
    word = tl.load(words + position, mask=held, other=0).to(tl.int32)
    X = read(row_addresses(table, word[:, None], shape), held[:, None] & inside_row(shape))
    if shape.updates:
        tl.store(loaded_row(scratch, tl.arange(0, shape.ring)[:, None], shape), X)
    return X


@triton.jit
def word_at(words, n, position):
    """Returns the word (int32) at a position of the text; 0 for positions outside the text."""
    return tl.load(words + position, mask=(position >= 0) & (position < n), other=0).to(tl.int32)


@triton.jit
def enter_ring(X, table, word, n, position, scratch, shape: tl.constexpr):
    """Returns X with the row of `word`, which stands at `position`, loaded into its slot."""
    slot = position & (shape.ring - 1)
    own = (tl.arange(0, shape.ring)[:, None] == slot) & (position < n)
    row = read(row_addresses(table, word, shape), inside_row(shape))
    if shape.updates:
        tl.store(loaded_row(scratch, slot, shape), row)
    return tl.where(own, row, X)


@triton.jit
def leave_ring(X, table, words, n, position, scratch, shape: tl.constexpr):
    """Adds the change of the row at `position` since it was loaded, times its damping factor, to
    the table."""
    columns = inside_row(shape)
    word = word_at(words, n, position)
    slot = position & (shape.ring - 1)
    own = tl.arange(0, shape.ring)[:, None] == slot
    change = tl.sum(tl.where(own, X, 0.0), 0, keep_dims=True)
    change = (change - tl.load(loaded_row(scratch, slot, shape))) * tl.load(table.damping + word)
    add(row_addresses(table, word, shape), change, columns & (position >= 0) & (position < n))


@triton.jit
def in_window(text, n, i, shape: tl.constexpr):
    """Returns for each slot [ring] whether its position is in the window of target i and in the
    same sentence. A block's sentence numbers fit into 32 bits, which take one register, not two."""
    position = position_of(tl.arange(0, shape.ring), i - shape.window, shape)
    reach = tl.load(text.reach + i)
    first, last = tl.maximum(i - reach, 0), tl.minimum(i + reach, n - 1)
    near = (position >= first) & (position <= last) & (position != i)
    sentences = tl.load(text.sentences + position, mask=near, other=-1).to(tl.int32)
    return near & (sentences == tl.load(text.sentences + i).to(tl.int32))
