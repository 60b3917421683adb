"""From the stream of ids to the kernel's buffer: rare words skipped, frequent words thinned out,
sentences numbered.

The stream holds int32 word ids, -1 at every line end; ids >= V are words below `min_count`. Windows
cross neither line ends nor, in lines of more than `max_sentence` words, the cuts after every
max_sentence words (0 = never cut; then a block also reads up to `window` words to the left and
right of itself as context). The buffer slides: it keeps `window` words to the left of the next
target, so that a line may be of any length.
"""

from __future__ import annotations

from typing import Any

from numba import njit

from w2v.kernels.cpu.random import survives
from w2v.kernels.cpu.rows import SLOTS

# Fields of the reader's state, an int64 array that is zero at a block's start.
POSITION, LENGTH, NEXT, CHOSEN, SENTENCE, PIECE, AFTER, TARGETS, FINISHED, READ, RARE, DROPPED = (
    range(12)
)
GONE = 12  # how many words have left the buffer
STATE_SIZE = 13
UNKNOWN = 1 << 62  # TARGETS before the end of the block has been reached


@njit(nogil=True, boundscheck=False)
def begin(state: Any, ids: Any, keep: Any, key: Any, text: Any) -> None:
    """Sets the state for a block at text.start; without sentence cuts it begins `window` surviving
    words earlier in the same line."""
    state[:] = 0
    state[TARGETS] = UNKNOWN
    position, found, more = text.start, 0, text.window if text.max_sentence == 0 else 0
    while position > 0 and found < more and ids[position - 1] >= 0:
        position -= 1
        word = ids[position]
        if word < keep.shape[0] and survives(position, key, keep[word]):
            found += 1
    state[POSITION] = position


@njit(nogil=True, boundscheck=False)
def refill(state: Any, ids: Any, keep: Any, key: Any, text: Any, words: Any, sentences: Any) -> int:
    """Fills the buffer; returns how many words of it can be used as targets now, their right
    context being complete."""
    start, stop, window, max_sentence = text.start, text.stop, text.window, text.max_sentence
    # a multiple of SLOTS: the ring of chosen rows is indexed by place in the buffer
    drop = max(0, state[NEXT] - window) // SLOTS * SLOTS
    length = state[LENGTH] - drop
    # a slice assignment would compile Numba's string functions for its error message
    for j in range(length):
        words[j] = words[drop + j]
        sentences[j] = sentences[drop + j]
    state[NEXT] -= drop
    state[CHOSEN] -= drop
    state[GONE] += drop
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
