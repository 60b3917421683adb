"""What a loss needs from a fused kernel, on CPU or GPU. Imports neither NumPy, Numba nor torch.

The options of a loss (`w2v.losses.options`) create the plan. An engine reads only the plan, nothing
else of the loss. Only its integers are compiled into the kernel.
"""

from __future__ import annotations

from typing import NamedTuple

PATH, NOISE = 1, 2  # bits of `rows`
LOGISTIC, CROSS_ENTROPY = 0, 1  # values of `link`
WORD_BIAS, LOG_Z_BIAS = 1, 2  # bits of `bias`
SMALLEST_TILE = 16  # smallest side of the tiles that a GPU's matrix units multiply
# Most floats of context rows that a GPU program holds, in registers and in shared memory. From half
# of that on (a quarter, if a window scores several tiles of words) some are spilled to memory.
RING_FLOATS = 1 << 14


class FusedPlan(NamedTuple):
    """The scored rows, the link function, and what is added to the scores.

    rows: PATH scores the inner nodes on the target's path, NOISE the target and noise words,
    PATH + NOISE both. link: LOGISTIC or CROSS_ENTROPY. offsets: 1 subtracts log Z and the log of
    the word's expected count from each score. skip_hits: 1 excludes noise words that equal the
    target. bias: WORD_BIAS trains a bias per word, LOG_Z_BIAS one for all words, -log Z, which
    starts at -log V.

    negatives, power: the number of noise words, drawn in proportion to count^power. log_z: the
    constant subtracted with `offsets`; None: log V. path, noise: names of the output rows of inner
    nodes and of words in the layer's state_dict.
    """

    rows: int
    link: int = LOGISTIC
    offsets: int = 0
    skip_hits: int = 0
    bias: int = 0
    negatives: int = 0
    power: float = 0.75
    log_z: float | None = 0.0
    path: str = "weight"
    noise: str = "weight"

    @property
    def noise_rows(self) -> int:
        """The number of words that are scored for a target: itself and its noise words, or 0."""
        return self.negatives + 1 if self.rows & NOISE else 0


def widest_window(dim: int) -> int:
    """Returns the widest window for vectors of length `dim` whose context rows a GPU program can
    hold, or 0 if there is none. Their number and length are rounded up to powers of two."""
    slots = RING_FLOATS // (1 << (max(dim, SMALLEST_TILE) - 1).bit_length())
    return (slots - 1) // 2 if slots >= SMALLEST_TILE else 0


def most_negatives(window: int) -> int:
    """Returns the most noise words that a GPU program can score for a target: the offsets of their
    residuals, for each slot of its ring, are 32-bit integers."""
    slots = max(SMALLEST_TILE, 1 << (2 * window).bit_length())
    return (1 << 31) // slots - SMALLEST_TILE
