"""Skip-gram window by window in float64 NumPy, written from the definition: the same windows and noise words as the
kernel, none of its arithmetic.

Within a window all scores come from the state at its start, and the updates of a row that occurs more than once add up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MASK = (1 << 64) - 1


def mix(x: int) -> int:
    """splitmix64's finaliser."""
    x ^= x >> 30
    x = x * 0xBF58476D1CE4E5B9 & MASK
    x ^= x >> 27
    x = x * 0x94D049BB133111EB & MASK
    return x ^ x >> 31


def step(state: int) -> int:
    """xorshift64."""
    state ^= state << 13 & MASK
    state ^= state >> 7
    return state ^ (state << 17 & MASK)


@dataclass
class Model:
    """Matrices in float64 and what the losses need. rows(target) is defined by `paths` or by noise (accept, alias)."""

    w_in: np.ndarray
    w_out: np.ndarray
    bias: np.ndarray
    shared_bias: float = 0.0
    train_bias: bool = False
    train_shared_bias: bool = False
    offsets: np.ndarray | None = None
    skip_hits: bool = False
    negatives: int = 0
    accept: np.ndarray | None = None
    alias: np.ndarray | None = None
    paths: list[tuple[np.ndarray, np.ndarray]] | None = None  # (nodes, labels) of every word


def surviving(ids: np.ndarray, start: int, stop: int, thresholds: np.ndarray, key: int) -> list[int]:
    """Positions of the words that are in the vocabulary and survive sub-sampling."""
    V = len(thresholds)
    return [
        p for p in range(start, stop)
        if 0 <= ids[p] < V and mix(p * 0x9E3779B97F4A7C15 + key & MASK) >> 32 <= int(thresholds[ids[p]])
    ]  # fmt: skip


def sentence_numbers(ids: np.ndarray, start: int, stop: int, max_sentence: int) -> dict[int, int]:
    """Position -> number of its sentence; lines are cut after every max_sentence words (of any kind), counted from
    `start`."""
    numbers, sentence, piece = {}, 0, 0
    for p in range(start, stop):
        if ids[p] < 0:
            sentence, piece = sentence + 1, 0
            continue
        if max_sentence and piece == max_sentence:
            sentence, piece = sentence + 1, 0
        piece += 1
        numbers[p] = sentence
    return numbers


def train(
    model: Model,
    ids: np.ndarray,
    thresholds: np.ndarray,
    window: int,
    max_sentence: int,
    lr: float,
    key: int,
    seed: int,
) -> tuple[float, int, int]:
    """Trains on the whole stream; returns (loss in nats, predictions, trained words). Rows are chosen two windows
    ahead, as the kernel draws them."""
    positions = surviving(ids, 0, len(ids), thresholds, key)
    sentence = sentence_numbers(ids, 0, len(ids), max_sentence)
    words = [int(ids[p]) for p in positions]
    state = mix(seed) | 1
    chosen: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    loss, predictions = 0.0, 0
    for i in range(len(words)):
        while len(chosen) <= min(i + 2, len(words) - 1):
            state, rows = choose(model, words[len(chosen)], state)
            chosen.append(rows)
        state = step(state)
        reach = window - ((state >> 32) * window >> 32)
        neighbours = [j for j in range(max(0, i - reach), min(len(words), i + reach + 1)) if j != i]
        contexts = [words[j] for j in neighbours if sentence[positions[j]] == sentence[positions[i]]]
        if contexts:
            predictions += len(contexts)
            loss += train_window(model, contexts, chosen[i], lr)
    return loss, predictions, len(words)


def choose(model: Model, target: int, state: int) -> tuple[int, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """(rows, labels, weights) that the target scores."""
    if model.paths is not None:
        nodes, labels = model.paths[target]
        return state, (nodes, labels.astype(float), np.ones(len(nodes)))
    rows, weights = [target], [1.0]
    assert model.accept is not None and model.alias is not None
    for _ in range(model.negatives):
        state = step(state)
        cell = (state >> 32) * len(model.accept) >> 32
        word = cell if state & 0xFFFFFFFF < int(model.accept[cell]) else int(model.alias[cell])
        rows.append(word)
        weights.append(0.0 if model.skip_hits and word == target else 1.0)
    return state, (np.array(rows), np.array([1.0] + [0.0] * model.negatives), np.array(weights))


def train_window(
    model: Model, contexts: list[int], chosen: tuple[np.ndarray, np.ndarray, np.ndarray], lr: float
) -> float:
    """loss = Σ weight · (softplus(s) - label · s); every row moves by lr · (label - sigmoid(s)) times the other
    side's row."""
    rows, labels, weights = chosen
    hidden, outputs = model.w_in[contexts].copy(), model.w_out[rows].copy()
    scores = hidden @ outputs.T
    if model.offsets is not None:
        scores = scores + model.offsets[rows]
    if model.train_bias:
        scores = scores + model.bias[rows]
    if model.train_shared_bias:
        scores = scores + model.shared_bias
    loss = float((weights * (np.logaddexp(0, scores) - labels * scores)).sum())
    residuals = lr * weights * (labels - 1 / (1 + np.exp(-scores)))
    np.add.at(model.w_in, contexts, residuals @ outputs)
    np.add.at(model.w_out, rows, residuals.T @ hidden)
    if model.train_bias:
        np.add.at(model.bias, rows, residuals.sum(0))
    if model.train_shared_bias:
        model.shared_bias += float(residuals.sum())
    return loss
