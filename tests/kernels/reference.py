"""Skip-gram and CBOW window by window in float64 NumPy, written from the definition: the same
windows and noise words as the kernel, none of its arithmetic.

Within a window all scores come from the state at its start, and the updates of a row that occurs
more than once add up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

MASK = (1 << 64) - 1
Link = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[float, np.ndarray]]


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
    """Matrices in float64 and what the losses need: output rows of inner nodes where there are
    `paths`, output rows of words where there is noise (accept, alias)."""

    w_in: np.ndarray
    w_path: np.ndarray
    w_noise: np.ndarray
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
    cross_entropy: bool = False
    cbow: bool = False
    # CBOW: hidden is the mean of the context rows (of all rows of these words), else their sum
    mean: bool = True
    share: bool = False  # CBOW: a context row gets its share of the mean's gradient, else all of it
    parts: list[np.ndarray] | None = None  # rows of w_ngrams that each word has
    w_ngrams: np.ndarray | None = None

    def composed(self, word: int) -> np.ndarray:
        """The mean of a word's own row and those of its n-grams."""
        assert self.parts is not None and self.w_ngrams is not None
        return np.vstack([self.w_in[word], self.w_ngrams[self.parts[word]]]).mean(0)

    def add(self, word: int, change: np.ndarray) -> None:
        """Each of these rows += change."""
        assert self.parts is not None and self.w_ngrams is not None
        self.w_in[word] += change
        np.add.at(self.w_ngrams, self.parts[word], change)


def surviving(
    ids: np.ndarray, start: int, stop: int, thresholds: np.ndarray, key: int
) -> list[int]:
    """Positions of the words that are in the vocabulary and survive sub-sampling."""
    V = len(thresholds)
    return [
        p
        for p in range(start, stop)
        if 0 <= ids[p] < V
        and mix(p * 0x9E3779B97F4A7C15 + key & MASK) >> 32 <= int(thresholds[ids[p]])
    ]


def sentence_numbers(ids: np.ndarray, start: int, stop: int, max_sentence: int) -> dict[int, int]:
    """Position -> number of its sentence; lines are cut after every max_sentence words (of any
    kind), counted from `start`."""
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
    """Trains on the whole stream; returns (loss in nats, predictions, trained words). Rows are
    chosen two windows ahead, as the kernel draws them.

    With n-grams every place in the text has a row, composed when it comes within `window` words of
    the target; what windows add to it, its word's rows get when it is farther away again.
    """
    positions = surviving(ids, 0, len(ids), thresholds, key)
    sentence = sentence_numbers(ids, 0, len(ids), max_sentence)
    words = [int(ids[p]) for p in positions]
    state = mix(seed) | 1
    chosen: list[Noise | None] = []
    loss, predictions = 0.0, 0
    ring, before = (np.zeros((len(words), model.w_in.shape[1])) for _ in range(2))
    nearby, rows = replace(model, w_in=ring) if model.parts is not None else model, words
    begun = ended = 0
    for i in range(len(words)):
        if model.parts is not None:
            rows = list(range(len(words)))
            while begun <= min(i + window, len(words) - 1):
                ring[begun] = before[begun] = model.composed(words[begun])
                begun += 1
        while len(chosen) <= min(i + 2, len(words) - 1):
            noise = None
            if model.accept is not None:
                state, noise = draw_noise(model, words[len(chosen)], state)
            chosen.append(noise)
        state = step(state)
        reach = window - ((state >> 32) * window >> 32)
        neighbours = [j for j in range(max(0, i - reach), min(len(words), i + reach + 1)) if j != i]
        contexts = [rows[j] for j in neighbours if sentence[positions[j]] == sentence[positions[i]]]
        if contexts:
            predictions += 1 if model.cbow else len(contexts)
            sizes = np.ones(len(contexts))
            if model.parts is not None and model.mean:
                sizes += [len(model.parts[words[j]]) for j in contexts]
            loss += train_window(nearby, contexts, words[i], chosen[i], lr, sizes)
        while model.parts is not None and ended <= (i - window if i + 1 < len(words) else i):
            model.add(words[ended], ring[ended] - before[ended])
            ended += 1
    model.shared_bias = nearby.shared_bias
    return loss, predictions, len(words)


Noise = tuple[np.ndarray, np.ndarray, np.ndarray]  # rows, labels, weights


def draw_noise(model: Model, target: int, state: int) -> tuple[int, Noise]:
    """The target and its noise words."""
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
    model: Model,
    contexts: list[int],
    target: int,
    noise: Noise | None,
    lr: float,
    sizes: np.ndarray | None = None,
) -> float:
    """Every row moves by -lr · gradient of the window's loss, all taken at the window's start.

    sizes [C]: how much each context row counts in CBOW's mean; None: all the same.
    """
    sizes = np.ones(len(contexts)) if sizes is None else sizes
    inputs = model.w_in[contexts]
    hidden = inputs
    if model.cbow:
        hidden = sizes[None] @ inputs / (sizes.sum() if model.mean else 1)
    change, loss = np.zeros_like(hidden), 0.0
    if model.paths is not None:
        nodes, labels = model.paths[target]
        path = nodes, labels.astype(float), np.ones(len(nodes))
        part, moved = train_rows(model, model.w_path, hidden, path, lr, logistic)
        loss, change = loss + part, change + moved
    if noise is not None:
        link = cross_entropy if model.cross_entropy else logistic
        part, moved = train_rows(model, model.w_noise, hidden, noise, lr, link, offset=True)
        loss, change = loss + part, change + moved
    if model.cbow:
        change = np.repeat(
            change / (len(contexts) if model.mean and model.share else 1), len(contexts), axis=0
        )
    np.add.at(model.w_in, contexts, change)
    return loss


def logistic(
    scores: np.ndarray, labels: np.ndarray, weights: np.ndarray
) -> tuple[float, np.ndarray]:
    """(loss, -gradient by the scores [C, R])."""
    loss = float((weights * (np.logaddexp(0, scores) - labels * scores)).sum())
    return loss, weights * (labels - 1 / (1 + np.exp(-scores)))


def cross_entropy(
    scores: np.ndarray, labels: np.ndarray, weights: np.ndarray
) -> tuple[float, np.ndarray]:
    """(loss, -gradient by the scores [C, R]) of a softmax over the rows of weight 1."""
    scores = np.where(weights > 0, scores, -np.inf)
    log_sum = np.logaddexp.reduce(scores, axis=1, keepdims=True)
    loss = float((log_sum[:, 0] - scores[:, labels.argmax()]).sum())
    return loss, labels - np.exp(scores - log_sum)


def train_rows(
    model: Model,
    matrix: np.ndarray,
    hidden: np.ndarray,
    chosen: Noise,
    lr: float,
    link: Link,
    offset: bool = False,
) -> tuple[float, np.ndarray]:
    """Updates output rows (and biases); returns the loss and what the hidden rows should move by
    [C, D]."""
    rows, labels, weights = chosen
    outputs = matrix[rows].copy()
    scores = hidden @ outputs.T
    if offset and model.offsets is not None:
        scores = scores + model.offsets[rows]
    if model.train_bias:
        scores = scores + model.bias[rows]
    if model.train_shared_bias:
        scores = scores + model.shared_bias
    loss, residuals = link(scores, labels, weights)
    residuals = lr * residuals
    np.add.at(matrix, rows, residuals.T @ hidden)
    if model.train_bias:
        np.add.at(model.bias, rows, residuals.sum(0))
    if model.train_shared_bias:
        model.shared_bias += float(residuals.sum())
    return loss, residuals @ outputs
