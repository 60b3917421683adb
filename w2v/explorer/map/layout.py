"""A place in the plane for each word: by t-SNE (openTSNE), which keeps neighbours together, or by
the two directions in which the vectors differ most."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np

from w2v.errors import InputError, RunError
from w2v.explorer.map.neighbours import Neighbours

METHODS = ("auto", "tsne", "pca")
# At a third of 30 neighbours, t-SNE keeps as many of the nearest 10 as it does at a third of 90, in
# less time.
NEIGHBOURS = 30
FEWEST = 10  # words that t-SNE is worth while for
FEW = 5000  # up to here Barnes and Hut's approximation is as fast as the other
# Rounds of gradient descent; more do not keep more neighbours.
EXAGGERATED, ROUNDS = 250, 350


def chosen_method(method: str) -> str:
    """Returns "tsne" or "pca". Raises InputError for others, RunError for what is not installed."""
    if method not in METHODS:
        raise InputError(f"`method` {method} is unknown; use one of {', '.join(METHODS)}")
    there = find_spec("openTSNE") is not None
    if method == "tsne" and not there:
        remedy = "pip install 'w2v[map]', or take `method` pca"
        raise RunError(f"`method` tsne needs openTSNE, which is not installed here: {remedy}")
    return ("tsne" if there else "pca") if method == "auto" else method


def layout(unit: np.ndarray, near: Neighbours, method: str, seed: int) -> np.ndarray:
    """Returns the places [N, 2] float32 of unit rows [N, D], whose nearest rows are `near`."""
    plane = principal(unit, 2)
    if method == "pca" or len(unit) < FEWEST:
        return plane.astype(np.float32)
    import openTSNE  # half a second, and not a requirement of w2v
    from openTSNE.affinity import PerplexityBasedNN
    from openTSNE.nearest_neighbors import PrecomputedNeighbors

    start = plane / max(plane[:, 0].std(), 1e-9)
    # words with the same vector start at different places, or they would stay together
    start += np.random.default_rng(seed).normal(scale=0.01, size=start.shape)
    distances = np.sqrt(np.maximum(0.0, 2.0 - 2.0 * near.cosines.astype(np.float64)))
    index = PrecomputedNeighbors(np.ascontiguousarray(near.rows), distances)
    affinities = PerplexityBasedNN(perplexity=near.rows.shape[1] / 3, knn_index=index)
    few = len(unit) <= FEW
    embedding = openTSNE.TSNEEmbedding(
        np.ascontiguousarray(start * 1e-4),
        affinities,
        negative_gradient_method="bh" if few else "fft",
        n_jobs=1,  # threads would add up in an order of their own each time
        random_state=seed,
    )
    embedding.optimize(EXAGGERATED, exaggeration=12, momentum=0.5, inplace=True)
    embedding.optimize(ROUNDS, momentum=0.8, inplace=True)
    return np.asarray(embedding, np.float32)


def principal(rows: np.ndarray, k: int, *, centred: bool = True) -> np.ndarray:
    """Returns the rows [N, D] along the k directions [N, k] in which they differ most from their
    mean, or from zero; float64."""
    rows = rows.astype(np.float64)
    if centred:
        rows -= rows.mean(axis=0)
    _, directions = np.linalg.eigh(rows.T @ rows)
    directions = directions[:, ::-1][:, :k]
    # a direction and its opposite are as good as each other: the largest part points up
    largest = np.abs(directions).argmax(axis=0)
    directions *= np.sign(directions[largest, np.arange(directions.shape[1])])
    found = rows @ directions
    return np.pad(found, ((0, 0), (0, k - found.shape[1])))


def kept(places: np.ndarray, near: Neighbours) -> float:
    """Returns the share of the nearest words [N, k] that are among the k nearest on the map."""
    k = near.rows.shape[1]
    if not k:
        return 1.0
    places = places.astype(np.float64)
    squares = np.einsum("ij,ij->i", places, places)
    held = 0
    for start in range(0, len(places), 256):
        own = np.arange(start, min(start + 256, len(places)))
        distances = squares - 2 * (places[own] @ places.T)
        distances[np.arange(len(own)), own] = np.inf
        chosen = np.argpartition(distances, k - 1, axis=1)[:, :k]
        held += int((near.rows[own][:, :, None] == chosen[:, None, :]).sum())
    return float(held / (len(places) * k))
