"""Prints how much of their speed N machines keep when they train word vectors together: arithmetic,
not measurement, but for the speeds of one machine that it begins with.

    python tests/bench/ranks.py

    compute   words of a section / (words per second of a machine)
    memory    3 passes over what is exchanged / 50 GB/s
    network   2 (N - 1) / N · bytes / bandwidth, as a ring sums them
    a section takes memory + waited + max(compute, hidden) + 2 · log2(N) · 100 µs; waited is the
    network's time for the most used rows and, 20 times a run, for all; hidden that for the others

Assumed, and not measured: that speed grows with cores up to 16, that the network gives what it is
asked for while all cores train, and that the number of exchanges that was enough for 87 M words is
enough for 1000 times as many.
"""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np

from w2v.kernels.cpu.workspace import whole_vectors
from w2v.training.forecast import ring_bytes
from w2v.training.schedule import Blocks
from w2v.training.sections import default_words

EPOCHS, RANKS = 5, (2, 4, 8, 16, 32, 64)
NETWORKS = {"10 Gb/s": 1e9, "100 Gb/s": 8e9}  # usable bytes per second
MEMORY, LATENCY = 50e9, 200e-6
# words of an epoch, V, dim, words per second of a machine of 16 cores
CORPORA = [(1e9, 600_000, 100, 64e6), (1e11, 3_000_000, 300, 20e6)]
BLOCKS = 1 << 17  # of an epoch: more than sections


def row(words: float, vocabulary: int, dim: int, speed: float, ranks: int) -> dict[str, Any]:
    """Bytes a word, and for every network the efficiency and the hours."""
    blocks = Blocks(np.linspace(0, words, BLOCKS + 1).astype(np.int64), EPOCHS)
    shapes = [(vocabulary, 4 * whole_vectors(dim))] * 2
    exchange: Any = SimpleNamespace(words=default_words, shapes=shapes)
    hidden, waited = ring_bytes(exchange, blocks, ranks)
    sections = blocks.positions / ranks / default_words(blocks.positions, ranks)
    compute = blocks.positions / ranks / speed
    passes = 3 * (hidden + waited) / (2 * (ranks - 1) / ranks) / MEMORY
    found = {"a word": (hidden + waited) / (blocks.positions / ranks)}
    for name, bandwidth in NETWORKS.items():
        seconds = passes + max(compute, hidden / bandwidth) + waited / bandwidth
        seconds += sections * LATENCY * math.log2(ranks)
        found[name] = compute / seconds
        found[f"minutes, {name}"] = seconds / 60
    return found


def main() -> None:
    for words, vocabulary, dim, speed in CORPORA:
        alone = words * EPOCHS / speed / 60
        print(
            f"\n{words:.0e} words x {EPOCHS}, V {vocabulary:,}, dim {dim}: one machine"
            f" {alone:.1f} minutes\n"
        )
        print(f"| | {' | '.join(map(str, RANKS))} |\n|---|{'---|' * len(RANKS)}")
        rows = [row(words, vocabulary, dim, speed, ranks) for ranks in RANKS]
        for name in rows[0]:
            share = name in NETWORKS
            values = [
                f"{100 * each[name]:.0f} %" if share else f"{each[name]:.3g}" for each in rows
            ]
            print(f"| {'bytes ' if name == 'a word' else ''}{name} | {' | '.join(values)} |")


if __name__ == "__main__":
    main()
