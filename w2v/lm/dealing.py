"""Decides which output layers are sharded over ranks, row by row, and which each rank holds."""

from __future__ import annotations

from w2v.losses.layers import layer_class
from w2v.losses.softmax import FullLayer
from w2v.losses.table import LOSSES
from w2v.settings.config import Config

# A layer is sharded if it has more than this many rows per token of a step. Sharded, 3 hidden rows
# are sent per token; otherwise 2 gradients per output row or, by a layer that draws noise words,
# the gradients of each token's row and of the noise rows of every rank. Smaller messages cost about
# as much.
SHARD_FROM = 2


def shards_output_rows(config: Config, vocabulary: int, ranks: int) -> bool:
    """Returns whether so many ranks shard the output rows of V = vocabulary tokens."""
    lm, options, rows = config.lm, config.loss, vocabulary
    loss = LOSSES[config.training.loss]
    if ranks == 1 or not _can_shard(config):
        return False
    if loss.draws_noise:
        negatives = loss.negatives(loss.with_negatives(options, vocabulary - 1))
        rows = ranks * lm.accumulate * negatives
    # sparse softmax also sends the highest scores of every rank
    extra = ranks * getattr(options, "top_k", 0) / (3 * lm.hidden)
    return rows > (1 + extra) * _rows_worth_sharding(config)


def replicates_rows(config: Config, vocabulary: int, ranks: int) -> bool:
    """Returns whether each of so many ranks holds all output rows of V = vocabulary tokens, though
    sharding would pay, because of the loss or of `tied`."""
    many = ranks > 1 and vocabulary > _rows_worth_sharding(config)
    return many and not _can_shard(config)


def _can_shard(config: Config) -> bool:
    return not config.lm.tied and issubclass(layer_class(config.training.loss), FullLayer)


def _rows_worth_sharding(config: Config) -> float:
    return SHARD_FROM * config.training.batch_size * config.lm.bptt * config.lm.accumulate
