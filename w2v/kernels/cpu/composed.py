"""Words with n-grams: a word's vector is the mean of its own row and the rows of its n-grams, and
each of these rows changes by as much as the mean, as in fastText.

The vector is computed when the word comes within reach of a target, and is kept in a ring buffer
with a slot for each nearby word. Windows read and change it there like any other row. When no
window can reach the word any more, the change is added to each of its n rows. This costs n loads
and n stores per word; fastText needs them for every pair of target and context word.

CBOW's hidden row is the mean of all rows of all context words, as in fastText, so that a word has
the weight of its number of rows (equal weights would cost accuracy).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from numba import float32, int64

from w2v.kernels.cpu import vector as v
from w2v.kernels.cpu.parts import inlined
from w2v.kernels.cpu.rows import count_use, row_of

NEAR = 512  # the rows of so many of the most frequent n-grams are always in the cache


class Composed(NamedTuple):
    """Addresses of the arrays for words with n-grams.

    starts [V + 1] int64, rows int32: the words' rows of the n-gram table in CSR form. row_list:
    space for the int64 addresses of the n-gram rows of one word. ring [slots]: the current vectors;
    initial [slots]: the same as they were when composed. mask: slots - 1, where the number of slots
    is a power of two.
    """

    starts: int
    rows: int
    row_list: int
    ring: int
    initial: int
    mask: int


@inlined
def prefetch_parts(word: Any, m: Any, c: Any, size: int) -> None:
    """Prefetches the rows that the word is composed of."""
    v.prefetch_row(row_of(m.input, word, size), size)
    start = v.read_long(c.starts + 8 * int64(word))
    stop = v.read_long(c.starts + 8 * int64(word) + 8)
    for k in range(start, stop):
        row = v.read_int(c.rows + 4 * k)
        if row >= NEAR:
            v.prefetch_row(row_of(m.ngrams, row, size), size)


@inlined
def row_count(word: Any, c: Any) -> Any:
    """Returns how many rows the word is composed of, including its own."""
    start = v.read_long(c.starts + 8 * int64(word))
    return float32(v.read_long(c.starts + 8 * int64(word) + 8) - start + 1)


@inlined
def compose(word: Any, slot: int, m: Any, c: Any, size: int) -> None:
    """Writes the mean of the word's rows to a slot of the ring."""
    start = v.read_long(c.starts + 8 * int64(word))
    count = v.read_long(c.starts + 8 * int64(word) + 8) - start
    for k in range(count):
        row = row_of(m.ngrams, v.read_int(c.rows + 4 * (start + k)), size)
        v.write_long(c.row_list + 8 * k, row)
    own = row_of(m.input, word, size)
    share = v.spread(float32(1) / float32(count + 1))
    at = slot * size
    for d in range(0, size, 64):
        even, odd = v.load(own + d), v.spread(float32(0))
        for k in range(0, count - 1, 2):
            even = v.add(even, v.load(v.read_long(c.row_list + 8 * k) + d))
            odd = v.add(odd, v.load(v.read_long(c.row_list + 8 * k + 8) + d))
        if count % 2:
            odd = v.add(odd, v.load(v.read_long(c.row_list + 8 * count - 8) + d))
        mean = v.multiply(share, v.add(even, odd))
        v.store(c.ring + at + d, mean)
        v.store(c.initial + at + d, mean)


@inlined
def distribute_change(word: Any, slot: int, m: Any, c: Any, size: int) -> None:
    """Adds the change of the vector in a slot of the ring to all rows of the word."""
    change = c.initial + slot * size
    for d in range(0, size, 64):
        v.store(change + d, v.subtract(v.load(c.ring + slot * size + d), v.load(change + d)))
    add_change(m.input, word, change, size)
    start = v.read_long(c.starts + 8 * int64(word))
    stop = v.read_long(c.starts + 8 * int64(word) + 8)
    for k in range(start, stop):
        add_change(m.ngrams, v.read_int(c.rows + 4 * k), change, size)


@inlined
def add_change(table: Any, index: Any, change: int, size: int) -> None:
    """Adds the row at address `change` to row `index` of the table, and counts a use of it."""
    row = row_of(table, index, size)
    for d in range(0, size, 64):
        v.store(row + d, v.add(v.load(row + d), v.load(change + d)))
    count_use(table, index)
