"""The engine for losses that score few rows: threads without locks (arXiv 1106.5730) over the fused
CPU kernel.

With several threads, each works on its own copies of the most frequent words' rows and merges what
it added to them every few thousand words and at block ends: otherwise the cores fight for the cache
lines of those rows, and two threads are no faster than one. With `deterministic` every row is
thread-own, and what the threads have changed is put together, in the threads' order, after every
round of blocks (one per thread), while they rest.

sampled-softmax draws its noise words with replacement, once per window, so that word i is to be
expected k·q(i) times among k: that is the expected count in its scores. (The layer in
`w2v.losses.sampled` draws distinct words, and expects 1 - (1 - q)^tries; for the k of a window, a
few words of many thousands, the two hardly differ.)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from w2v.kernels.cpu.block import Text, Variant, make_kernel
from w2v.kernels.cpu.merge import merge_biases, merge_round
from w2v.kernels.cpu.rows import NOISE, PATH, Choice, Matrices
from w2v.kernels.cpu.workspace import TileShape, Weights, Workspace, address
from w2v.losses.options import HsigmoidNegOptions, NceOptions, SampledOptions, SampledSoftmaxOptions
from w2v.sampling.unigram import alias_table, keep_probabilities, unigram_probabilities
from w2v.settings.config import Config
from w2v.system.memory import Demand, available_memory
from w2v.training.engine import (
    MEASURED_SEED,
    Tally,
    WordEngine,
    block_seeds,
    check_state,
    copied_rows,
    fill_starting_rows,
    read_only,
)
from w2v.training.schedule import Block, cut_blocks, sentence_limit

HOT_ROWS = 1024  # thread-own copies per thread and matrix
MERGE_WORDS = 16384  # trained words between merges, of all threads together
SHORTEST_MERGE = 1024
BLOCK_FLOPS = 2e9  # work per block, about 0.05 s
OFTEN = 1 << 30  # uses of log Z between merges: more than of any row
# stream positions of a round per thread, divided by threads²: many threads must meet often
ROUND_WORDS = 280_000
SHORTEST_ROUND = 2_000
PATH_ROWS = 16  # inner nodes on a word's path, roughly


def rows_scored(config: Config) -> int:
    """Which output rows the loss scores: PATH, NOISE or both."""
    if isinstance(config.loss, HsigmoidNegOptions):
        return PATH + NOISE
    return NOISE if isinstance(config.loss, SampledOptions) else PATH


def variant_of(config: Config) -> Variant:
    """What of a configuration is frozen into the kernel's machine code."""
    options, cbow = config.loss, config.model.model == "cbow"
    rows = rows_scored(config)
    shape = TileShape.choose(rows, _negatives(config), cbow)
    nce, softmax = isinstance(options, NceOptions), isinstance(options, SampledSoftmaxOptions)
    return Variant(
        size=-(-config.model.dim // 16) * 64,
        width=shape.width,
        group=shape.group,
        rows=rows,
        cross_entropy=int(softmax),
        offset=int(nce or softmax),
        skip_hits=int(bool(rows & NOISE) and not nce and (not softmax or options.remove_hits)),
        bias=_bias(config),
        cbow=int(cbow),
    )


def works_in_rounds(config: Config) -> bool:
    """Whether the outcome must not depend on how fast the threads are; one thread is always the
    same."""
    return config.training.deterministic and config.training.threads > 1


def compiled_kernel(config: Config) -> Callable[..., None]:
    """The kernel for a configuration, compiled or loaded from Numba's cache: called once on no
    text."""
    HogwildEngine(config, np.zeros(1, np.int32), np.ones(2, np.int64), threads=1).warm_up()
    return make_kernel(variant_of(config))


def memory_bytes(config: Config, vocabulary: int) -> int:
    """What the engine will allocate for V = vocabulary: matrices with thread-own rows, tables or
    tree, workspaces."""
    row = -(-config.model.dim // 16) * 64
    copies = (
        2 * config.training.threads * min(HOT_ROWS, vocabulary)
        if config.training.threads > 1
        else 0
    )
    if works_in_rounds(config):
        copies = config.training.threads * vocabulary
    rows = rows_scored(config)
    tables = 1 + bool(rows & PATH) + bool(rows & NOISE)
    matrices = tables * (vocabulary * row + copies * (row + 4))  # copies have a count of their uses
    if _bias(config) & 1:
        matrices += 4 * (vocabulary + copies)
    per_word = scored = 0
    if rows & NOISE:
        per_word, scored = 24, _negatives(config) + 1
    if rows & PATH:
        path = max(1, math.ceil(math.log2(max(2, vocabulary))))
        per_word, scored = per_word + 64 + 10 * path, scored + 2 * path
    contexts = 2 * config.model.window
    workspace = contexts * (row + 48) + scored * (row + 256) + contexts * scored * 6
    return matrices + vocabulary * per_word + config.training.threads * workspace


def flops_per_word(config: Config) -> float:
    """Floating-point operations per trained word, roughly."""
    rows, window = rows_scored(config), config.model.window
    scored = (PATH_ROWS if rows & PATH else 0) + (_negatives(config) + 1 if rows & NOISE else 0)
    # CBOW: one hidden row, and twice the window + 1 context rows that are only read and written
    products = (
        6 * scored * (window + 1)
        if config.model.model == "skip-gram"
        else 6 * scored + 4 * (window + 1)
    )
    return float(config.model.dim * products)


def _negatives(config: Config) -> int:
    return config.loss.negatives if isinstance(config.loss, SampledOptions) else 0


def _bias(config: Config) -> int:
    """1: a bias per word, 2: log Z is learnt, 3: both."""
    if not isinstance(config.loss, NceOptions):
        return 0
    return int(config.loss.nce_bias) + 2 * (config.loss.nce_log_z == "learned")


class HogwildEngine(WordEngine):
    """Skip-gram, every context word in the window predicting the word in the middle, and CBOW,
    their mean or sum predicting it, as in word2vec.c.

    ids: int32 stream of word ids, -1 at line ends, ids >= V are skipped.
    counts [V]: of the vocabulary, never increasing.
    """

    name = "hogwild"

    def __init__(
        self, config: Config, ids: np.ndarray, counts: np.ndarray, threads: int | None = None
    ) -> None:
        self.config = config
        self.threads = config.training.threads if threads is None else threads
        self._ids = read_only(ids)
        variant = variant_of(config)
        self._kernel = make_kernel(variant)
        self._max_sentence = sentence_limit(config.corpus.max_sentence)
        V, window, rows = len(counts), config.model.window, variant.rows
        keep = keep_probabilities(counts, config.training.sample)
        self._keep = (keep * (2**32 - 1)).astype(np.uint32)
        self._arrays: list[np.ndarray] = []  # what the kernel knows by address must stay alive
        self._choice, longest = self._make_choice(rows, counts)
        self.in_rounds = works_in_rounds(config) and self.threads > 1
        hot = None if self.in_rounds else HOT_ROWS
        self.weights = Weights(rows, V, config.model.dim, self.threads, hot, variant.bias)
        shape, negatives = TileShape(variant.width, variant.group), _negatives(config)
        self._workspaces = [
            Workspace(rows, longest, negatives, window, variant.size, shape)
            for _ in range(self.threads)
        ]
        self._matrices = [self.weights.matrices(thread) for thread in range(self.threads)]
        self._lr = 0.0  # of the round's first block
        self._merge_every = (
            0 if self.in_rounds else max(SHORTEST_MERGE, MERGE_WORDS // self.threads)
        )
        self._pool = ThreadPoolExecutor(self.threads) if self.in_rounds else None

    @classmethod
    def demands(cls, config: Config, vocabulary: int) -> list[Demand]:
        copied = 4 * copied_rows(config, vocabulary, 1) * config.model.dim
        needed = memory_bytes(config, vocabulary) + copied
        return [Demand("memory", needed, available_memory())]

    @classmethod
    def how(cls, config: Config) -> str:
        return f"{config.training.threads} threads; engine hogwild"

    @classmethod
    def compile(cls, config: Config) -> None:
        """Loads the kernel from Numba's cache, or compiles it."""
        compiled_kernel(config)

    def bounds(self) -> np.ndarray:
        """Well under 0.2 s of work each, a few hundred a run: so the learning rate falls smoothly,
        and no thread idles at the end."""
        config, length = self.config, len(self._ids)
        size = int(BLOCK_FLOPS / flops_per_word(config))
        if works_in_rounds(config):
            size = min(size, max(SHORTEST_ROUND, ROUND_WORDS // config.training.threads**2))
        size = max(1000, min(size, length * config.training.epochs // 256))
        return cut_blocks(self._ids, size, self._max_sentence)

    def initialise(self) -> None:
        """Starting vectors, see `fill_starting_rows`; a learnt log Z starts at log V."""
        fill_starting_rows(self.vectors, self.config.training.seed)
        if _bias(self.config) & 2:
            self.weights.log_z.matrix[0, 0] = -math.log(len(self.vectors))
        self._share()

    @property
    def vectors(self) -> np.ndarray:
        """[V, dim] float32, a view of the input matrix."""
        return self.weights.input.matrix

    def warm_up(self) -> None:
        """Makes sure that the kernel is compiled."""
        self.train(Block(0, 0, 0, 0, 0.0), 0.0, 0)
        if self.in_rounds:
            self.end_round(0)

    def train(self, block: Block, lr: float, thread: int) -> Tally:
        """Trains on one block with the learning rate `lr`, in the memory of `thread`."""
        if thread == 0:
            self._lr = lr
        seed = self.config.training.seed
        return self._run(
            self._ids, block, seed, self._matrices[thread], lr, self._merge_every, thread
        )

    def measure(self, ids: np.ndarray, block: Block, thread: int) -> Tally:
        """What `train` would find in a block of another text, with the random numbers of
        MEASURED_SEED."""
        return self._run(
            ids, block, MEASURED_SEED, self.weights.only_shared(thread), 0.0, 0, thread
        )

    def _run(
        self,
        ids: np.ndarray,
        block: Block,
        seed: int,
        matrices: Matrices,
        lr: float,
        merge_every: int,
        thread: int,
    ) -> Tally:
        model, work = self.config.model, self._workspaces[thread]
        mean = model.cbow_hidden == "mean"
        share = mean and model.cbow_grad == "mean"
        text = Text(
            block.start, block.stop, model.window, self._max_sentence, int(mean), int(share)
        )
        key, own = block_seeds(seed, block)
        self._kernel(
            ids,
            self._keep,
            text,
            matrices,
            self._choice,
            work.slots(),
            work.scratch(),
            work.words,
            work.sentences,
            work.state,
            lr,
            key,
            own,
            merge_every,
            self.threads,
            work.tally,
        )
        loss, *counts = work.tally.tolist()
        return Tally(loss, *(int(count) for count in counts))

    def end_round(self, blocks: int) -> None:
        """In rounds: shared rows = those + the changes of the first `blocks` threads, in their
        order."""
        if self._pool is None:
            return
        weights, lr = self.weights, self._lr
        if _bias(self.config):  # -log Z is used all the time
            weights.log_z.uses[:blocks] = OFTEN
            for table, uses in (
                (weights.bias, weights.noise.uses),
                (weights.log_z, weights.log_z.uses),
            ):
                shared, own = table.all_rows()
                merge_biases(shared[:, 0], own[:, :, 0], uses[:, : table.rows], blocks, lr)
        list(self._pool.map(lambda part: self._merge(blocks, lr, part), range(self.threads)))

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown()

    def _merge(self, blocks: int, lr: float, part: int) -> None:
        for table in (self.weights.input, self.weights.path, self.weights.noise):
            merge_round(*table.all_rows(), table.uses, blocks, lr, part, self.threads)

    def _share(self) -> None:
        """In rounds: all threads' own rows = the shared ones."""
        if self.in_rounds:
            for table in self.weights.tables:
                for thread in range(self.threads):
                    table.own(thread)[:] = table.matrix

    def state(self) -> dict[str, np.ndarray]:
        """All that training goes on from, float32: "input" [V, dim], and the output layer's
        parameters as its state_dict names them after "output.". Views, to be used while the threads
        rest.
        """
        tables, options = self.weights, self.config.loss
        found = {"input": tables.input.matrix}
        if isinstance(options, HsigmoidNegOptions):
            found |= {
                "output.path.weight": tables.path.matrix,
                "output.noise.weight": tables.noise.matrix,
            }
        else:
            found["output.weight"] = (tables.noise if tables.noise.rows else tables.path).matrix
        if _bias(self.config) & 1:
            found["output.bias"] = tables.bias.matrix[: tables.noise.rows, 0]
        if _bias(self.config) & 2:
            found["output.log_z"] = np.array(-tables.log_z.matrix[0, 0])
        return found

    def load_state(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Goes on from what `state` returned.

        Raises:
            ValueError: an array is missing, unknown, or of another shape or type.
        """
        own = self.state()
        check_state(arrays, own)
        for name, target in own.items():
            given = arrays[name]
            if name == "output.log_z":
                self.weights.log_z.matrix[0, 0] = -given
            else:
                target[...] = given
        self._share()

    def _make_choice(self, rows: int, counts: np.ndarray) -> tuple[Choice, int]:
        """(what rows are chosen by, nodes on the longest path)."""
        table = offsets = starts = steps = np.zeros(0, np.int32)
        negatives = longest = 0
        if rows & NOISE:
            negatives = _negatives(self.config)
            noise = unigram_probabilities(counts, self.config.loss.noise_power)
            accept, alias = alias_table(noise)
            # side by side: one cache line a draw, and no branch
            table = alias.astype(np.int64) << 32 | accept
            offsets = self._offsets(noise)
        if rows & PATH:
            from w2v.tree import huffman

            tree = huffman(counts)
            starts, steps, longest = tree.starts, tree.steps(), int(tree.lengths.max())
        self._arrays += [table, offsets, starts, steps]
        choice = Choice(
            noise=address(table),
            offsets=address(offsets),
            negatives=negatives,
            vocabulary=len(counts),
            starts=address(starts),
            steps=address(steps),
        )
        return choice, longest

    def _offsets(self, noise: np.ndarray) -> np.ndarray:
        """What is added to every word's score [V]: -log of its expected count, with nce also -log
        Z."""
        options = self.config.loss
        log_z = 0.0
        if isinstance(options, NceOptions):
            named = {"auto": math.log(len(noise)), "learned": 0.0}
            log_z = (
                named[options.nce_log_z] if options.nce_log_z in named else float(options.nce_log_z)
            )
        elif not isinstance(options, SampledSoftmaxOptions):
            return np.zeros(len(noise), np.float32)
        # an extreme power leaves rare words no probability at all: then log q is that of the least
        # number above 0
        log_q = np.log(np.maximum(noise, np.finfo(np.float64).tiny))
        return (-log_z - math.log(options.negatives) - log_q).astype(np.float32)
