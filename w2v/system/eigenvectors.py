"""The leading eigenvectors of a matrix of products: the directions of principal components."""

from __future__ import annotations

import numpy as np


def leading_eigenvectors(products: np.ndarray, k: int) -> np.ndarray:
    """Returns the first k eigenvectors (all, if fewer) of a symmetric matrix [D, D] as columns
    [D, k], by falling eigenvalue. The sign of each is arbitrary: its largest component is made
    positive."""
    _, vectors = np.linalg.eigh(products)  # by rising eigenvalue
    vectors = vectors[:, ::-1][:, :k]
    largest = np.abs(vectors).argmax(axis=0)
    signed: np.ndarray = vectors * np.sign(vectors[largest, np.arange(vectors.shape[1])])
    return signed
