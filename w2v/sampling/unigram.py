"""Noise distributions, alias tables to draw from them, and subsampling probabilities.

unigram^power (word2vec: power 0.75): q(w) = count(w)^power / Σ count^power, drawn in O(1) by
Walker's alias method (doi 10.1145/355744.355749).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from w2v.system.compiled import compiled


def unigram_probabilities(counts: np.ndarray, power: float) -> np.ndarray:
    """Returns q [V] float64: count^power, normalised, for positive counts [V]. The weights are
    scaled so that the largest is 1, which prevents overflow."""
    logs = np.log(np.asarray(counts, np.float64))
    weights = np.exp(power * (logs - (logs.max() if power > 0 else logs.min())))
    return np.asarray(weights / weights.sum())


def alias_table(probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns accept [V] uint32 and alias [V] int32. To draw a word, draw a cell c and 32 bits u
    uniformly: the word is c if u < accept[c], else alias[c]."""
    scaled = np.asarray(probabilities, np.float64) * len(probabilities)
    accept, alias = np.ones(len(scaled)), np.arange(len(scaled), dtype=np.int32)
    _fill_alias(scaled, accept, alias)
    # A cell that is always accepted is its own alias, therefore 2^32 - 1 can stand for 2^32.
    return np.clip(accept * 2.0**32, 0, 2**32 - 1).astype(np.uint32), alias


@compiled()
def _fill_alias(scaled: Any, accept: Any, alias: Any) -> None:
    """Pairs every cell below the average weight with one above it. `scaled` [V] has mean 1 and is
    overwritten."""
    V = len(scaled)
    small, large = np.empty(V, np.int64), np.empty(V, np.int64)
    n_small = n_large = 0
    for i in range(V):
        if scaled[i] < 1:
            small[n_small] = i
            n_small += 1
        else:
            large[n_large] = i
            n_large += 1
    while n_small > 0 and n_large > 0:
        n_small -= 1
        n_large -= 1
        low, high = small[n_small], large[n_large]
        accept[low], alias[low] = scaled[low], high
        scaled[high] -= 1 - scaled[low]
        if scaled[high] < 1:
            small[n_small] = high
            n_small += 1
        else:
            large[n_large] = high
            n_large += 1


def keep_probabilities(counts: np.ndarray, sample: float) -> np.ndarray:
    """Returns the probabilities that subsampling keeps a word: min(1, sqrt(sample / f) + sample /
    f), float64 [V], with f = count / total, as in word2vec.c; all 1 for sample 0."""
    frequencies = np.asarray(counts, np.float64) / np.sum(counts)
    if sample == 0:
        return np.ones(len(frequencies))
    ratio = sample / frequencies
    return np.asarray(np.minimum(1.0, np.sqrt(ratio) + ratio))


def keep_thresholds(counts: np.ndarray, sample: float) -> np.ndarray:
    """Returns `keep_probabilities` times 2^32 - 1, uint32 [V], for comparison with random bits."""
    return (keep_probabilities(counts, sample) * (2**32 - 1)).astype(np.uint32)
