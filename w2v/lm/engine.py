"""The engine of the language model: truncated backpropagation through time over contiguous batches.

A step takes the gradient of the mean loss over `accumulate` segments of `bptt` tokens in every
column, scales it down if its norm is above `clip`, and updates. The body's state is carried on from
segment to segment, without gradients, and starts anew with every epoch. Dropout and noise words
depend on (seed, epoch, block) alone.

Rows of the embedding, and of the output layers that score few rows, are updated only where a step
has used them.

Over ranks each trains its part of the columns, and the gradients are summed before the norm is
taken: what comes out is that of one process, to rounding, but for dropout, which every rank draws
by itself. The rows of an output layer are dealt out to the ranks (`w2v.losses.sharded`) where that
moves fewer bytes than their gradients, but never tied ones, nor those of hsigmoid and adaptive
softmax; rank 0 gets all of them before they are measured or saved.
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
from w2v.lm.dealing import deals_out
from w2v.lm.model import Network
from w2v.lm.precision import check_precision, working_precision
from w2v.lm.saved import model_arrays
from w2v.losses.math.numbers import promised
from w2v.losses.sharded import Shard
from w2v.losses.softmax import FullLayer
from w2v.settings.config import Config
from w2v.system.memory import trim
from w2v.training import optimizers
from w2v.training.device import enough_memory, find_device
from w2v.training.engine import Engine, Part, Tally, block_seeds, check_state
from w2v.training.optimizers import AdamW, Gradient, RowOptimizer
from w2v.training.ranked import summed_over
from w2v.training.schedule import Block
from w2v.training.world import World

CARRY = "carry."  # begins the names of the body's state in a checkpoint
LARGE = 1 << 24  # numbers in the dealt rows, 64 MB: makes room for their gradient
OUTPUT_ROWS = "output.weight", "output.bias"  # the parameters that can be dealt out


class LanguageModelEngine(Engine):
    """Trains a language model on the columns of a text; counts [V]: of the vocabulary, never
    increasing. Raises InputError where the text is too short for the batch, the device or the
    precision is not there, or the loss cannot be used with this vocabulary, RunError where the
    GPU's memory does not suffice."""

    name = "autograd"

    def __init__(
        self, config: Config, source: Source, counts: np.ndarray, world: World | None = None
    ) -> None:
        self.config, self.device = config, find_device(config.training.device)
        self.world = world or World.alone()
        check_precision(config.lm.precision, self.device)
        if self.device.type == "cpu":
            torch.set_num_threads(config.training.threads)
        self.columns = Columns(source, config.training.batch_size, self.world.rank, self.world.size)
        self._generator = torch.Generator()  # a step's noise words are few
        self._counts = torch.from_numpy(counts)
        with self._enough_memory():
            self.columns.send(self.device, len(counts))
            self.initialise()

    def initialise(self) -> None:
        """Starting values, by the seed; optimizers that have seen nothing."""
        config, self._shard = self.config, None
        if deals_out(config, len(self._counts), self.world.size):
            self._shard = Shard.of(self.world, len(self._counts))
        given: Any = {"generator": self._generator, "shard": self._shard}
        try:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(config.training.seed)
                self.model = Network(config, self._counts, **given)
        except ValueError as error:
            loss, tokens = config.training.loss, len(self._counts)
            raise InputError(f"`loss` {loss} with {tokens:,} tokens: {error}") from error
        self.model.to(self.device).train()
        if config.lm.compile:
            self.model.body.compile()
        self._optimizers = {
            name: self._optimizer(name, table) for name, table in self.model.named_parameters()
        }
        self._dealt = {  # the tensors of dealt rows, and of what is remembered of them
            name
            for name, tensor in self._tensors().items()
            if self._shard is not None
            and tensor.dim()
            and name.removeprefix("optimizer.").startswith(OUTPUT_ROWS)
        }
        self._state: State = ()
        # of all columns, and on rank 0 all rows, where other ranks hold some; there for a while
        self._whole: State | None = None
        self._rows: dict[str, np.ndarray] = {}

    def warm_up(self) -> None:
        """Compiles what is compiled at the first use, so that training's first step takes no longer
        than others."""
        lm, columns = self.config.lm, len(self.columns.own)
        with self._aside():
            inputs = torch.zeros(lm.bptt, columns, dtype=torch.int64, device=self.device)
            with working_precision(lm.precision, self.device):
                rows, _ = self.model.hidden(inputs, self.model.start(columns))
            rows.sum().backward()  # type: ignore[no-untyped-call]
            optimizers.gathered(self.model.named_parameters())

    @property
    def where(self) -> str:
        """What it trains with, for people."""
        threads, on_cpu = self.config.training.threads, self.device.type == "cpu"
        return f"{threads} threads" if on_cpu else str(self.device)

    def bounds(self) -> np.ndarray:
        return self.columns.bounds(self.config.lm.bptt, self.config.lm.accumulate)

    @property
    def vectors(self) -> np.ndarray:
        return self.model.input.weight.detach().cpu().numpy()

    def train(self, block: Block, lr: float, thread: int = 0) -> Tally:
        own = int(block_seeds(self.config.training.seed, block)[1]) >> 1
        self._generator.manual_seed(own)
        start, stop = (at // self.columns.columns for at in (block.start, block.stop))
        with self._aside():
            torch.manual_seed(own + self.world.rank)  # of dropout
            self._whole, self._rows = None, {}
            if block.index == 0 or not self._state:
                self._state = self.model.start(len(self.columns.own))
            loss, step = 0.0, self.config.lm.bptt * self.config.lm.accumulate
            for begin in range(start, stop, step):
                loss += self._step(begin, min(begin + step, stop), lr)
            tokens = (stop - start) * len(self.columns.own)
            self.columns.release(start, stop)
            return Tally(loss, tokens, tokens, 0, 0, tokens)

    def state(self) -> dict[str, np.ndarray]:
        """As of all engines, parameters by their names; and carry.*: the body's state, float32."""
        named = self._tensors().items()
        tensors = {name: each.detach() for name, each in named if name not in self._dealt}
        carried = self._state if self._whole is None else self._whole
        tensors |= {f"{CARRY}{place}": part.float() for place, part in enumerate(carried)}
        return {name: tensor.cpu().numpy() for name, tensor in tensors.items()}

    def part(self) -> Part | None:
        """The output rows that are here, and what the optimizers remember of them."""
        if self._shard is None:
            return None
        tensors = self._tensors()
        own = {name: tensors[name].detach()[:-1].cpu().numpy() for name in sorted(self._dealt)}
        return Part(self._shard.low, self._shard.high, own)

    def load_state(self, arrays: Mapping[str, np.ndarray]) -> None:
        carried = sorted(name for name in arrays if name.startswith(CARRY))
        kept = {name: array for name, array in arrays.items() if name not in carried}
        tensors = self._tensors()
        shard, expected = self._shard, {}
        for name, tensor in tensors.items():
            expected[name] = tensor.detach().cpu().numpy()
            if shard is not None and name in self._dealt:
                many = shard.rows if self.world.rank else shard.classes  # as `own_rows` says
                expected[name] = np.broadcast_to(expected[name][:1], (many, *tensor.shape[1:]))
        check_state(kept, expected)
        start = self.model.start(self.columns.columns)
        names = [f"{CARRY}{place}" for place in range(len(start))]
        if carried and carried != names:
            raise ValueError(
                f"the state carries {', '.join(carried)}, the model {', '.join(names)}"
            )
        for name, part in zip(carried, start, strict=False):
            # where it starts from nothing, it may have grown
            array, pairs = arrays[name], zip(arrays[name].shape, part.shape, strict=False)
            fits = all(length == other or not other for length, other in pairs)
            if array.ndim != part.ndim or array.dtype != np.float32 or not fits:
                found = f"{array.dtype} {[*array.shape]}"
                raise ValueError(f"{name} is {found}, the model starts from {[*part.shape]}")
        with torch.no_grad():
            for name, tensor in tensors.items():
                given = kept[name]
                if shard is not None and name in self._dealt:
                    if name in OUTPUT_ROWS and self.world.rank == 0:
                        self._rows[name] = np.require(given, requirements="W")
                    given, tensor = given[: shard.rows], tensor[:-1]
                tensor.copy_(torch.from_numpy(np.require(given, requirements="W")))
        self._whole = tuple(
            torch.from_numpy(np.array(arrays[name])).to(self.device) for name in carried
        )
        own = slice(self.columns.own.start, self.columns.own.stop)
        self._state = tuple(part[:, own] for part in self._whole)

    def collect(self) -> None:
        """Over ranks, before `state` is asked: puts together what each of them carries on."""
        whole = []
        for part in self._state:
            turned = part.float().transpose(0, 1).cpu()  # columns first
            found = self.world.gather(turned.reshape(-1).numpy())
            rows = torch.from_numpy(np.concatenate(found)).view(-1, *turned.shape[1:])
            whole.append(rows.transpose(0, 1).to(self.device))
        self._whole = tuple(whole)
        if self._shard is not None:
            for name, rows in self.model.named_parameters():
                if name in OUTPUT_ROWS:
                    self._rows[name] = self._shard.on_first(rows.detach()[:-1].cpu())

    def arrays(self) -> dict[str, np.ndarray]:
        """On rank 0, since the last `collect`: all parameters by their names."""
        return model_arrays(self.model) | self._rows

    @contextmanager
    def whole(self) -> Iterator[Network]:
        """On rank 0, since the last `collect`: the model with all rows of its output layer."""
        layer = self.model.output
        if self._shard is None or not isinstance(layer, FullLayer):
            yield self.model
            return
        dealt, layer.shard = (layer.weight, layer.bias), None
        for name, rows in self._rows.items():
            part = nn.Parameter(torch.from_numpy(rows).to(self.device))
            setattr(layer, name.removeprefix("output."), part)
        try:
            yield self.model
        finally:
            layer.shard, layer.weight, layer.bias = self._shard, *dealt

    def _tensors(self) -> dict[str, Tensor]:
        return {**dict(self.model.named_parameters()), **optimizers.states(self._optimizers)}

    def _optimizer(self, name: str, table: Tensor) -> RowOptimizer:
        table = table.detach()
        if self.config.training.optimizer == "adamw":
            # the rows of words, biases and norms keep their lengths
            decays = name.startswith("body.") and table.dim() == 2
            return AdamW(table, self.config.lm.weight_decay if decays else 0.0)
        return optimizers.OPTIMIZERS[self.config.training.optimizer](table)

    def _step(self, start: int, stop: int, lr: float) -> float:
        """One step on the rows start … stop - 1; the sum of their losses, float64. A GPU is waited
        for once, when the gradients are gathered, and by adaptive softmax once a segment."""
        total = torch.zeros((), dtype=torch.float64, device=self.device)
        lm = self.config.lm
        for begin in range(start, stop, lm.bptt):
            inputs, targets = self.columns.read(begin, min(begin + lm.bptt, stop))
            with working_precision(lm.precision, self.device), promised():
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
        """Updates by the gradients of a sum over `tokens` losses, of whose mean the norm is
        limited; returns the value of the `total`."""
        named = dict(self.model.named_parameters())
        gradients, loss = optimizers.gathered_with(named.items(), total)
        of_rows: list[Gradient] = []
        if self._shard is not None:
            of_rows = [each for each in gradients if each.name in OUTPUT_ROWS]
            gradients = [each for each in gradients if each.name not in OUTPUT_ROWS]
        gradients = summed_over(self.world, gradients, named)
        scale: float | Tensor = 1 / tokens
        if clip := self.config.lm.clip:
            length = optimizers.norm(gradients).double() / tokens
            if self._shard is not None:
                there = (optimizers.norm(of_rows).double() / tokens).item()
                length.fill_(math.hypot(length.item(), *self.world.agree([there])[:, 0]))
            scale *= optimizers.shortening(length, clip)
        gradients += of_rows
        if isinstance(scale, float) and self.config.training.optimizer == "sgd":
            optimizers.update_all(self._optimizers, gradients, lr * scale)
        else:
            torch._foreach_mul_([gradient.values for gradient in gradients], scale)
            optimizers.update_all(self._optimizers, gradients, lr)
        return loss

    @contextmanager
    def _aside(self) -> Iterator[None]:
        """As `_enough_memory`; what is drawn inside changes nobody else's random numbers."""
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices), self._enough_memory():
            yield

    @contextmanager
    def _enough_memory(self) -> Iterator[None]:
        """A GPU's full memory, and a missing compiler, become RunErrors that say what helps."""
        remedy = f"a smaller `batch_size` (now {self.columns.columns:,}) with `accumulate`"
        try:
            with enough_memory(self.device, f"{remedy}, a smaller `bptt`, `hidden` or `dim`"):
                yield
        except Exception as error:
            compiler = type(error).__module__.startswith(("torch._dynamo", "torch._inductor"))
            if not self.config.lm.compile or not compiler:
                raise
            what = f"`compile` failed ({str(error).splitlines()[0][:120]})"
            needs = "a C++ compiler, for a GPU Triton too"
            raise RunError(f"{what}: leave it out, or install {needs}") from error
