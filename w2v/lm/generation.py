"""Generates text with a language model, token by token.

Each token is drawn from P(token | all before it), raised to the power 1 / temperature and limited
to the top_k most probable tokens, then to the fewest most probable tokens with a total probability
of top_p (Holtzman et al. 2020, arXiv:1904.09751). Without top_k and top_p, `OutputLayer.sample`
draws, which avoids scoring all V words if it can: hsigmoid walks its tree, and the adaptive softmax
draws from the head and then from a cluster. A temperature other than 1 then applies to each of
these decisions. With top_p = 1 the temperature applies to the distribution of all words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from w2v.errors import InputError, RunError
from w2v.lm.perplexity import CHUNK, evaluating
from w2v.losses.base import at_temperature, draw
from w2v.system.arguments import number, optional

if TYPE_CHECKING:
    from w2v.lm.model import Network
    from w2v.losses.base import OutputLayer

# how often the banned token may be drawn before the probabilities of all tokens are computed
TRIES = 64


@dataclass(frozen=True)
class Sampling:
    """How a token is chosen. temperature: 0 takes the most probable one. top_k: draw only from so
    many most probable tokens. top_p: draw only from the fewest most probable tokens that together
    have this probability. banned: a token that is never chosen."""

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    banned: int | None = None

    def __post_init__(self) -> None:
        number(0)("temperature", self.temperature)
        optional(number(1, whole=True))("top_k", self.top_k)
        top_p = optional(number(0))("top_p", self.top_p)
        if top_p is not None and not 0 < top_p <= 1:
            range_ = "give a share above 0, at most 1"
            raise InputError(f"`top_p` {top_p:g} is out of range: {range_}")


def generate(
    network: Network, prompt: Sequence[int], eos: int, sampling: Sampling, *, seed: int
) -> Iterator[int]:
    """Yields the tokens that follow <eos> and the prompt, without end. The same seed gives the same
    tokens. Raises RunError if a parameter of the model is NaN or infinite."""
    for name, parameter in network.named_parameters():
        if not torch.isfinite(parameter).all():
            why = "it is damaged or diverged; train it again"
            raise RunError(f"the model's {name} holds NaN or infinity: {why}")
    random = torch.Generator().manual_seed(seed)
    device = next(network.parameters()).device
    state, read = network.start(1), torch.tensor([eos, *prompt], dtype=torch.int64)
    while True:
        with evaluating(network):  # not around the yield, because the caller's code runs there
            for part in read.split(CHUNK):  # type: ignore[no-untyped-call]
                hidden, state = network.hidden(part.to(device)[:, None], state)
            token = next_token(network.output, hidden[-1], sampling, random)
        yield token
        read = torch.tensor([token])


def next_token(
    layer: OutputLayer, hidden: Tensor, sampling: Sampling, random: torch.Generator
) -> int:
    """Returns one token, chosen by the hidden row [1, H]."""
    temperature, banned = sampling.temperature, sampling.banned
    if temperature == 0:
        return int(_best(layer, hidden, 1, banned)[0][0, 0])
    if sampling.top_k is None and sampling.top_p is None:
        for _ in range(TRIES):
            token = int(layer.sample(hidden, random, temperature))
            if token != banned:
                return token
    k = layer.num_classes if sampling.top_k is None else sampling.top_k
    ids, log_prob = _best(layer, hidden, k, banned)
    log_prob = nucleus(at_temperature(log_prob, temperature), sampling.top_p)
    return int(ids[0, draw(log_prob, random)[0]])


def nucleus(log_prob: Tensor, top_p: float | None) -> Tensor:
    """Returns log_prob [N, C], descending in each row, with -inf in all columns after the first
    ones whose probabilities add up to top_p."""
    if top_p is None or top_p >= 1:
        return log_prob
    probability = log_prob.softmax(1)
    mass_before = probability.cumsum(1) - probability
    return log_prob.masked_fill((mass_before >= top_p) & (mass_before > 0), -torch.inf)


def _best(layer: OutputLayer, hidden: Tensor, k: int, banned: int | None) -> tuple[Tensor, Tensor]:
    """Returns the k most probable tokens other than the banned one, best first: (ids [1, k],
    log-probabilities [1, k])."""
    if k >= layer.num_classes:  # all are wanted, so sorting is enough
        log_prob, ids = layer.log_prob(hidden).sort(dim=1, descending=True)
    else:
        ids, log_prob = layer.predict(hidden, k if banned is None else k + 1)
    if banned is not None:
        allowed = ids[0] != banned
        ids, log_prob = ids[:, allowed][:, :k], log_prob[:, allowed][:, :k]
    return ids, log_prob
