"""Log-probabilities of lines under a language model, each line from the model's start state on.

    score_lines(model, [vocabulary.encode(line) for line in lines], vocabulary.eos)

A line's tokens are its words and the <eos> at its end. Lines go through the model side by side,
padded to the longest of their batch; what is padding comes after the line and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from w2v.lm.perplexity import CHUNK, TokenStream, evaluating

if TYPE_CHECKING:
    from w2v.lm.model import LanguageModel

BATCH_TOKENS = 8192  # tokens, padding included, that the model reads at a time
BATCH_LINES = 128


def score_lines(model: LanguageModel, lines: Sequence[np.ndarray], eos: int) -> list[np.ndarray]:
    """-log P in nats, float64 [n + 1], of the n tokens of each line and the <eos> behind them;
    lines without <eos>."""
    found: list[np.ndarray] = [np.zeros(0)] * len(lines)
    with evaluating(model):
        for batch in _batches([len(line) + 1 for line in lines]):
            if len(batch) == 1:
                found[batch[0]] = _score_long(model, np.append(lines[batch[0]], eos), eos)
                continue
            for place, nll in zip(
                batch, _score_batch(model, [lines[place] for place in batch], eos), strict=True
            ):
                found[place] = nll
    return found


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """The places of the lengths, those of like length together; a length above CHUNK alone."""
    batch: list[int] = []
    for place in np.argsort(lengths, kind="stable").tolist():
        full = (len(batch) + 1) * lengths[place] > BATCH_TOKENS or len(batch) == BATCH_LINES
        if batch and (full or lengths[place] > CHUNK):
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def _score_long(model: LanguageModel, ids: np.ndarray, eos: int) -> np.ndarray:
    stream = TokenStream(model, eos)
    return np.concatenate(
        [stream.nll(ids[start : start + CHUNK]) for start in range(0, len(ids), CHUNK)]
    )


def _score_batch(model: LanguageModel, lines: Sequence[np.ndarray], eos: int) -> list[np.ndarray]:
    lengths = [len(line) + 1 for line in lines]
    # <eos> before and behind each line
    tokens = np.full((max(lengths) + 1, len(lines)), eos, dtype=np.int64)
    for column, line in enumerate(lines):
        tokens[1 : len(line) + 1, column] = line
    ids = torch.from_numpy(tokens).to(next(model.parameters()).device)
    hidden, _ = model.hidden(ids[:-1], model.start(len(lines)))
    there = (
        torch.arange(len(hidden), device=ids.device)
        < torch.tensor(lengths, device=ids.device)[:, None]
    )
    rows, target = hidden.transpose(0, 1)[there], ids[1:].T[there]  # line after line
    nll = model.layer.nll(rows, target).double().cpu().numpy()
    return np.split(nll, np.cumsum(lengths)[:-1])


def continue_lines(
    model: LanguageModel, stream: TokenStream, lines: Sequence[np.ndarray], eos: int
) -> list[np.ndarray]:
    """As `score_lines`, but the lines go on from where `stream` stands: all of them are one
    text."""
    text = (
        np.concatenate([np.append(line, eos) for line in lines]) if lines else np.zeros(0, np.int64)
    )
    with evaluating(model):
        nll = [stream.nll(text[start : start + CHUNK]) for start in range(0, len(text), CHUNK)]
    ends = np.cumsum([len(line) + 1 for line in lines])
    return np.split(np.concatenate([np.zeros(0), *nll]), ends[:-1]) if lines else []
