"""The rows of the fused engine that ranks exchange, and how often each is expected to be used, so
that uses need not be counted; see `w2v.training.exchange`."""

from __future__ import annotations

import numpy as np

from w2v.kernels.cpu.merge import PULL
from w2v.kernels.cpu.workspace import RowTables, Weights, whole_vectors
from w2v.kernels.plan import LOG_Z_BIAS, NOISE, PATH, WORD_BIAS, FusedPlan
from w2v.sampling.unigram import keep_probabilities, unigram_probabilities
from w2v.settings.config import Config
from w2v.training.sections import default_words
from w2v.training.shared_rows import ALWAYS, SharedTable
from w2v.training.world import World
from w2v.words.inputs import Inputs, most_ngrams

PART = 1 << 20  # words whose paths are processed together
TORCH_BYTES = 200 << 20  # memory of torch.distributed
BLOCKS = 4  # blocks between exchanges for each of several threads, so that none idles long
SHORTEST_BLOCK = 100  # stream positions of a block, if there are several between exchanges


def block_limit(config: Config, length: int, ranks: int) -> int:
    """Returns the most stream positions of a block, such that there are several blocks between
    exchanges; `length` is that of the text."""
    threads, exchange_words = config.training.threads, config.training.exchange_words
    words = exchange_words or default_words(length * config.training.epochs, ranks)
    several = BLOCKS * threads if threads > 1 else 1
    return max(min(words, SHORTEST_BLOCK), words // several)


def exchange_bytes(config: Config, vocabulary: int, world: World) -> int:
    """Returns the bytes that each rank needs for exchanges with V = vocabulary in addition to the
    engine: a copy of the rows as of the last exchange, which ranks on one machine share; otherwise
    also two copies of the rows sent during training, at most half of them."""
    plan = config.loss.plan()
    tables = 1 if plan is None else 1 + bool(plan.rows & PATH) + bool(plan.rows & NOISE)
    rows = tables * vocabulary + most_ngrams(config, vocabulary)
    size = rows * 4 * whole_vectors(config.model.dim)
    return (size // world.size if world.near else 2 * size) + TORCH_BYTES


def shared_tables(
    config: Config,
    plan: FusedPlan,
    weights: Weights,
    row_tables: RowTables,
    counts: np.ndarray,
    inputs: Inputs | None,
    *,
    in_rounds: bool,
) -> list[SharedTable]:
    """Returns the tables that are not empty.

    Expected uses per position of the stream, where p is a word's share [V] after subsampling:

        input rows     p · (window + 1)          a window's mean reach, on both sides
        n-grams        the same, with p summed over all words that have the n-gram
        output rows    p + negatives · Σp · q    q: noise distribution; also for their biases
        inner nodes    Σp over the words below
        log Z          always
    """
    p = counts / counts.sum() * keep_probabilities(counts, config.training.sample)
    uses = {weights.input: p * (config.model.window + 1)}
    if inputs is not None:
        of_each = np.repeat(uses[weights.input], np.diff(inputs.starts))
        uses[weights.ngrams] = np.bincount(inputs.rows, of_each, weights.ngrams.rows)
    if plan.rows & NOISE:
        q = unigram_probabilities(counts, plan.power)
        uses[weights.noise] = p + plan.negatives * p.sum() * q
    if plan.rows & PATH:
        uses[weights.path] = _below(p, row_tables, weights.path.rows)
    if plan.bias & WORD_BIAS:  # the biases are padded to whole vectors
        uses[weights.bias] = np.resize(uses[weights.noise], weights.bias.rows)
    pulls = {table: PULL * count for table, count in uses.items()}
    if plan.bias & LOG_Z_BIAS:
        pulls[weights.log_z] = np.full(1, ALWAYS)
    shared = []
    for table, pull in pulls.items():
        # in rounds every row has thread-own copies to update; else a block's start fetches them
        private = table.all_rows()[1] if in_rounds else ()
        shared.append(SharedTable(table.floats[: table.rows], pull, tuple(private)))
    return shared


def _below(p: np.ndarray, row_tables: RowTables, nodes: int) -> np.ndarray:
    """Returns for each inner node the sum of p over the words below it."""
    starts, steps = row_tables.arrays[2:]
    below = np.zeros(nodes)
    for begin in range(0, len(p), PART):
        end = min(begin + PART, len(p))
        under = np.repeat(p[begin:end], np.diff(starts[begin : end + 1]))
        passed = steps[starts[begin] : starts[end]] >> 1
        below += np.bincount(passed, under, nodes)
    return below
