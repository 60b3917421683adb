"""A model of what a GPU does to accuracy: a very wide Hogwild, in lock-step.

`flight` programs train a run of the words each, one window per step. In a step all of them read the
output rows as they were at its start, and all changes are added at its end, each multiplied by its
row's factor of damping. Context rows stay with their program for as long as they are in its window,
and what they gained is added, damped too, when they leave it. That is more pessimistic than a GPU,
where programs are not in step. With one program it is plain SGD, window by window.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numba import njit

from w2v.corpus.read import read_corpus
from w2v.corpus.selection import select_vocabulary
from w2v.kernels.gpu.damping import damping_by_rate
from w2v.kernels.gpu.shape import variant_of
from w2v.kernels.gpu.tables import RowSelection
from w2v.kernels.plan import NOISE, PATH
from w2v.sampling.unigram import alias_table, keep_probabilities, unigram_probabilities
from w2v.settings.build import build_config
from w2v.tree import huffman
from w2v.words.windows import WindowReader

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
POWER = 0.75


class Choice(NamedTuple):
    """The tables from which output rows are chosen: Walker's alias table for noise words, or the
    paths of inner nodes in CSR form, with steps = node · 2 + label."""

    negatives: int
    accept: np.ndarray
    alias: np.ndarray
    starts: np.ndarray
    steps: np.ndarray


@dataclass(frozen=True)
class Text:
    """words [V]; ids: a stream with -1 at line ends; counts [V], in descending order."""

    words: tuple[str, ...]
    ids: np.ndarray
    counts: np.ndarray

    @staticmethod
    def of(path: str) -> Text:
        settings = build_config({"corpus": (path,)}).corpus
        store = read_corpus((path,), settings, use_cache=False)
        vocabulary = select_vocabulary(store.vocabulary, settings)
        return Text(tuple(vocabulary.words), np.asarray(store.ids), vocabulary.counts)


@dataclass(frozen=True)
class Outcome:
    loss: float  # nats per prediction, in the last epoch
    vectors: np.ndarray


@dataclass(frozen=True)
class Setting:
    rows: int = NOISE  # or PATH
    dim: int = 100
    window: int = 5
    negatives: int = 5
    sample: float = 1e-3
    lr: float = 0.025
    epochs: int = 1
    seed: int = 1


Factors = Callable[[float], tuple[np.ndarray, np.ndarray]]


def damped(text: Text, of: Setting, flight: int) -> Factors:
    """Returns a function that computes w2v's damping factors of input and output rows for a
    learning rate."""
    choice, counts = choice_of(of, text.counts), text.counts
    noise = None if of.rows & PATH else torch.from_numpy(choice.alias)
    paths = (torch.from_numpy(choice.starts), torch.from_numpy(choice.steps))
    selection = RowSelection(noise, noise, None, *(paths if of.rows & PATH else (None, None)))
    variant = variant_of(
        build_config(
            {
                "corpus": ("x",),
                "loss": "hsigmoid" if of.rows & PATH else "neg",
                "window": str(of.window),
                "negatives": None if of.rows & PATH else str(of.negatives),
            }
        )
    )
    keep = keep_probabilities(counts, of.sample)
    found = damping_by_rate(variant, selection, counts, keep, of.negatives, POWER, flight)

    def at(lr: float) -> tuple[np.ndarray, np.ndarray]:
        damping = found(lr)
        outputs = damping.path if of.rows & PATH else damping.noise
        assert outputs is not None
        return damping.input.numpy(), outputs.numpy()

    return at


def undamped(text: Text) -> Factors:
    """Returns factors of 1, with which changes are simply added up."""
    ones = np.ones(len(text.counts), np.float32)
    return lambda lr: (ones, ones)


def train(text: Text, of: Setting, flight: int, factors: Factors) -> Outcome:
    """Trains with so many windows in flight. factors(lr): by what the changes of input rows [V] and
    of output rows are multiplied."""
    V = len(text.counts)
    keep = keep_probabilities(text.counts, of.sample)
    reader = WindowReader(text.ids, (keep * (2**32 - 1)).astype(np.uint32), of.window, 0)
    random = np.random.default_rng(of.seed)
    inputs = ((random.random((V, of.dim)) - 0.5) / of.dim).astype(np.float32)
    outputs = np.zeros((V, of.dim), np.float32)
    loss = 0.0
    for epoch in range(of.epochs):
        seed = of.seed * 1000 + epoch
        read = reader.read(0, len(text.ids), seed, seed + 500)
        words, sentences, reach = (
            each.numpy().astype(np.int32) for each in (read.words, read.sentences, read.reach)
        )
        begin, end = (of.lr * max(1e-4, 1 - at / of.epochs) for at in (epoch, epoch + 1))
        f_in, f_out = (np.asarray(each, np.float32) for each in factors(begin))
        total, predictions = _epoch(
            (words, sentences, reach),
            (inputs, outputs, f_in, f_out),
            choice_of(of, text.counts),
            flight,
            of.window,
            (begin, end),
            np.uint64(seed),
        )
        loss = total / predictions
    return Outcome(loss, inputs)


def choice_of(of: Setting, counts: np.ndarray) -> Choice:
    """Returns the tables from which the rows of a setting are chosen."""
    none = np.zeros(0, np.int64)
    if of.rows & PATH:
        tree = huffman(counts)
        paths = [tree.path(word) for word in range(len(counts))]
        starts = np.cumsum([0] + [len(nodes) for nodes, _ in paths])
        steps = np.concatenate([2 * nodes.astype(np.int64) + 1 - codes for nodes, codes in paths])
        return Choice(0, none.astype(np.uint32), none.astype(np.int32), starts, steps)
    tables = alias_table(unigram_probabilities(counts, POWER))
    return Choice(of.negatives, *tables, none, none)


@njit(nogil=True)
def _mix(x: Any) -> Any:
    """Returns well-mixed bits: the finaliser of splitmix64."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@njit(nogil=True)
