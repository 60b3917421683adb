"""Clusters words with scikit-learn's k-means on unit vectors, which groups them by cosine."""

from __future__ import annotations

import warnings

import numpy as np

from w2v.errors import InputError
from w2v.system.packages import reporting_missing
from w2v.vectors.rows import WordRows

ROUNDS = 30


def classes(vectors: WordRows, k: int = 500, seed: int = 1) -> np.ndarray:
    """Returns the class of each word, [V] int64, numbered 0 … k - 1 from the largest class on. The
    same seed gives the same classes. Needs scikit-learn, which is installed with w2v[map]."""
    if k > len(vectors):
        words = f"the {len(vectors):,} words of {vectors.source}"
        raise InputError(f"`k` {k:,} is more than {words}; ask for fewer classes")
    with reporting_missing():
        from sklearn.cluster import KMeans  # takes a second, and is not a requirement of w2v
        from sklearn.exceptions import ConvergenceWarning
        from threadpoolctl import threadpool_limits
    unit = vectors.unit(slice(None))
    # With several threads, sums would depend on the order in which they finish.
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer than k distinct vectors
        clusters = KMeans(k, n_init=1, max_iter=ROUNDS, random_state=seed).fit_predict(unit)
    order = np.argsort(-np.bincount(clusters, minlength=k), kind="stable")
    number = np.empty(k, np.int64)
    number[order] = np.arange(k)
    return np.asarray(number[clusters])
