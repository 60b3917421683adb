"""The engine for any loss, on CPU or GPU: builds windows on the device in large batches and
computes gradients with autograd.

    skip-gram  every context word in the window predicts the centre word, as in word2vec.c. The
               hidden vector of a prediction is the context word's input row, so a batch has no more
               distinct hidden vectors than distinct words; a loss that scores all V rows scores
               them once for each.
    cbow       the mean (or sum) of the context words' input rows predicts the centre word (with
               n-grams, the mean of all rows of the context words). Each of these rows gets the
               whole gradient of the mean, as in word2vec.c, or its share of it (`cbow_grad` mean).

Losses that draw noise words draw `negatives` of them for every NOISE_SHARE predictions from the
same context word. The gradient is that of the loss summed over a batch's predictions.

The program waits for a GPU at most four times per batch: to learn the number of predictions, the
distinct words (twice if predictions share noise words), and the output rows with a gradient.
Adaptive softmax, margins and distinct noise words wait at least once more.

With several ranks the hidden rows of every batch are distributed, each with its predictions and
noise words, and the gradients are summed: the result is that of one process, up to rounding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from w2v.errors import InputError
from w2v.losses.base import OutputLayer
from w2v.losses.layers import make_layer
from w2v.losses.math.numbers import trusted_targets
from w2v.losses.sampled import SampledLayer
from w2v.losses.table import LOSSES
from w2v.sampling.unigram import keep_thresholds
from w2v.settings.config import Config
from w2v.system.memory import Demand
from w2v.training import engine
from w2v.training.device import ONE_THREAD, enough_memory, find_device, isolated_settings
from w2v.training.engine import Tally, WordEngine
from w2v.training.optimizers import OPTIMIZERS, Gradient, states, take_gradients
from w2v.training.ranked import summed_over
from w2v.training.rows import distinct_rows, shared_rows, summed_rows
from w2v.training.schedule import Block, cut_blocks, sentence_limit
from w2v.words import cost
from w2v.words.input_layer import FROZEN, INPUT, InputLayer
from w2v.words.inputs import BUCKETS, NGRAMS, Inputs
from w2v.words.windows import WindowReader, Windows

# number of predictions that share noise words; the fused kernel shares them in a window, about 6
NOISE_SHARE = 8
BLOCK_WORDS = 32768  # stream positions per block, roughly, unless a batch is larger


class AutogradEngine(WordEngine):
    """Trains the input matrix and an output layer together. Raises InputError if `device` names a
    missing GPU or the loss cannot be used with this vocabulary, and RunError if the GPU has too
    little memory."""

    name = "autograd"

    def __init__(
        self, config: Config, ids: np.ndarray, counts: np.ndarray, inputs: Inputs | None = None
    ) -> None:
        self.config = config
        self.device = find_device(config.training.device)
        keep = keep_thresholds(counts, config.training.sample)
        self._limit = sentence_limit(config.corpus.max_sentence)
        self._reader = WindowReader(ids, keep, config.model.window, self._limit, self.device)
        self._ids, self._length, self._counts = ids, len(ids), counts
        self._batch = cost.batch_words(config, len(ids))
        self._generator, self._threads = torch.Generator(self.device), ONE_THREAD
        self.inputs, optimizer = inputs, OPTIMIZERS[config.training.optimizer]
        with self._isolated():
            self.input = InputLayer(len(counts), config.model.dim, inputs, self.device, optimizer)
            self.layer = self._make_layer(counts).to(self.device)
            named = self.layer.named_parameters()
            self._parameters = {f"output.{name}": parameter for name, parameter in named}
            output = {name: optimizer(table.detach()) for name, table in self._parameters.items()}
            self._optimizers = self.input.optimizers | output

    @classmethod
    def demands(cls, config: Config, vocabulary: int) -> list[Demand]:
        return cost.demands(config, vocabulary)

    @classmethod
    def describe(cls, config: Config) -> str:
        device = find_device(config.training.device)
        where = f"{config.training.threads} threads" if device.type == "cpu" else str(device)
        return f"{where}; engine autograd with {config.training.optimizer}"

    def warning(self) -> str | None:
        return cost.warning(self.config, self._counts, self._length, self.device)

    def bounds(self, ranks: int = 1) -> np.ndarray:
        """As in WordEngine; a block is about a whole number of batches."""
        size = min(BLOCK_WORDS, self._length * self.config.training.epochs // cost.STEPS)
        return cut_blocks(self._ids, self._batch * max(1, size // self._batch), self._limit)

    def initialise(self) -> None:
        with self._isolated():
            self.input.initialise(self.config.training.seed)

    @property
    def vectors(self) -> np.ndarray:
        return self.input.vectors

    @property
    def ngrams(self) -> np.ndarray | None:
        return None if self.inputs is None else self.input.array(NGRAMS)

    def train(self, block: Block, lr: float, thread: int = 0) -> Tally:
        return self._run(self._reader, block, self.config.training.seed, lr)

    @torch.no_grad()
    def measure(self, ids: np.ndarray, block: Block, thread: int = 0) -> Tally:
        return self._run(self._reader.over(ids), block, engine.MEASURED_SEED, None)

    def _run(self, reader: WindowReader, block: Block, seed: int, lr: float | None) -> Tally:
        """Processes a block with random numbers from `seed`; updates rows unless `lr` is None."""
        key, block_seed = engine.block_seeds(seed, block)
        self._generator.manual_seed(int(block_seed) >> 1)
        self._threads = self.config.training.threads
        with self._isolated(learns=lr is not None):
            windows = reader.read(block.start, block.stop, int(key), int(block_seed))
            steps = max(1, -(-(block.stop - block.start) // self._batch))
            cuts = [windows.trained * step // steps for step in range(steps + 1)]
            loss, predictions = torch.zeros((), dtype=torch.float64, device=self.device), 0
            for start, stop in pairwise(cuts):
                losses = self._step(windows, start, stop, lr)
                loss += losses.sum(dtype=torch.float64)
                predictions += len(losses)
            words = windows.read, windows.rare, windows.dropped, windows.trained
            if lr is not None and self.world.rank:  # only rank 0 counts words
                words = 0, 0, 0, 0
            return Tally(loss.item(), predictions, *words)

    def state(self) -> dict[str, np.ndarray]:
        return {name: tensor.detach().cpu().numpy() for name, tensor in self._tensors().items()}

    def load_state(self, arrays: Mapping[str, np.ndarray]) -> None:
        if FROZEN in arrays:
            self.freeze(np.array(arrays[FROZEN]))
        engine.check_state(arrays, self.state())
        self.input.check_state(arrays)
        with self._isolated(learns=False):
            for name, tensor in self._tensors().items():
                if name != BUCKETS:
                    tensor.copy_(torch.from_numpy(np.array(arrays[name])))

    def freeze(self, rows: np.ndarray) -> None:
        size = len(self.input.tables[INPUT])
        if rows.shape != (size,):
            raise ValueError(f"rows has shape {[*rows.shape]}, the input matrix has {size} rows")
        self.input.frozen = torch.from_numpy(rows.astype(np.uint8)).to(self.device)

    def _tensors(self) -> dict[str, Tensor]:
        tensors = self.input.state()
        tensors |= {f"output.{name}": tensor for name, tensor in self.layer.state_dict().items()}
        return tensors | states(self._optimizers)

    @contextmanager
    def _isolated(self, *, learns: bool = True) -> Iterator[None]:
        remedy = f"a smaller `batch_size` (now {self._batch:,}), a smaller `dim`"
        alone = self.world.size == 1
        with (
            isolated_settings(self.device, self._threads, learns=learns, alone=alone),
            enough_memory(self.device, f"{remedy} or a larger `min_count`"),
        ):
            yield

    def _make_layer(self, counts: np.ndarray) -> OutputLayer:
        config, loss = self.config, self.config.training.loss
        arguments: dict[str, object] = {"sparse": True} if LOSSES[loss].sparse else {}
        if LOSSES[loss].draws_noise:
            arguments |= {"per_row": True, "generator": self._generator}
        try:
            torch.manual_seed(config.training.seed)  # a layer may start from random values
            return make_layer(
                loss, config.model.dim, torch.from_numpy(counts), config.loss, **arguments
            )
        except ValueError as error:
            raise InputError(f"`loss` {loss} with {len(counts):,} words: {error}") from error

    def _step(self, windows: Windows, start: int, stop: int, lr: float | None) -> Tensor:
        """Returns the losses of targets start … stop - 1; updates rows unless `lr` is None."""
        contexts, positions = windows.pairs(start, stop)
        if not len(contexts):
            return torch.zeros(0, device=self.device)
        if self.config.model.model == "cbow":
            centres, lengths = positions.unique_consecutive(return_counts=True)  # type: ignore[no-untyped-call]
            return self._cbow(contexts, lengths, windows.words[centres], lr)
        return self._skip_gram(contexts, windows.words[positions], lr)

    def _skip_gram(self, contexts: Tensor, targets: Tensor, lr: float | None) -> Tensor:
        repeated, size = LOSSES[self.config.training.loss].draws_noise, len(self._counts)
        rows, row_of = (
            shared_rows(contexts, NOISE_SHARE) if repeated else distinct_rows(contexts, size)
        )
        if lr is None:
            hidden = self.input.rows_of(rows)
            with trusted_targets():
                return self.layer(hidden, targets, row_of)  # type: ignore[no-any-return]
        n_hidden, (rows, mask) = len(rows), self._own_share(rows, row_of)
        if mask is not None:
            targets, row_of = targets[mask], row_of[mask] // self.world.size
        hidden = self.input.rows_of(rows)
        losses, gradient = self._learn(hidden, targets, row_of, lr, n_hidden)
        if repeated:
            rows, gradient = summed_rows(rows, gradient, size)
        self._update_input(gradient, lr, rows)
        return losses

    def _cbow(self, contexts: Tensor, lengths: Tensor, targets: Tensor, lr: float | None) -> Tensor:
        """contexts: the context words of all targets in order; `lengths`: how many each has."""
        model = self.config.model
        n_hidden = len(targets)
        if lr is not None and self.world.size > 1:
            row_of = torch.arange(n_hidden, device=self.device).repeat_interleave(lengths)
            targets, mask = self._own_share(targets, row_of)
            lengths, _ = self._own_share(lengths, row_of)
            contexts = contexts[mask]
        starts = lengths.cumsum(0) - lengths
        hidden = self.input.bags(contexts, starts, model.cbow_hidden)
        if lr is None:
            with trusted_targets():
                return self.layer(hidden, targets)  # type: ignore[no-any-return]
        losses, gradient = self._learn(hidden, targets, None, lr, n_hidden)
        if model.cbow_hidden == "mean" and model.cbow_grad == "mean":
            gradient = gradient / lengths[:, None]
        per_context = torch.repeat_interleave(gradient, lengths, dim=0, output_size=len(contexts))
        rows, gradient = summed_rows(contexts, per_context, len(self._counts))
        self._update_input(gradient, lr, rows)
        return losses

    def _own_share(self, rows: Tensor, row_of: Tensor) -> tuple[Tensor, Tensor | None]:
        """Returns this rank's share of hidden rows, every size-th one, and a mask [N] of the
        entries of row_of that belong to it (None: all of them)."""
        rank, size = self.world.rank, self.world.size
        return (rows, None) if size == 1 else (rows[rank::size], row_of % size == rank)

    def _update_input(self, gradient: Tensor, lr: float, rows: Tensor) -> None:
        gradients = [Gradient("input", gradient, rows)]
        (summed,) = summed_over(self.world, gradients, self.input.tables)
        assert summed.rows is not None
        self.input.update(summed.rows, summed.values, lr)

    def _learn(
        self, hidden: Tensor, targets: Tensor, row_of: Tensor | None, lr: float, n_hidden: int
    ) -> tuple[Tensor, Tensor]:
        """Updates the output layer. Returns the losses [N] and the gradient [U, D] of their sum for
        hidden [U, D], this rank's share of the `n_hidden` hidden rows in the batch."""
        hidden.requires_grad_()
        share = (n_hidden, self.world.rank, self.world.size) if self.world.size > 1 else None
        sampled = [part for part in self.layer.modules() if isinstance(part, SampledLayer)]
        for part in sampled:
            part.share = share
        if len(hidden):
            with trusted_targets():
                losses = self.layer(hidden, targets, row_of)
            losses.sum().backward()
        else:  # a small batch may leave some ranks without rows
            losses = hidden.new_zeros(0)
            for part in sampled:  # to keep the random numbers equal on all ranks
                part.draw(hidden)
        for part in sampled:
            part.share = None
        gradients = summed_over(
            self.world, take_gradients(self._parameters.items()), self._parameters
        )
        for summed in gradients:
            self._optimizers[summed.name].update(summed.values, lr, summed.rows)
        gradient = torch.zeros_like(hidden) if hidden.grad is None else hidden.grad
        return losses.detach(), gradient
