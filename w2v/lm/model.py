"""The network of a language model: embedding -> body -> hidden rows -> output layer.

    network = Network(config, counts)
    hidden, state = network.hidden(ids, network.start(batch))     # ids [T, B]
    loss = network.output(hidden.flatten(0, 1), targets.flatten())

The hidden row at position t depends only on ids[0 … t] and the state.

Embeddings and output rows start uniform in ±0.1, as in pytorch/examples' word_language_model. If a
loss has biases, they start so that the model predicts the unigram distribution instead of a uniform
one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from w2v.lm.bodies import make_body
from w2v.lm.bodies.base import State
from w2v.losses.base import OutputLayer
from w2v.losses.layers import make_layer
from w2v.losses.sharded import Shard
from w2v.losses.softmax import FullLayer
from w2v.losses.table import LOSSES

if TYPE_CHECKING:
    from w2v.settings.config import Config

REACH = 0.1  # starting values are uniform in ± REACH
SPREAD = REACH / 3**0.5  # their standard deviation


class Network(nn.Module):
    """Predicts the next token of B columns at once. `output` is the output layer, `dim_hidden` the
    length of the hidden rows. Raises ValueError for settings that do not fit each other or V.

    counts: [V] int64, occurrences of each token, in descending order. sparse: whether embedding and
    output rows get sparse gradients of only the rows used, if they can. generator: for noise words.
    shard: creates only these output rows, without ever holding the others.
    """

    def __init__(
        self,
        config: Config,
        counts: Tensor,
        *,
        sparse: bool = True,
        generator: Any = None,
        shard: Shard | None = None,
    ) -> None:
        super().__init__()
        settings, dim = config.lm, config.model.dim
        loss = LOSSES[config.training.loss]
        options = loss.with_negatives(config.loss, len(counts) - 1)
        self.sparse = sparse
        self.input = nn.Embedding(len(counts), dim, sparse=sparse)
        nn.init.uniform_(self.input.weight, -REACH, REACH)
        self.body = make_body(settings, dim)
        self.projection: nn.Linear | None = None
        self.dim_hidden = self.body.width
        if settings.tied and self.body.width != dim:
            self.projection, self.dim_hidden = nn.Linear(self.body.width, dim), dim
        kwargs: dict[str, Any] = {"sparse": sparse} if loss.sparse else {}
        if loss.draws_noise:
            kwargs["generator"] = generator
        if settings.output_bias:
            kwargs["bias"] = True
        if settings.tied:
            kwargs["weight"] = self.input.weight
        elif shard is not None:
            kwargs["weight"] = torch.zeros(1).expand(len(counts), self.dim_hidden)
        self.output: OutputLayer = make_layer(loss.name, self.dim_hidden, counts, options, **kwargs)
        for name, rows in self.output.named_parameters():
            if name.endswith("weight"):
                self._start_rows(rows)
        for part in self.output.modules():
            if isinstance(part, OutputLayer):
                part.start_as_unigram()
        if shard is not None and isinstance(self.output, FullLayer):
            shard.deal(self.output, self._start_rows)

    def _start_rows(self, rows: Tensor) -> None:
        """Fills output rows, unless the layer has already given them starting values."""
        if not rows.any():
            nn.init.uniform_(rows, -REACH, REACH)

    def start(self, batch: int) -> State:
        """Returns the state before the first token of `batch` columns."""
        return self.body.start(batch)

    def hidden(self, ids: Tensor, state: State) -> tuple[Tensor, State]:
        """Returns (hidden [T, B, H], the state after the last token) for ids [T, B]. The state is
        not detached from the graph."""
        embedded = F.embedding(ids, self.input.weight, sparse=self.sparse)
        rows, state = self.body(embedded, state)
        if rows.dtype == torch.bfloat16:  # under autocast; later layers choose their own precision
            rows = rows.float()
        if self.projection is not None:
            rows = self.projection(rows)
        return rows, state
