"""Computes the coordinates of each word: by t-SNE (openTSNE), which keeps neighbours together, or
by the first two principal components."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np

from w2v.errors import InputError, RunError
from w2v.explorer.map.neighbours import Neighbours
from w2v.system.eigenvectors import leading_eigenvectors

METHODS = ("auto", "tsne", "pca")
# With 30 neighbours (perplexity 10), t-SNE keeps as many of the nearest 10 words together as with
# 90 (perplexity 30), in less time.
NEIGHBOURS = 30
FEWEST = 10  # with fewer words, t-SNE is not worthwhile
FEW = 5000  # up to this many words, the Barnes-Hut approximation is as fast as that by FFT
# Iterations of gradient descent; more do not keep more neighbours together.
EXAGGERATED, ROUNDS = 250, 350


def chosen_method(method: str) -> str:
    """Returns "tsne" or "pca". Raises InputError if it is unknown, RunError if not installed."""
    if method not in METHODS:
        raise InputError(f"`method` {method} is unknown; use one of {', '.join(METHODS)}")
    installed = find_spec("openTSNE") is not None
    if method == "tsne" and not installed:
        remedy = "pip install 'w2v[map]', or use `method` pca"
        raise RunError(f"`method` tsne needs openTSNE, which is not installed: {remedy}")
    return ("tsne" if installed else "pca") if method == "auto" else method


def layout(unit: np.ndarray, near: Neighbours, method: str, seed: int) -> np.ndarray:
    """Returns the coordinates [N, 2] float32 of unit rows [N, D]; `near` are their nearest rows."""
    plane = principal(unit, 2)
    if method == "pca" or len(unit) < FEWEST:
        return plane.astype(np.float32)
    import openTSNE  # takes half a second, and is not a requirement of w2v
    from openTSNE.affinity import PerplexityBasedNN
    from openTSNE.nearest_neighbors import PrecomputedNeighbors

    start = plane / max(plane[:, 0].std(), 1e-9)
    # words with the same vector must start at different places, or t-SNE could not separate them
    start += np.random.default_rng(seed).normal(scale=0.01, size=start.shape)
    distances = np.sqrt(np.maximum(0.0, 2.0 - 2.0 * near.cosines.astype(np.float64)))
    index = PrecomputedNeighbors(np.ascontiguousarray(near.rows), distances)
    affinities = PerplexityBasedNN(perplexity=near.rows.shape[1] / 3, knn_index=index)
    few = len(unit) <= FEW
    embedding = openTSNE.TSNEEmbedding(
        np.ascontiguousarray(start * 1e-4),
        affinities,
        negative_gradient_method="bh" if few else "fft",
        n_jobs=1,  # with threads, the order of additions, and thus the result, would vary
        random_state=seed,
    )
    embedding.optimize(EXAGGERATED, exaggeration=12, momentum=0.5, inplace=True)
    embedding.optimize(ROUNDS, momentum=0.8, inplace=True)
    return np.asarray(embedding, np.float32)


def principal(rows: np.ndarray, k: int, *, centred: bool = True) -> np.ndarray:
    """Returns the projections [N, k] float64 of rows [N, D] on their first k principal components;
    unless `centred`, the mean is not subtracted."""
    rows = rows.astype(np.float64)
    if centred:
        rows -= rows.mean(axis=0)
    projections = rows @ leading_eigenvectors(rows.T @ rows, k)
    return np.pad(projections, ((0, 0), (0, k - projections.shape[1])))


def share_kept(coordinates: np.ndarray, near: Neighbours) -> float:
    """Returns the share of the nearest words `near` [N, k] that are among the k nearest on the map
    with `coordinates` [N, 2]."""
    k = near.rows.shape[1]
    if not k:
        return 1.0
    coordinates = coordinates.astype(np.float64)
    squares = np.einsum("ij,ij->i", coordinates, coordinates)
    n_kept = 0
    for start in range(0, len(coordinates), 256):
        block = np.arange(start, min(start + 256, len(coordinates)))
        distances = squares - 2 * (coordinates[block] @ coordinates.T)
        distances[np.arange(len(block)), block] = np.inf
        chosen = np.argpartition(distances, k - 1, axis=1)[:, :k]
        n_kept += int((near.rows[block][:, :, None] == chosen[:, None, :]).sum())
    return float(n_kept / (len(coordinates) * k))
