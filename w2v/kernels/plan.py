"""What a loss asks of a fused kernel, on CPU or GPU. Free of NumPy, Numba and torch.

The options of a loss (`w2v.losses.options`) make it. An engine reads the plan, and nothing else of
the loss. Only integers go into a kernel's machine code.
"""

from __future__ import annotations

from typing import NamedTuple

PATH, NOISE = 1, 2  # bits of `rows`
LOGISTIC, CROSS_ENTROPY = 0, 1  # values of `link`
WORD_BIAS, LOG_Z_BIAS = 1, 2  # bits of `bias`
SMALLEST = 16  # of a side of the tiles that a GPU's matrix units multiply
# Of context rows on a GPU, that a program's warps hold in registers, and copy to shared memory: so
# many floats a warp, or half as many where a window scores several tiles of words, are what no
# register has to be spilled for.
WARP_FLOATS, MOST_WARPS = 512, 16


class FusedPlan(NamedTuple):
    """Rows, link and what is added to the scores.

    rows: PATH scores the inner nodes on the target's path, NOISE the target and noise words,
    PATH + NOISE both. link: LOGISTIC or CROSS_ENTROPY. offsets: 1 subtracts log Z and the log of
    its expected count from a word's score. skip_hits: 1 leaves out a noise word that equals the
    target. bias: WORD_BIAS trains a bias per word, LOG_Z_BIAS one for all words, -log Z, which
    starts at -log V.

    negatives, power: how many noise words are drawn, by count to this power. log_z: the constant
    that offsets subtract; None: log V. path, noise: what the layer's state_dict calls the output
    rows of inner nodes and of words.
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
        """How many of the rows that a target has are words'."""
        return self.negatives + 1 if self.rows & NOISE else 0


def warp_floats(noise_rows: int, cbow: bool) -> int:
    """Returns how many floats of the context rows one warp of a GPU's program holds, when a window
    scores so many words."""
    return WARP_FLOATS if cbow or noise_rows <= SMALLEST else WARP_FLOATS // 2


def widest_window(dim: int, floats: int = WARP_FLOATS) -> int:
    """Returns the widest window whose context rows, their number and length rounded up to powers of
    two, a GPU's program holds, `floats` of them a warp; 0: there is none."""
    places = MOST_WARPS * floats // (1 << (max(dim, SMALLEST) - 1).bit_length())
    return (places - 1) // 2 if places >= SMALLEST else 0
