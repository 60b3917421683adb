"""What ranks exchange of the fused engine's rows, and how often each row can be expected to be
used: so that nobody has to count, see `w2v.training.exchange`."""

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

PART = 1 << 20  # words whose paths are looked at together
TORCH_BYTES = 200 << 20  # for torch.distributed
BLOCKS = 4  # for each of several threads between exchanges, so that none idles for long
SHORTEST_BLOCK = 100  # stream positions, of several


def block_limit(config: Config, length: int, ranks: int) -> int:
    """Returns how many stream positions a block may have, so that there are several between
    exchanges; the text has `length`."""
    threads, given = config.training.threads, config.training.exchange_words
    words = given or default_words(length * config.training.epochs, ranks)
    several = BLOCKS * threads if threads > 1 else 1
    return max(min(words, SHORTEST_BLOCK), words // several)


def exchange_bytes(config: Config, vocabulary: int, world: World) -> int:
    """Returns what the exchange takes of each rank for V = vocabulary beside the engine: what the
    rows were at their last exchange, which neighbours have in common, and twice what messages
    bring while training goes on, half of them."""
    plan = config.loss.plan()
    tables = 1 if plan is None else 1 + bool(plan.rows & PATH) + bool(plan.rows & NOISE)
    rows = tables * vocabulary + most_ngrams(config, vocabulary)
    size = rows * 4 * whole_vectors(config.model.dim)
    return (size // world.size if world.near else 2 * size) + TORCH_BYTES


def shared_tables(
    config: Config,
    plan: FusedPlan,
    weights: Weights,
    chosen: RowTables,
    counts: np.ndarray,
    inputs: Inputs | None,
    *,
    in_rounds: bool,
) -> list[SharedTable]:
    """Returns the tables that hold something.

    Expected uses per position of the stream, p the share of a word [V] that sub-sampling leaves:

        input rows     p · (window + 1)          a window's mean reach, on both sides
        n-grams        the same, p of all words that have it
        words' rows    p + negatives · Σp · q    q: of the noise words; the biases alike
        inner nodes    Σp of the words below
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
        uses[weights.path] = _below(p, chosen, weights.path.rows)
    if plan.bias & WORD_BIAS:  # padded to whole vectors
        uses[weights.bias] = np.resize(uses[weights.noise], weights.bias.rows)
    pulls = {table: PULL * each for table, each in uses.items()}
    if plan.bias & LOG_Z_BIAS:
        pulls[weights.log_z] = np.full(1, ALWAYS)
    found = []
    for table, pull in pulls.items():
        # in rounds every row is thread-own, and follows; else a block's start fetches them
        own = table.all_rows()[1] if in_rounds else ()
        found.append(SharedTable(table.floats[: table.rows], pull, tuple(own)))
    return found


def _below(p: np.ndarray, chosen: RowTables, nodes: int) -> np.ndarray:
    """Returns the sum of p over the words below each inner node."""
    starts, steps = chosen.arrays[2:]
    found = np.zeros(nodes)
    for begin in range(0, len(p), PART):
        end = min(begin + PART, len(p))
        under = np.repeat(p[begin:end], np.diff(starts[begin : end + 1]))
        passed = steps[starts[begin] : starts[end]] >> 1
        found += np.bincount(passed, under, nodes)
    return found
