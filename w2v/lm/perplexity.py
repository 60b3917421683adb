"""Scores texts with a language model: every token once, as one stream from the start state, or line
by line, each line from the start state.

    perplexity = exp(nats / tokens),   nats = sum over the tokens of -log P(token | all before it)

A line end is a token, <eos>, and is counted; one <eos> precedes the first token. A word outside the
vocabulary is scored as the token <unk>, which is often probable: a text of many unknown words has
a low perplexity, which `perplexity_without_oov` shows. The model's state is passed from chunk to
chunk, so that neither the chunk length nor the batch size changes the value. -log P comes from the
output layer's `nll`, never from its training loss.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from w2v.errors import RunError

if TYPE_CHECKING:
    from w2v.lm.model import Network

CHUNK = 1024  # tokens that the network reads at a time
SEARCH = 1 << 20  # tokens searched at a time for a known word
BATCH_TOKENS = 8192  # tokens per batch of lines, including padding
BATCH_LINES = 128

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class TextScore:
    """The score that a language model gives a text."""

    tokens: int  # scored tokens, including line ends
    nats: float  # sum of their -log P
    oov: int  # tokens that are <unk>
    eos: int  # tokens that are line ends
    words: int  # words and line ends; differs from `tokens` only for models of subwords
    oov_nats: float | None  # the part of `nats` that is of <unk>; None if it was not measured

    def __repr__(self) -> str:
        counts = f"{self.tokens:,} tokens, {self.oov:,} of them <unk>"
        return f"TextScore(perplexity {self.perplexity:.2f}, {self.nats:.1f} nats, {counts})"

    def __float__(self) -> float:
        return self.perplexity

    @property
    def perplexity(self) -> float:
        """exp(nats / tokens); infinity on overflow."""
        return bounded_exp(self.nats / self.tokens)

    @property
    def oov_share(self) -> float:
        """The share of the tokens that are <unk>."""
        return self.oov / self.tokens

    @property
    def perplexity_without_oov(self) -> float:
        """exp(nats / tokens) of the tokens that are not <unk>, which remain in the text before
        them; NaN if all are, or if it was not measured."""
        if self.oov_nats is None or self.oov == self.tokens:
            return math.nan
        return bounded_exp((self.nats - self.oov_nats) / (self.tokens - self.oov))

    @property
    def word_perplexity(self) -> float:
        """exp(nats / words), which is comparable between models with different tokens."""
        return bounded_exp(self.nats / self.words)

    @property
    def bits_per_word(self) -> float:
        """nats / (words · log 2)."""
        return self.nats / self.words / math.log(2)


class TokenStream:
    """A text that a language model reads piece by piece, from its start state after an <eos>."""

    def __init__(self, network: Network, eos: int) -> None:
        self._network = network
        self._state = network.start(1)
        self._last = eos
        self._device = next(network.parameters()).device

    def nll(self, ids: np.ndarray) -> np.ndarray:
        """Returns -log P in nats, float64 [n], of the next tokens [n], each given all before it."""
        nll = [np.zeros(0)]
        with evaluating(self._network):
            for start in range(0, len(ids), CHUNK):
                part = ids[start : start + CHUNK]
                tokens = torch.from_numpy(np.append(self._last, part).astype(np.int64))
                tokens = tokens.to(self._device)
                hidden, self._state = self._network.hidden(tokens[:-1, None], self._state)
                scored = self._network.output.nll(hidden[:, 0], tokens[1:])
                nll.append(scored.double().cpu().numpy())
                self._last = int(part[-1])
        return np.concatenate(nll)


@contextmanager
def evaluating(network: torch.nn.Module) -> Iterator[None]:
    """Disables dropout and gradients within the block; afterwards every module has its previous
    mode."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training


def score_ids(
    network: Network,
    ids: np.ndarray,
    eos: int,
    unk: int,
    *,
    words: int | None = None,
    progress: Progress | None = None,
) -> TextScore:
    """Returns the score of a text, read as one continuous stream. Raises ValueError for a text
    without tokens, and RunError if the model gives NaN or infinity.

    ids: the tokens [n], read chunk by chunk. words: number of words and line ends, if that is not
    n. progress: called with the tokens scored so far and in all.
    """
    if not len(ids):
        raise ValueError("the text has 0 tokens, at least 1 is needed")
    nats, oov_nats, oov, ends = 0.0, 0.0, 0, 0
    stream = TokenStream(network, eos)
    for start in range(0, len(ids), CHUNK):
        part = np.asarray(ids[start : start + CHUNK])
        nll, unknown = stream.nll(part), part == unk
        nats += float(nll.sum())
        oov_nats += float(nll[unknown].sum())
        oov += int(np.count_nonzero(unknown))
        ends += int(np.count_nonzero(part == eos))
        if not math.isfinite(nats):
            why = "its parameters are damaged or training diverged; train it again with a smaller"
            where = f"within the first {start + len(part):,} tokens"
            raise RunError(f"the model's loss is {nats} {where}: {why} `lr`")
        if progress is not None:
            progress(start + len(part), len(ids))
    return TextScore(len(ids), nats, oov, ends, len(ids) if words is None else words, oov_nats)


def has_known_word(ids: np.ndarray, eos: int, unk: int) -> bool:
    """Returns whether the tokens [n] include any but line ends and <unk>; otherwise a perplexity
    is meaningless."""
    parts = (np.asarray(ids[start : start + SEARCH]) for start in range(0, len(ids), SEARCH))
    return any(((part != eos) & (part != unk)).any() for part in parts)


def bounded_exp(value: float) -> float:
    """Returns exp(value), or infinity on overflow."""
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf


def score_lines(network: Network, lines: Sequence[np.ndarray], eos: int) -> list[np.ndarray]:
    """Returns -log P in nats, float64 [n + 1], of the n tokens of each line and a final <eos>.
    Lines are given without <eos> and are read side by side; padding follows the shorter ones, where
    it changes nothing."""
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
    """As `score_lines`, except that the lines continue the text of `stream`, and each other."""
    if not lines:
        return []
    nll = stream.nll(np.concatenate([np.append(line, eos) for line in lines]))
    return np.split(nll, np.cumsum([len(line) + 1 for line in lines])[:-1])


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Yields batches of indices of lengths that are similar; a length above CHUNK is alone."""
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
    # <eos> before and after each line
    tokens = np.full((max(lengths) + 1, len(lines)), eos, dtype=np.int64)
    for column, line in enumerate(lines):
        tokens[1 : len(line) + 1, column] = line
    ids = torch.from_numpy(tokens).to(next(network.parameters()).device)
    with evaluating(network):
        hidden, _ = network.hidden(ids[:-1], network.start(len(lines)))
        positions = torch.arange(len(hidden), device=ids.device)
        present = positions < torch.tensor(lengths, device=ids.device)[:, None]
        rows, target = hidden.transpose(0, 1)[present], ids[1:].T[present]  # line after line
        nll = network.output.nll(rows, target).double().cpu().numpy()
    return np.split(nll, np.cumsum(lengths)[:-1])
