"""Copies words from the stream of ids to the kernel's buffer: skips rare words, subsamples frequent
ones, and numbers sentences.

The stream holds int32 word ids, and -1 at every line end; ids >= V are words below `min_count`.
Windows end at line ends and, in lines of more than `max_sentence` words, at the cuts after every
max_sentence words. With max_sentence = 0 there are no cuts, and a block also reads up to `window`
words before and after itself as context. The buffer slides: it keeps `window` words before the next
target, so that a line may have any length.
"""

from __future__ import annotations

from typing import Any

from w2v.kernels.cpu.parts import part
from w2v.kernels.cpu.random import survives
from w2v.kernels.cpu.rows import SLOTS

# Indices into the reader's state, an int64 array that is zero at the start of a block:
#   POSITION  next position of the stream          LENGTH    words in the buffer
#   NEXT      buffer index of the next target      CHOSEN    the first index without output rows
#   SENTENCE  number of the current sentence       PIECE     its words since the last cut
#   AFTER     words kept from behind the block     TARGETS   index of the first word behind it
#   FINISHED  1 when everything has been read      READ, RARE, DROPPED   word counts of the block
#   REMOVED   words that have left the buffer
POSITION, LENGTH, NEXT, CHOSEN, SENTENCE, PIECE, AFTER, TARGETS, FINISHED, READ, RARE, DROPPED = (
    range(12)
)
REMOVED = 12
STATE_SIZE = 13
UNKNOWN = 1 << 62  # value of TARGETS until the end of the block is reached


@part
def begin(state: Any, ids: Any, keep: Any, key: Any, block: Any) -> None:
    """Initialises the state for a block at block.start; without sentence cuts it starts `window`
    surviving words earlier in the same line."""
    state[:] = 0
    state[TARGETS] = UNKNOWN
    position, kept, wanted = block.start, 0, block.window if block.max_sentence == 0 else 0
    while position > 0 and kept < wanted and ids[position - 1] >= 0:
        position -= 1
        word = ids[position]
        if word < keep.shape[0] and survives(position, key, keep[word]):
            kept += 1
    state[POSITION] = position


@part
def refill(
    state: Any, ids: Any, keep: Any, key: Any, block: Any, words: Any, sentences: Any
) -> int:
    """Fills the buffer; returns how many of its words have a complete right context, so that they
    can be targets."""
    start, stop, window, max_sentence = block.start, block.stop, block.window, block.max_sentence
    # a multiple of SLOTS, because the ring of chosen rows is indexed by position in the buffer
    drop = max(0, state[NEXT] - window) // SLOTS * SLOTS
    length = state[LENGTH] - drop
    # a loop: a slice assignment would compile Numba's string functions for its error message
    for j in range(length):
        words[j] = words[drop + j]
        sentences[j] = sentences[drop + j]
    state[NEXT] -= drop
    state[CHOSEN] -= drop
    state[REMOVED] += drop
    if state[TARGETS] != UNKNOWN:
        state[TARGETS] -= drop
    position = state[POSITION]
    while state[FINISHED] == 0 and length < words.shape[0]:
        if position >= stop:
            if state[TARGETS] == UNKNOWN:
                state[TARGETS] = length
            outside = position == 0 or position >= ids.shape[0]
            line_ended = outside or ids[position - 1] < 0 or ids[position] < 0
            if max_sentence > 0 or state[AFTER] == window or line_ended:
                state[FINISHED] = 1
                break
        word = ids[position]
        inside = start <= position < stop
        position += 1
        if word < 0:
            state[SENTENCE] += 1
            state[PIECE] = 0
            continue
        if max_sentence > 0:
            if state[PIECE] == max_sentence:
                state[SENTENCE] += 1
                state[PIECE] = 0
            state[PIECE] += 1
        if inside:
            state[READ] += 1
        if word >= keep.shape[0]:
            if inside:
                state[RARE] += 1
            continue
        if not survives(position - 1, key, keep[word]):
            if inside:
                state[DROPPED] += 1
            continue
        if position <= start:
            state[NEXT] += 1
            state[CHOSEN] += 1
        elif not inside:
            state[AFTER] += 1
        words[length] = word
        sentences[length] = state[SENTENCE]
        length += 1
    state[POSITION] = position
    state[LENGTH] = length
    return min(state[TARGETS], length if state[FINISHED] else length - window)
