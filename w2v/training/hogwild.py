"""The engine for losses that score few rows: threads without locks (arXiv 1106.5730) over the fused CPU kernel.

With several threads, each works on its own copies of the most frequent words' rows and merges what it added to them
every few thousand words and at block ends: otherwise the cores fight for the cache lines of those rows, and two
threads are no faster than one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from w2v.config import Config
from w2v.kernels.cpu.block import Text, make_kernel
from w2v.kernels.cpu.rows import Choice
from w2v.kernels.cpu.workspace import TileShape, Weights, Workspace, address
from w2v.losses.options import NceOptions, SampledOptions
from w2v.noise import alias_table, keep_probabilities, unigram_probabilities
from w2v.training.engine import Tally, block_seeds, check_state, fill_starting_rows
from w2v.training.schedule import Block, cut_blocks, sentence_limit

HOT_ROWS = 1024  # thread-own copies per thread and matrix
MERGE_WORDS = 8192  # trained words between merges
BLOCK_FLOPS = 2e9  # work per block, about 0.05 s
PATH_ROWS = 16  # inner nodes on a word's path, roughly


def compiled_kernel(config: Config) -> Callable[..., None]:
    """The kernel for a configuration, compiled or loaded from Numba's cache: called once on no text."""
    HogwildEngine(config, np.zeros(1, np.int32), np.ones(2, np.int64), threads=1).warm_up()
    return _kernel(config)