def _choose(choice: Any, target: int, place: int, seed: Any, rows: Any, labels: Any) -> int:
    """Writes the rows that a window scores and returns their number. A noise word that equals the
    target gets the label -1, which means that it is left out."""
    if len(choice.steps):
        start, stop = choice.starts[target], choice.starts[target + 1]
        for i in range(start, stop):
            rows[i - start], labels[i - start] = choice.steps[i] >> 1, choice.steps[i] & 1
        return stop - start
    rows[0], labels[0] = target, 1
    for j in range(choice.negatives):
        drawn = _mix(seed + np.uint64(place * choice.negatives + j) * GOLDEN)
        cell = np.int64(((drawn >> np.uint64(32)) * np.uint64(len(choice.accept))) >> np.uint64(32))
        accepted = np.int64(drawn & np.uint64(0xFFFFFFFF)) < np.int64(choice.accept[cell])
        rows[j + 1] = cell if accepted else np.int64(choice.alias[cell])
        labels[j + 1] = -1 if rows[j + 1] == target else 0
    return choice.negatives + 1


@njit(nogil=True, fastmath=True, error_model="numpy")
def _epoch(
    text: Any, tables: Any, choice: Any, flight: int, window: int, rates: Any, seed: Any
) -> tuple[float, int]:
    """Returns (sum of the losses, predictions)."""
    words, sentences, reach = text
    inputs, outputs, f_in, f_out = tables
    dim, length, size = inputs.shape[1], len(words) // flight, 2 * window + 1
    most = choice.negatives + 1
    if len(choice.steps):
        most = np.max(choice.starts[1:] - choice.starts[:-1])
    ring = np.zeros((flight, size, dim), np.float32)
    before = np.zeros((flight, size, dim), np.float32)
    rows, labels = np.zeros((flight, most), np.int64), np.zeros((flight, most), np.int64)
    scored = np.zeros(flight, np.int64)
    change = np.zeros((flight, most, dim), np.float32)
    moves = np.zeros((size, dim), np.float32)
    loss, predictions = 0.0, 0
    for step in range(
        -window, length + window + 1
    ):  # of the words that come into the windows' middle
        lr = np.float32(rates[0] + (rates[1] - rates[0]) * max(0, step) / length)
        for g in range(flight):
            base, gone, new = g * length, step - window - 1, step + window
            slot = new % size
            if 0 <= gone < length:
                word = words[base + gone]
                for d in range(dim):
                    inputs[word, d] += f_in[word] * (ring[g, slot, d] - before[g, slot, d])
            if new < length:
                for d in range(dim):
                    ring[g, slot, d] = before[g, slot, d] = inputs[words[base + new], d]
            scored[g] = 0
            if not 0 <= step < length:
                continue
            at = base + step
            scored[g] = _choose(choice, words[at], at, seed, rows[g], labels[g])
            low = max(base, at - reach[at])
            high = min(base + length, at + reach[at] + 1)
            moves[:] = 0
            for j in range(scored[g]):
                for d in range(dim):
                    change[g, j, d] = 0
                if labels[g, j] < 0:
                    continue
                row, label = rows[g, j], np.float32(labels[g, j])
                for q in range(low, high):
                    if q == at or sentences[q] != sentences[at]:
                        continue
                    r = (q - base) % size
                    score = np.float32(0)
                    for d in range(dim):
                        score += ring[g, r, d] * outputs[row, d]
                    residual = lr * (label - np.float32(1) / (np.float32(1) + np.exp(-score)))
                    loss += np.log1p(np.exp(-abs(score))) + max(score, 0) - label * score
                    predictions += j == 0
                    for d in range(dim):
                        change[g, j, d] += residual * ring[g, r, d]
                        moves[r, d] += residual * outputs[row, d]
            for r in range(size):
                for d in range(dim):
                    ring[g, r, d] += moves[r, d]
        for g in range(flight):
            for j in range(scored[g]):
                row = rows[g, j]
                for d in range(dim):
                    outputs[row, d] += f_out[row] * change[g, j, d]
    return loss, predictions
