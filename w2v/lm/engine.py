"""The engine of the language model: truncated backpropagation through time over contiguous batches.

A step computes the gradient of the mean loss over `accumulate` segments of `bptt` tokens in every
column, scales it down if its norm exceeds `clip`, and updates the parameters. The body's state is
passed from segment to segment without gradients, and is reset at the start of every epoch. Dropout
and noise words depend only on (seed, epoch, block).

Rows of the embedding, and of output layers that score few rows, are updated only if a step has used
them.

With several ranks each trains its part of the columns, and gradients are summed before their norm
is computed: up to rounding the result is that of one process, except for dropout, which each rank
draws on its own. The rows of an output layer are sharded over the ranks (`w2v.losses.sharded`) if
that sends fewer bytes than their gradients, but never if they are tied or belong to hsigmoid or
adaptive softmax; rank 0 gets all of them before they are measured or saved.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from w2v.errors import InputError, RunError
from w2v.lm.bodies.base import State
from w2v.lm.columns import Columns, Source
from w2v.lm.dealing import shards_output_rows
from w2v.lm.model import Network
from w2v.lm.precision import check_precision, working_precision
from w2v.lm.saved import model_arrays
from w2v.losses.math.numbers import trusted_targets
from w2v.losses.sharded import Shard
from w2v.losses.softmax import FullLayer
from w2v.settings.config import Config
from w2v.system.memory import trim
from w2v.training import optimizers
from w2v.training.device import ONE_THREAD, enough_memory, find_device, isolated_settings
from w2v.training.engine import Engine, Part, Tally, block_seeds, check_state
from w2v.training.optimizers import AdamW, Gradient, RowOptimizer
from w2v.training.ranked import summed_over
from w2v.training.schedule import Block
from w2v.training.world import World

CARRY = "carry."  # prefix of the body's state in a checkpoint
LARGE = 1 << 24  # elements of sharded rows (64 MB) from which memory is trimmed for their gradient
OUTPUT_ROWS = "output.weight", "output.bias"  # the parameters that can be sharded


class LanguageModelEngine(Engine):
    """Trains a language model on the columns of a text; counts [V]: of the vocabulary, in
    descending order. Raises InputError if the text is too short for the batch, the device or the
    precision is missing, or the loss cannot be used with this vocabulary, and RunError if the GPU
    has too little memory."""

    name = "autograd"

    def __init__(
        self, config: Config, source: Source, counts: np.ndarray, world: World | None = None
    ) -> None:
        self.config, self.device = config, find_device(config.training.device)
        self.world = world or World.alone()
        check_precision(config.lm.precision, self.device)
        self.columns = Columns(source, config.training.batch_size, self.world.rank, self.world.size)
        self._generator = torch.Generator()  # on the CPU, because a step has few noise words
        self._counts, self._threads = torch.from_numpy(counts), ONE_THREAD
        with self.isolated():
            self.columns.send(self.device, len(counts))
            self.initialise()

    def initialise(self) -> None:
        """Sets starting values, which depend on the seed, and creates new optimizers."""
        config, self._shard = self.config, None
        if shards_output_rows(config, len(self._counts), self.world.size):
            self._shard = Shard.of(self.world, len(self._counts))
        options: Any = {"generator": self._generator, "shard": self._shard}
        try:
            torch.manual_seed(config.training.seed)
            self.model = Network(config, self._counts, **options)
        except ValueError as error:
            loss, tokens = config.training.loss, len(self._counts)
            raise InputError(f"`loss` {loss} with {tokens:,} tokens: {error}") from error
        self.model.to(self.device).train()
        if config.lm.compile:
            self.model.body.compile()
        self._optimizers = {
            name: self._optimizer(name, table) for name, table in self.model.named_parameters()
        }
        self._sharded = {  # names of the sharded tensors, including those of the optimizers
            name
            for name, tensor in self._tensors().items()
            if self._shard is not None
            and tensor.dim()
            and name.removeprefix("optimizer.").startswith(OUTPUT_ROWS)
        }
        self._state: State = ()
        # set by `collect` and `load_state` until the next block: the state of all columns, and on
        # rank 0 all rows of sharded tensors
        self._full_state: State | None = None
        self._full_rows: dict[str, np.ndarray] = {}

    def start_embeddings(self, tokens: np.ndarray, rows: np.ndarray) -> None:
        """Sets the embeddings of `tokens` [K] to `rows` [K, dim], before training."""
        with self.isolated(), torch.no_grad():
            chosen = torch.from_numpy(tokens).to(self.device)
            self.model.input.weight[chosen] = torch.from_numpy(rows).to(self.device)

    def warm_up(self) -> None:
        """Compiles everything that is compiled on first use, so that the first training step takes
        no longer than others."""
        lm, columns = self.config.lm, len(self.columns.own)
        if lm.compile:  # what torch.compile makes depends on the number of threads
            self._threads = self.config.training.threads
        with self.isolated():
            inputs = torch.zeros(lm.bptt, columns, dtype=torch.int64, device=self.device)
            with working_precision(lm.precision, self.device):
                rows, _ = self.model.hidden(inputs, self.model.start(columns))
            rows.sum().backward()  # type: ignore[no-untyped-call]
            optimizers.take_gradients(self.model.named_parameters())

    @property
    def description(self) -> str:
        """A description of the device or the threads that train, for messages."""
        threads, on_cpu = self.config.training.threads, self.device.type == "cpu"
        return f"{threads} threads" if on_cpu else str(self.device)

    def bounds(self) -> np.ndarray:
        return self.columns.bounds(self.config.lm.bptt, self.config.lm.accumulate)

    @property
    def vectors(self) -> np.ndarray:
        return self.model.input.weight.detach().cpu().numpy()

    def train(self, block: Block, lr: float, thread: int = 0) -> Tally:
        seed = int(block_seeds(self.config.training.seed, block)[1]) >> 1
        self._generator.manual_seed(seed)
        self._threads = self.config.training.threads
        start, stop = (position // self.columns.columns for position in (block.start, block.stop))
        with self.isolated():
            torch.manual_seed(seed + self.world.rank)  # for dropout
            self._full_state, self._full_rows = None, {}
            if block.index == 0 or not self._state:
                self._state = self.model.start(len(self.columns.own))
            loss, step = 0.0, self.config.lm.bptt * self.config.lm.accumulate
            for begin in range(start, stop, step):
                loss += self._step(begin, min(begin + step, stop), lr)
            tokens = (stop - start) * len(self.columns.own)
            self.columns.release(start, stop)
            return Tally(loss, tokens, tokens, 0, 0, tokens)

    def state(self) -> dict[str, np.ndarray]:
        """As in Engine: parameters by name, and carry.*: the body's state, float32."""
        named = self._tensors().items()
        tensors = {name: table.detach() for name, table in named if name not in self._sharded}
        carried = self._state if self._full_state is None else self._full_state
        tensors |= {f"{CARRY}{number}": part.float() for number, part in enumerate(carried)}
        return {name: tensor.cpu().numpy() for name, tensor in tensors.items()}

    def part(self) -> Part | None:
        """Returns the output rows of this rank and the optimizers' state for them, or None."""
        if self._shard is None:
            return None
        tensors = self._tensors()
        arrays = {name: tensors[name].detach()[:-1].cpu().numpy() for name in sorted(self._sharded)}
        return Part(self._shard.low, self._shard.high, arrays)

    def load_state(self, arrays: Mapping[str, np.ndarray]) -> None:
        carried = sorted(name for name in arrays if name.startswith(CARRY))
        parameters = {name: array for name, array in arrays.items() if name not in carried}
        tensors = self._tensors()
        shard, expected = self._shard, {}
        for name, tensor in tensors.items():
            expected[name] = tensor.detach().cpu().numpy()
            if shard is not None and name in self._sharded:
                # as in `LanguageModelTask.rows_of_rank`
                n_rows = shard.rows if self.world.rank else shard.classes
                expected[name] = np.broadcast_to(expected[name][:1], (n_rows, *tensor.shape[1:]))
        check_state(parameters, expected)
        start = self.model.start(self.columns.columns)
        names = [f"{CARRY}{number}" for number in range(len(start))]
        if carried and carried != names:
            raise ValueError(
                f"the state carries {', '.join(carried)}, the model {', '.join(names)}"
            )
        for name, part in zip(carried, start, strict=False):
            # a dimension that starts at 0 may have grown
            array, pairs = arrays[name], zip(arrays[name].shape, part.shape, strict=False)
            fits = all(length == other or not other for length, other in pairs)
            if array.ndim != part.ndim or array.dtype != np.float32 or not fits:
                actual = f"{array.dtype} {[*array.shape]}"
                raise ValueError(f"{name} is {actual}, the model starts from {[*part.shape]}")
        with self.isolated(), torch.no_grad():
            for name, tensor in tensors.items():
                saved = parameters[name]
                if shard is not None and name in self._sharded:
                    if name in OUTPUT_ROWS and self.world.rank == 0:
                        self._full_rows[name] = np.require(saved, requirements="W")
                    saved, tensor = saved[: shard.rows], tensor[:-1]
                tensor.copy_(torch.from_numpy(np.require(saved, requirements="W")))
        self._full_state = tuple(
            torch.from_numpy(np.array(arrays[name])).to(self.device) for name in carried
        )
        columns = slice(self.columns.own.start, self.columns.own.stop)
        self._state = tuple(part[:, columns] for part in self._full_state)

    def collect(self) -> None:
        """Collects the state and rows of all ranks; with several, call it before `state`."""
        carried = []
        for part in self._state:
            by_column = part.float().transpose(0, 1).cpu()  # columns first
            parts = self.world.gather(by_column.reshape(-1).numpy())
            rows = torch.from_numpy(np.concatenate(parts)).view(-1, *by_column.shape[1:])
            carried.append(rows.transpose(0, 1).to(self.device))
        self._full_state = tuple(carried)
        if self._shard is not None:
            for name, rows in self.model.named_parameters():
                if name in OUTPUT_ROWS:
                    self._full_rows[name] = self._shard.on_first(rows.detach()[:-1].cpu())

    def arrays(self) -> dict[str, np.ndarray]:
        """Returns all parameters by name; only on rank 0, as of the last `collect`."""
        return model_arrays(self.model) | self._full_rows

    @contextmanager
    def full_model(self) -> Iterator[Network]:
        """Yields the model with all rows of its output layer; only on rank 0, as of `collect`."""
        layer = self.model.output
        if self._shard is None or not isinstance(layer, FullLayer):
            yield self.model
            return
        own_rows, layer.shard = (layer.weight, layer.bias), None
        for name, rows in self._full_rows.items():
            part = nn.Parameter(torch.from_numpy(rows).to(self.device))
            setattr(layer, name.removeprefix("output."), part)
        try:
            yield self.model
        finally:
            layer.shard, layer.weight, layer.bias = self._shard, *own_rows

    def _tensors(self) -> dict[str, Tensor]:
        return {**dict(self.model.named_parameters()), **optimizers.states(self._optimizers)}

    def _optimizer(self, name: str, table: Tensor) -> RowOptimizer:
        table = table.detach()
        if self.config.training.optimizer == "adamw":
            # embeddings, biases and norms do not decay
            decays = name.startswith("body.") and table.dim() == 2
            return AdamW(table, self.config.lm.weight_decay if decays else 0.0)
        return optimizers.OPTIMIZERS[self.config.training.optimizer](table)

    def _step(self, start: int, stop: int, lr: float) -> float:
        """Takes a step on rows start … stop - 1; returns the sum of their losses, float64. Waits
        for a GPU once, to gather the gradients; adaptive softmax also waits once per segment."""
        total = torch.zeros((), dtype=torch.float64, device=self.device)
        lm = self.config.lm
        for begin in range(start, stop, lm.bptt):
            inputs, targets = self.columns.read(begin, min(begin + lm.bptt, stop))
            with working_precision(lm.precision, self.device), trusted_targets():
                rows, state = self.model.hidden(inputs, self._state)
                losses = self.model.output(rows.flatten(0, 1), targets.flatten())
            self._state = tuple(part.detach() for part in state)
            if self._shard is not None and self._shard.rows * lm.hidden >= LARGE:
                trim()  # the gradient of the rows comes on top of what was freed
            losses.sum().backward()
            total += losses.detach().sum(dtype=torch.float64)
        return self._update(total, lr, (stop - start) * self.columns.columns)

    @torch.no_grad()
    def _update(self, total: Tensor, lr: float, tokens: int) -> float:
        """Updates parameters by the gradients of a sum over `tokens` losses, after limiting the
        norm of their mean; returns the value of `total`."""
        named = dict(self.model.named_parameters())
        gradients, loss = optimizers.take_gradients_and_value(named.items(), total)
        of_rows: list[Gradient] = []
        if self._shard is not None:
            of_rows = [g for g in gradients if g.name in OUTPUT_ROWS]
            gradients = [g for g in gradients if g.name not in OUTPUT_ROWS]
        gradients = summed_over(self.world, gradients, named)
        scale: float | Tensor = 1 / tokens
        if clip := self.config.lm.clip:
            length = optimizers.norm(gradients).double() / tokens
            if self._shard is not None:
                sharded_norm = (optimizers.norm(of_rows).double() / tokens).item()
                length.fill_(math.hypot(length.item(), *self.world.agree([sharded_norm])[:, 0]))
            scale *= optimizers.clip_factor(length, clip)
        gradients += of_rows
        if isinstance(scale, float) and self.config.training.optimizer == "sgd":
            optimizers.update_all(self._optimizers, gradients, lr * scale)
        else:
            torch._foreach_mul_([gradient.values for gradient in gradients], scale)
            optimizers.update_all(self._optimizers, gradients, lr)
        return loss

    @contextmanager
    def isolated(self) -> Iterator[None]:
        """As `_enough_memory`; also restores PyTorch's settings and random state afterwards."""
        alone = self.world.size == 1
        with isolated_settings(self.device, self._threads, alone=alone), self._enough_memory():
            yield

    @contextmanager
    def _enough_memory(self) -> Iterator[None]:
        """Turns a full GPU memory or a missing compiler into a RunError with the remedy."""
        remedy = f"a smaller `batch_size` (now {self.columns.columns:,}) with `accumulate`"
        try:
            with enough_memory(self.device, f"{remedy}, a smaller `bptt`, `hidden` or `dim`"):
                yield
        except Exception as error:
            compiler = type(error).__module__.startswith(("torch._dynamo", "torch._inductor"))
            if not self.config.lm.compile or not compiler:
                raise
            problem = f"`compile` failed ({str(error).splitlines()[0][:120]})"
            needs = "a C++ compiler, and for a GPU Triton"
            raise RunError(f"{problem}: leave it out, or install {needs}") from error