def memory_bytes(config: Config, vocabulary: int) -> int:
    """What the engine will allocate for V = vocabulary: matrices with thread-own rows, tables or tree, workspaces."""
    row = -(-config.model.dim // 16) * 64
    hot = min(HOT_ROWS, vocabulary) if config.threads > 1 else 0
    matrices = 2 * (vocabulary + 2 * config.threads * hot) * row
    if isinstance(config.loss, SampledOptions):
        per_word, rows = 24, config.loss.negatives + 1
    else:
        path = max(1, math.ceil(math.log2(max(2, vocabulary))))
        per_word, rows = 64 + 10 * path, 2 * path
    contexts = 2 * config.model.window
    workspace = contexts * (row + 48) + rows * (row + 256) + contexts * rows * 6
    return matrices + vocabulary * per_word + config.threads * workspace


def block_bounds(config: Config, ids: np.ndarray) -> np.ndarray:
    """Bounds [blocks + 1] of an epoch's blocks, see `cut_blocks`: well under 0.2 s of work each, a few hundred a run.

    So the learning rate falls smoothly, and no thread idles at the end.
    """
    rows = config.loss.negatives + 1 if isinstance(config.loss, SampledOptions) else PATH_ROWS
    flops = 6 * config.model.dim * rows * (config.model.window + 1)
    whole_run = len(ids) * config.training.epochs
    size = max(1000, min(int(BLOCK_FLOPS / flops), whole_run // 256))
    return cut_blocks(ids, size, sentence_limit(config.corpus.max_sentence))


def _kernel(config: Config) -> Callable[..., None]:
    options = config.loss
    rows = options.negatives + 1 if isinstance(options, SampledOptions) else None
    shape = TileShape.for_rows(rows)
    nce = isinstance(options, NceOptions)
    bias = (int(options.nce_bias) + 2 * (options.nce_log_z == "learned")) if isinstance(options, NceOptions) else 0
    size = -(-config.model.dim // 16) * 64
    sampled = rows is not None
    return make_kernel(size, shape.width, shape.group, int(sampled), int(nce), int(sampled and not nce), bias)


class HogwildEngine:
    """Skip-gram: every context word in the window predicts the word in the middle, as in word2vec.c.

    ids: int32 stream of word ids, -1 at line ends, ids >= V are skipped.
    counts [V]: of the vocabulary, never increasing.
    """

    name = "hogwild"
    in_rounds = False

    def __init__(self, config: Config, ids: np.ndarray, counts: np.ndarray, threads: int | None = None) -> None:
        self.config = config
        self.threads = config.threads if threads is None else threads
        self._ids = np.asarray(ids).view()
        self._ids.flags.writeable = False  # one type for the kernel, whether memory-mapped or not
        self._kernel = _kernel(config)
        self._max_sentence = sentence_limit(config.corpus.max_sentence)
        V, window = len(counts), config.model.window
        keep = keep_probabilities(counts, config.training.sample)
        self._keep = (keep * (2**32 - 1)).astype(np.uint32)
        self._arrays: list[np.ndarray] = []  # what the kernel knows by address must stay alive
        sampled = isinstance(config.loss, SampledOptions)
        if sampled:
            rows_out = V
            self._choice, rows = self._noise_choice(counts), config.loss.negatives + 1
        else:
            rows_out = max(1, V - 1)
            self._choice, rows = self._path_choice(counts)
        self.weights = Weights(V, rows_out, config.model.dim, self.threads, HOT_ROWS)
        shape = TileShape.for_rows(rows if sampled else None)
        self._workspaces = [Workspace(rows, window, self.weights.size, shape, sampled) for _ in range(self.threads)]
        self._matrices = [self.weights.matrices(thread) for thread in range(self.threads)]

    def initialise(self) -> None:
        """Starting vectors, see `fill_starting_rows`; a learnt log Z starts at log V."""
        fill_starting_rows(self.weights.w_in, self.config.training.seed)
        if isinstance(self.config.loss, NceOptions) and self.config.loss.nce_log_z == "learned":
            self.weights.shared_bias[0] = -math.log(len(self.weights.w_in))

    @property
    def vectors(self) -> np.ndarray:
        """[V, dim] float32, a view of the input matrix."""
        return self.weights.w_in

    def warm_up(self) -> None:
        """Makes sure that the kernel is compiled."""
        self.train(Block(0, 0, 0, 0, 0.0), 0.0, 0)

    def train(self, block: Block, lr: float, thread: int) -> Tally:
        """Trains on one block with the learning rate `lr`, in the memory of `thread`."""
        config, work = self.config, self._workspaces[thread]
        text = Text(block.start, block.stop, config.model.window, self._max_sentence)
        key, seed = block_seeds(config.training.seed, block)
        self._kernel(
            self._ids, self._keep, text, self._matrices[thread], self._choice, work.slots(), work.scratch(),
            work.words, work.sentences, work.state, lr, key, seed, MERGE_WORDS, work.tally,
        )  # fmt: skip
        loss, *counts = work.tally.tolist()
        return Tally(loss, *(int(count) for count in counts))

    def end_round(self, blocks: int) -> None:
        """Nothing to put together: threads share the rows."""

    def state(self) -> dict[str, np.ndarray]:
        """Views of what training changes; the threads' own rows are merged at block ends and hold nothing besides."""
        weights = self.weights
        views = {"input": weights.w_in, "output.weight": weights.w_out}
        if isinstance(self.config.loss, NceOptions):
            if self.config.loss.nce_bias:
                views["output.bias"] = weights.bias[: weights.rows_out]
            if self.config.loss.nce_log_z == "learned":
                views["output.log_z"] = weights.shared_bias[:1]
        return views

    def load_state(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Goes on from what `state` returned. ValueError: names or shapes are not this engine's."""
        views = self.state()
        check_state(arrays, views)
        for name, view in views.items():
            view[:] = arrays[name]

    def _noise_choice(self, counts: np.ndarray) -> Choice:
        options = self.config.loss
        noise = unigram_probabilities(counts, options.noise_power)
        accept, alias = alias_table(noise)
        offsets = np.zeros(len(counts), np.float32)
        if isinstance(options, NceOptions):
            log_z = {"auto": math.log(len(counts)), "learned": 0.0}.get(options.nce_log_z)
            # an extreme power leaves rare words no probability at all: then log q is that of the least number above 0
            log_q = np.log(np.maximum(noise, np.finfo(np.float64).tiny))
            offsets[:] = -(float(options.nce_log_z) if log_z is None else log_z) - math.log(options.negatives) - log_q
        self._arrays += [accept, alias, offsets]
        return Choice(address(accept), address(alias), address(offsets), options.negatives, len(counts), 0, 0)

    def _path_choice(self, counts: np.ndarray) -> tuple[Choice, int]:
        from w2v.tree import huffman

        tree = huffman(counts)
        steps = tree.steps()
        self._arrays += [tree.starts, steps]
        return Choice(0, 0, 0, 0, len(counts), address(tree.starts), address(steps)), int(tree.lengths.max())
