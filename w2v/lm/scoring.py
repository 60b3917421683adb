"""Log-probabilities of lines under a language model, each line from the model's start state on.

    score_lines(network, [vocabulary.encode(line) for line in lines], vocabulary.eos)

A line's tokens are its words and the <eos> at its end. Lines go through the network side by side,
padded to the longest of their batch; what is padding comes after the line and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from w2v.lm.perplexity import CHUNK, TokenStream, evaluating

if TYPE_CHECKING:
    from w2v.lm.model import Network

BATCH_TOKENS = 8192  # tokens, padding included, that the network reads at a time
BATCH_LINES = 128


def score_lines(network: Network, lines: Sequence[np.ndarray], eos: int) -> list[np.ndarray]:
    """Returns -log P in nats, float64 [n + 1], of the n tokens of each line and the <eos> behind
    them; lines without <eos>."""
    nll: list[np.ndarray] = [np.zeros(0)] * len(lines)
    for batch in _batches([len(line) + 1 for line in lines]):
        chosen = [lines[number] for number in batch]
        if len(batch) == 1:
            scored = continue_lines(TokenStream(network, eos), chosen, eos)
        else:
            scored = _score_batch(network, chosen, eos)
        for number, line in zip(batch, scored, strict=True):
            nll[number] = line
    return nll


def continue_lines(stream: TokenStream, lines: Sequence[np.ndarray], eos: int) -> list[np.ndarray]:
    """Returns what `score_lines` does, but the lines go on from where `stream` stands: all of them
    are one text."""
    if not lines:
        return []
    nll = stream.nll(np.concatenate([np.append(line, eos) for line in lines]))
    return np.split(nll, np.cumsum([len(line) + 1 for line in lines])[:-1])


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """The places of the lengths, those of like length together; a length above CHUNK alone."""
    batch: list[int] = []
    for number in np.argsort(lengths, kind="stable").tolist():
        full = (len(batch) + 1) * lengths[number] > BATCH_TOKENS or len(batch) == BATCH_LINES
        if batch and (full or lengths[number] > CHUNK):
            yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch


def _score_batch(network: Network, lines: Sequence[np.ndarray], eos: int) -> list[np.ndarray]:
    lengths = [len(line) + 1 for line in lines]
    # <eos> before and behind each line
    tokens = np.full((max(lengths) + 1, len(lines)), eos, dtype=np.int64)
    for column, line in enumerate(lines):
        tokens[1 : len(line) + 1, column] = line
    ids = torch.from_numpy(tokens).to(next(network.parameters()).device)
    with evaluating(network):
        hidden, _ = network.hidden(ids[:-1], network.start(len(lines)))
        places = torch.arange(len(hidden), device=ids.device)
        there = places < torch.tensor(lengths, device=ids.device)[:, None]
        rows, target = hidden.transpose(0, 1)[there], ids[1:].T[there]  # line after line
        nll = network.output.nll(rows, target).double().cpu().numpy()
    return np.split(nll, np.cumsum(lengths)[:-1])
