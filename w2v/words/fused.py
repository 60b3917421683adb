"""The engine for losses that score few rows: threads without locks (Hogwild, arXiv:1106.5730) that
run the fused CPU kernel.

With several threads, each works on its own copies of the most frequent words' rows and merges its
changes into the shared rows every few thousand words and at block ends. Otherwise the cores would
compete for the cache lines of those rows, and two threads would be no faster than one. With
`deterministic`, each thread has a copy of every row; after every round (one block per thread), with
all threads paused, the changes are merged in thread order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from w2v.kernels.cpu.block import BlockSettings, Variant, make_kernel
from w2v.kernels.cpu.merge import merge_biases, merge_round
from w2v.kernels.cpu.rows import Matrices
from w2v.kernels.cpu.workspace import (
    HOT_NGRAMS,
    RowTables,
    Weights,
    Workspace,
    tile_shape,
    updated_together,
    whole_vectors,
)
from w2v.kernels.plan import LOG_Z_BIAS, NOISE, PATH, WORD_BIAS, FusedPlan
from w2v.sampling.unigram import keep_thresholds
from w2v.settings.config import Config
from w2v.system.memory import Demand, available_memory
from w2v.training import engine
from w2v.training.engine import MEASURED_SEED, Tally, WordEngine
from w2v.training.schedule import Block, cut_blocks, sentence_limit
from w2v.training.shared_rows import SharedTable
from w2v.words.inputs import (
    BUCKETS,
    NGRAMS,
    Inputs,
    check_buckets,
    list_bytes,
    make_inputs,
    most_ngrams,
)
from w2v.words.shared import block_limit, shared_tables

HOT_ROWS = 1024  # rows with thread-own copies, per thread and matrix
MERGE_WORDS = 16384  # trained words between merges, of all threads together
SHORTEST_MERGE = 1024
BLOCK_FLOPS = 2e9  # work per block, about 0.05 s
SHORTEST_BLOCK = 1000  # stream positions
OFTEN = 1 << 30  # number of uses assumed for log Z between merges: more than of any row
# stream positions per thread in a round, times threads²: many threads must merge often
ROUND_WORDS = 280_000
SHORTEST_ROUND = 2_000
Memory = tuple[Matrices, int]  # and the number of words between merges of thread-own rows
PATH_ROWS = 16  # inner nodes on a word's path, roughly
PER_TOKEN = 20  # n-grams per word of running text, roughly


def plan_of(config: Config) -> FusedPlan:
    """Returns the kernel plan of the configured loss."""
    plan = config.loss.plan()
    assert plan is not None  # the settings refuse other losses for these engines
    return plan


def variant_of(config: Config) -> Variant:
    """Returns the parts of a configuration that are compiled into the kernel as constants."""
    plan, cbow = plan_of(config), config.model.model == "cbow"
    size, tile = 4 * whole_vectors(config.model.dim), tile_shape(plan.rows, plan.negatives, cbow)
    link = plan.rows, plan.link, plan.offsets, plan.skip_hits, plan.bias
    inputs = int(cbow), int(config.model.ngram_lengths is not None)
    return Variant(size, *tile, updated_together(plan), *link, *inputs)


def works_in_rounds(config: Config) -> bool:
    """Returns whether training needs rounds so that the result does not depend on thread timing; a
    single thread is always repeatable."""
    return config.training.deterministic and config.training.threads > 1


def memory_bytes(config: Config, vocabulary: int) -> int:
    """Returns the bytes that the engine allocates for V = vocabulary: matrices with thread-own
    rows, sampling tables or tree, workspaces."""
    plan, row = plan_of(config), 4 * whole_vectors(config.model.dim)
    threads, rows = config.training.threads, plan.rows
    ngrams = most_ngrams(config, vocabulary)
    copies = 2 * threads * min(HOT_ROWS, vocabulary) if threads > 1 else 0
    copied_ngrams = 2 * threads * min(HOT_ROWS * HOT_NGRAMS, ngrams) if threads > 1 else 0
    if works_in_rounds(config):
        copies, copied_ngrams = threads * vocabulary, threads * ngrams
    tables = 1 + bool(rows & PATH) + bool(rows & NOISE)
    # each copy has a counter of its uses
    matrices = tables * (vocabulary * row + copies * (row + 4))
    matrices += ngrams * row + copied_ngrams * (row + 4) + list_bytes(config, vocabulary)
    if plan.bias & WORD_BIAS:
        matrices += 4 * (vocabulary + copies)
    scored = plan.noise_rows + 2 * (path_length(vocabulary) if rows & PATH else 0)
    contexts = 2 * config.model.window
    workspace = contexts * (row + 56) + scored * (row + 256) + contexts * scored * 6
    return matrices + choice_bytes(plan, vocabulary) + threads * workspace


def path_length(vocabulary: int) -> int:
    """Returns the depth of a balanced tree over V = vocabulary words."""
    return max(1, math.ceil(math.log2(max(2, vocabulary))))


def choice_bytes(plan: FusedPlan, vocabulary: int) -> int:
    """Returns the bytes of the arrays that select output rows: alias table and offsets, tree."""
    tree = 64 + 10 * path_length(vocabulary) if plan.rows & PATH else 0
    return vocabulary * (24 * bool(plan.rows & NOISE) + tree)


def flops_per_word(config: Config) -> float:
    """Returns the approximate number of floating-point operations per trained word."""
    plan, window = plan_of(config), config.model.window
    scored = PATH_ROWS * bool(plan.rows & PATH) + plan.noise_rows
    ngrams = 0 if config.model.ngram_lengths is None else config.model.dim * 6 * PER_TOKEN
    if config.model.model == "skip-gram":
        return float(config.model.dim * 6 * scored * (window + 1) + ngrams)
    # one hidden row, and twice the window + 1 context rows that are only read and written
    return float(config.model.dim * (6 * scored + 4 * (window + 1)) + ngrams)


class HogwildEngine(WordEngine):
    """Trains skip-gram (each context word in the window predicts the centre word) and CBOW (their
    mean or sum predicts it) as word2vec.c does.
    """

    name = "hogwild"

    def __init__(
        self,
        config: Config,
        ids: np.ndarray,
        counts: np.ndarray,
        inputs: Inputs | None = None,
        *,
        threads: int | None = None,
    ) -> None:
        self.config = config
        self.threads = config.training.threads if threads is None else threads
        self._ids, self._counts, self.inputs = engine.read_only(ids), counts, inputs
        self._plan, variant = plan_of(config), variant_of(config)
        self._kernel = make_kernel(variant)
        self._max_sentence = sentence_limit(config.corpus.max_sentence)
        V, window, rows = len(counts), config.model.window, variant.rows
        self._keep = keep_thresholds(counts, config.training.sample)
        self._tables = RowTables(self._plan, counts)
        self.in_rounds = works_in_rounds(config) and self.threads > 1
        hot = None if self.in_rounds else HOT_ROWS
        ngrams = 0 if inputs is None else len(inputs.buckets)
        self.weights = Weights(rows, V, config.model.dim, self.threads, hot, variant.bias, ngrams)
        parts = None if inputs is None else inputs.parts
        arguments = self._plan, self._tables.longest, window, variant, parts
        self._workspaces = [Workspace(*arguments) for _ in range(self.threads)]
        self._matrices = [self.weights.matrices(thread) for thread in range(self.threads)]
        self._lr = 0.0  # learning rate of the first block in the round
        merge_every = max(SHORTEST_MERGE, MERGE_WORDS // self.threads)
        self._merge_every = 0 if self.in_rounds else merge_every
        self._pool = ThreadPoolExecutor(self.threads) if self.in_rounds else None

    @classmethod
    def demands(cls, config: Config, vocabulary: int) -> list[Demand]:
        ngrams = most_ngrams(config, vocabulary)
        copied = 4 * engine.copied_rows(config, vocabulary, ngrams, 1) * config.model.dim
        needed = memory_bytes(config, vocabulary) + copied
        return [Demand("memory", needed, available_memory())]

    @classmethod
    def describe(cls, config: Config) -> str:
        return f"{config.training.threads} threads; engine hogwild"

    @classmethod
    def compile(cls, config: Config) -> None:
        """Calls the kernel once without text, which compiles it or loads it from Numba's cache."""
        counts = np.ones(2, np.int64)
        inputs = make_inputs(config, ["a", "b"], counts)
        small = cls(config, np.zeros(1, np.int32), counts, inputs, threads=1)
        small.train(Block(0, 0, 0, 0, 0.0), 0.0, 0)

    def bounds(self, ranks: int = 1) -> np.ndarray:
        """As in WordEngine: blocks of well under 0.2 s, a few hundred per run, so that the learning
        rate falls smoothly and no thread idles at the end; several ranks exchange in between."""
        config, length = self.config, len(self._ids)
        size = int(BLOCK_FLOPS / flops_per_word(config))
        if works_in_rounds(config):
            size = min(size, max(SHORTEST_ROUND, ROUND_WORDS // config.training.threads**2))
        size = max(SHORTEST_BLOCK, min(size, length * config.training.epochs // 256))
        if ranks > 1:
            size = min(size, block_limit(config, length, ranks))
        return cut_blocks(self._ids, size, self._max_sentence, SHORTEST_BLOCK)

    def initialise(self) -> None:
        """Sets the starting vectors, see `fill_starting_rows`; a learned log Z starts at log V."""
        tables, seed = self.weights, self.config.training.seed
        engine.fill_starting_rows(tables.input.matrix, seed)
        if self.inputs is not None:
            engine.fill_starting_rows(tables.ngrams.matrix[: self.inputs.used], seed + 1)
        if self._plan.bias & LOG_Z_BIAS:
            tables.log_z.matrix[0, 0] = -math.log(tables.input.rows)
        self._share()

    @property
    def vectors(self) -> np.ndarray:
        """The vectors [V, dim] float32; a view of the input matrix if there are no n-grams."""
        matrix, inputs = self.weights.input.matrix, self.inputs
        return matrix if inputs is None else inputs.vectors(matrix, self.weights.ngrams.matrix)

    @property
    def ngrams(self) -> np.ndarray | None:
        return None if self.inputs is None else self.weights.ngrams.matrix

    def train(self, block: Block, lr: float, thread: int) -> Tally:
        """Trains on one block with learning rate `lr`, using the memory of `thread`."""
        if thread == 0:
            self._lr = lr
        memory = self._matrices[thread], self._merge_every
        return self._run(self._ids, block, thread, self.config.training.seed, lr, memory)

    def measure(self, ids: np.ndarray, block: Block, thread: int) -> Tally:
        """Returns the tally that `train` would return for a block of another text, with random
        numbers from MEASURED_SEED; changes nothing."""
        memory = self.weights.only_shared(thread), 0
        return self._run(ids, block, thread, MEASURED_SEED, 0.0, memory)

    def _run(
        self, ids: np.ndarray, block: Block, thread: int, seed: int, lr: float, memory: Memory
    ) -> Tally:
        model, work, (matrices, merge_every) = self.config.model, self._workspaces[thread], memory
        mean = model.cbow_hidden == "mean"
        share = mean and model.cbow_grad == "mean"
        limits = block.start, block.stop, model.window, self._max_sentence
        settings = BlockSettings(*limits, int(mean), int(share))
        key, block_seed = engine.block_seeds(seed, block)
        arguments = ids, self._keep, settings, matrices, self._tables.choice
        self._kernel(*arguments, *work.arguments(), lr, key, block_seed, merge_every, self.threads)
        loss, *counts = work.tally.tolist()
        return Tally(loss, *(int(count) for count in counts))

    def end_round(self, blocks: int) -> None:
        """In rounds: adds the changes of the first `blocks` threads to the shared rows, in thread
        order."""
        if self._pool is None:
            return
        weights, lr = self.weights, self._lr
        if self._plan.bias:  # -log Z is used in every window
            weights.log_z.uses[:blocks] = OFTEN
            used = (weights.bias, weights.noise.uses), (weights.log_z, weights.log_z.uses)
            for table, uses in used:
                shared, private = table.all_rows()
                merge_biases(shared[:, 0], private[:, :, 0], uses[:, : table.rows], blocks, lr)
        list(self._pool.map(lambda part: self._merge(blocks, lr, part), range(self.threads)))

    def shared_tables(self) -> list[SharedTable]:
        arguments = self.config, self._plan, self.weights, self._tables, self._counts, self.inputs
        return shared_tables(*arguments, in_rounds=self.in_rounds)

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown()

    def _merge(self, blocks: int, lr: float, part: int) -> None:
        for table in self.weights.tables[:4]:
            merge_round(*table.all_rows(), table.uses, blocks, lr, part, self.threads)

    def _share(self) -> None:
        """In rounds: copies the shared rows to all threads."""
        if self.in_rounds:
            for table in self.weights.tables:
                for thread in range(self.threads):
                    table.own(thread)[:] = table.matrix

    def state(self) -> dict[str, np.ndarray]:
        tables, plan = self.weights, self._plan
        arrays = {"input": tables.input.matrix}
        if self.inputs is not None:
            arrays |= {NGRAMS: tables.ngrams.matrix, BUCKETS: self.inputs.buckets}
        if plan.rows & PATH:
            arrays[f"output.{plan.path}"] = tables.path.matrix
        if plan.rows & NOISE:
            arrays[f"output.{plan.noise}"] = tables.noise.matrix
        if plan.bias & WORD_BIAS:
            arrays["output.bias"] = tables.bias.matrix[: tables.noise.rows, 0]
        if plan.bias & LOG_Z_BIAS:
            arrays["output.log_z"] = np.array(-tables.log_z.matrix[0, 0])
        return arrays

    def load_state(self, arrays: Mapping[str, np.ndarray]) -> None:
        state = self.state()
        engine.check_state(arrays, state)
        for name, target in state.items():
            value = arrays[name]
            if name == BUCKETS:
                check_buckets(value, target)
            elif name == "output.log_z":
                self.weights.log_z.matrix[0, 0] = -value
            else:
                target[...] = value
        self._share()
