"""Words in classes of similar ones."""

from __future__ import annotations

import numpy as np

from w2v.errors import InputError
from w2v.vectors.rows import WordRows


def classes(vectors: WordRows, k: int = 500, seed: int = 1) -> np.ndarray:
    """Returns the class of each word, [V] int64: 0 is the largest of k, or of fewer where fewer
    vectors differ. The same seed gives the same classes."""
    from w2v.explorer.map.classes import classes  # what no other method needs

    if k > len(vectors):
        words = f"the {len(vectors):,} words of {vectors.source}"
        raise InputError(f"`k` {k:,} is more than {words}; ask for fewer classes")
    return classes(vectors.unit(slice(None)), k, seed)[0]
