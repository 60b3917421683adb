"""The network of a language model: embedding -> body -> hidden rows -> output layer.

    network = make_network(config, counts)
    hidden, state = network.hidden(ids, network.start(batch))     # ids [T, B]
    loss = network.output(hidden.flatten(0, 1), targets.flatten())

The hidden row at place t has seen ids[0 … t] and the state only.

Starting values are those of pytorch/examples' word_language_model, embeddings and output rows
uniform in ±0.1. But where a loss has biases, these make the model start as the unigram distribution
instead of a uniform one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from w2v.lm.bodies.base import State
from w2v.lm.bodies.choose import make_body
from w2v.losses.base import OutputLayer
from w2v.losses.layers import make_layer
from w2v.losses.table import LOSSES
from w2v.settings.language_model import LanguageModelSettings

if TYPE_CHECKING:
    from w2v.settings.config import Config

REACH = 0.1  # starting values are uniform in ± this


class Network(nn.Module):
    """Predicts the next token of B columns at once; `output` is its output layer, `dim_hidden` the
    length of the hidden rows.

    Args:
        counts: [V] int64, how often each token occurs, never increasing.
        dim: length of an embedding.
        sparse: embedding and output rows get sparse gradients where they can: of the rows used.
        generator: for the noise words.

    Raises:
        ValueError: the settings do not fit each other or the vocabulary.
    """

    def __init__(
        self,
        counts: Tensor,
        dim: int,
        loss: str,
        options: Any,
        settings: LanguageModelSettings,
        *,
        sparse: bool = True,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        entry = LOSSES[loss]
        if settings.tied and not entry.tied:
            raise ValueError(f"{loss} cannot be tied: its output rows are not the words'")
        self.sparse = sparse
        self.input = nn.Embedding(len(counts), dim, sparse=sparse)
        nn.init.uniform_(self.input.weight, -REACH, REACH)
        self.body = make_body(settings, dim)
        self.projection: nn.Linear | None = None
        self.dim_hidden = self.body.width
        if settings.tied and self.body.width != dim:
            self.projection, self.dim_hidden = nn.Linear(self.body.width, dim), dim
        given: list[tuple[str, Any, bool]] = [
            ("sparse", sparse, entry.sparse),
            ("generator", generator, entry.draws_noise),
            ("bias", True, settings.output_bias),
            ("weight", self.input.weight, settings.tied),
        ]
        more = {name: value for name, value, wanted in given if wanted}
        self.output: OutputLayer = make_layer(loss, self.dim_hidden, counts, options, **more)
        for name, rows in self.output.named_parameters():
            # adaptive softmax has starting values of its own
            if name.endswith("weight") and not rows.any():
                nn.init.uniform_(rows, -REACH, REACH)
        for part in self.output.modules():
            if isinstance(part, OutputLayer):
                part.start_as_unigram()

    def start(self, batch: int) -> State:
        """Returns the state before the first token of `batch` columns: tensors with the columns in
        their second dimension."""
        return self.body.start(batch)

    def hidden(self, ids: Tensor, state: State) -> tuple[Tensor, State]:
        """Returns (hidden [T, B, H], the state after the last token) of ids [T, B]. The state is
        attached to the graph."""
        embedded = F.embedding(ids, self.input.weight, sparse=self.sparse)
        rows, state = self.body(embedded, state)
        if rows.dtype == torch.bfloat16:  # under autocast; what follows decides for itself
            rows = rows.float()
        if self.projection is not None:
            rows = self.projection(rows)
        return rows, state

    @staticmethod
    def detach(state: State) -> State:
        """Returns the state, cut off from the graph that made it."""
        return tuple(part.detach() for part in state)


def make_network(config: Config, counts: Tensor, **more: Any) -> Network:
    """Returns the network that a configuration describes, for a vocabulary with these counts [V];
    `more` are keywords of `Network`, which may raise ValueError."""
    entry, options = LOSSES[config.training.loss], config.loss
    if entry.negatives(options) >= len(counts):  # there are no more noise words than that
        options = replace(options, negatives=len(counts) - 1)
    return Network(counts, config.model.dim, config.training.loss, options, config.lm, **more)
