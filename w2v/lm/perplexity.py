"""How well a language model predicts a text: every token scored once, as one stream from the start
state, or line by line, each line from the start state on.

    perplexity = exp(nats / tokens),   nats = sum over the tokens of -log P(token | all before it)

A line end is a token, <eos>, and is counted; before the first token the model has seen one <eos>. A
word outside the vocabulary is scored as the token <unk>. The model's state is carried from chunk to
chunk, so that neither the chunk's length nor a batch size changes the value. -log P comes from the
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
SEARCH = 1 << 20  # tokens looked at together for a known word
BATCH_TOKENS = 8192  # of lines side by side, padding included, that the network reads at a time
BATCH_LINES = 128

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class TextScore:
    """What a language model makes of a text."""

    tokens: int  # scored, line ends among them
    nats: float  # the sum of their -log P
    oov: int  # of the tokens: <unk>
    eos: int  # of the tokens: line ends
    words: int  # and line ends; other than `tokens` only where these are parts of words

    def __repr__(self) -> str:
        counts = f"{self.tokens:,} tokens, {self.oov:,} of them <unk>"
        return f"TextScore(perplexity {self.perplexity:.2f}, {self.nats:.1f} nats, {counts})"

    def __float__(self) -> float:
        return self.perplexity

    @property
    def perplexity(self) -> float:
        """exp(nats / tokens); infinity where that is more than a float holds."""
        return bounded_exp(self.nats / self.tokens)

    @property
    def word_perplexity(self) -> float:
        """exp(nats / words): comparable between models with different tokens."""
        return bounded_exp(self.nats / self.words)

    @property
    def bits_per_word(self) -> float:
        """nats / (words log 2)."""
        return self.nats / self.words / math.log(2)


class TokenStream:
    """A text that a language model reads from its start state on, piece by piece; before it stands
    one <eos>."""

    def __init__(self, network: Network, eos: int) -> None:
        self._network = network
        self._state = network.start(1)
        self._last = eos
        self._device = next(network.parameters()).device

    def nll(self, ids: np.ndarray) -> np.ndarray:
        """Returns -log P in nats, float64 [n], of the next tokens [n], each given all that came
        before it."""
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
    """Inside the block there is no dropout and there are no gradients; afterwards every module is
    in the mode it was in."""
    before = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, training in before:
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
    """Returns the score of a text, read as one continuous stream. Raises ValueError if there is no
    token, and RunError if the model gives NaN or infinity.

    ids: the tokens [n], read chunk by chunk. words: words and line ends of the text, where other
    than the tokens. progress: called with the tokens scored so far and in all.
    """
    if not len(ids):
        raise ValueError("the text has 0 tokens, 1 or more are needed")
    nats, oov, ends = 0.0, 0, 0
    stream = TokenStream(network, eos)
    for start in range(0, len(ids), CHUNK):
        part = np.asarray(ids[start : start + CHUNK])
        nats += float(stream.nll(part).sum())
        oov += int(np.count_nonzero(part == unk))
        ends += int(np.count_nonzero(part == eos))
        if not math.isfinite(nats):
            why = "its parameters are damaged or training diverged; train it again with a smaller"
            where = f"within the first {start + len(part):,} tokens"
            raise RunError(f"the model's loss is {nats} {where}: {why} `lr`")
        if progress is not None:
            progress(start + len(part), len(ids))
    return TextScore(len(ids), nats, oov, ends, len(ids) if words is None else words)


def has_known_word(ids: np.ndarray, eos: int, unk: int) -> bool:
    """Whether the tokens [n] hold anything but line ends and unknown words, without which a
    perplexity says nothing."""
    parts = (np.asarray(ids[start : start + SEARCH]) for start in range(0, len(ids), SEARCH))
    return any(((part != eos) & (part != unk)).any() for part in parts)


def bounded_exp(value: float) -> float:
    """Returns exp(value); infinity where that is more than a float holds."""
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf


def score_lines(network: Network, lines: Sequence[np.ndarray], eos: int) -> list[np.ndarray]:
    """Returns -log P in nats, float64 [n + 1], of the n tokens of each line and the <eos> behind
    them. Lines come without <eos>, and are read side by side: what pads the shorter ones comes
    after them and changes nothing."""
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
