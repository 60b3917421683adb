"""The engine of the language model: truncated backpropagation through time over contiguous batches.

A step takes the gradient of the mean loss over `accumulate` segments of `bptt` tokens in every
column, scales it down if its norm is above `clip`, and updates. The body's state is carried on from
segment to segment, without gradients, and starts anew with every epoch. Dropout and noise words
depend on (seed, epoch, block) alone.

Rows of the embedding, and of the output layers that score few rows, are updated only where a step
has used them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from w2v.errors import InputError, RunError
from w2v.lm.bodies.base import State
from w2v.lm.columns import Columns, Source
from w2v.lm.model import Network
from w2v.lm.precision import check_precision, working_precision
from w2v.settings.config import Config
from w2v.training.device import find_device
from w2v.training.engine import Engine, Tally, block_seeds, check_state
from w2v.training.gradients import gathered, norm
from w2v.training.optimizers import OPTIMIZERS, AdamW, RowOptimizer, Sgd
from w2v.training.schedule import Block

CARRY = "carry."  # begins the names of the body's state in a checkpoint


class LanguageModelEngine(Engine):
    """Trains a language model on the columns of a text.

    counts [V]: of the vocabulary, never increasing.

    Raises:
        InputError: the text is too short for the batch; the device or the precision is not there;
            the loss cannot be used with this vocabulary.
        RunError: the GPU's memory does not suffice.
    """

    name = "autograd"

    def __init__(self, config: Config, source: Source, counts: np.ndarray) -> None:
        self.config, self.device = config, find_device(config.training.device)
        check_precision(config.lm.precision, self.device)
        if self.device.type == "cpu":
            torch.set_num_threads(config.training.threads)
        batch = config.training.batch_size
        try:
            self.columns = Columns(source, batch)
        except ValueError:
            raise InputError(
                f"the corpus has {len(source.ids):,} tokens, line ends among them, and `batch_size`"
                f" {batch} needs {2 * batch:,}: two for each of its columns; give more text or a"
                " smaller `batch_size`"
            ) from None
        self._generator = torch.Generator(self.device)
        self._counts = torch.from_numpy(counts)
        with self._enough_memory():
            self.initialise()

    def initialise(self) -> None:
        """Starting values, by the seed; optimizers that have seen nothing."""
        config = self.config
        try:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(config.training.seed)
                self.model = Network(config, self._counts, generator=self._generator)
        except ValueError as error:
            raise InputError(
                f"`loss` {config.training.loss} with {len(self._counts):,} tokens: {error}"
            ) from error
        self.model.to(self.device).train()
        if config.lm.compile:
            self.model.body.compile()
        self._optimizers = {
            name: self._optimizer(name, table) for name, table in self.model.named_parameters()
        }
        self._state: State = ()

    def warm_up(self) -> None:
        """Compiles what is compiled at the first use, so that training's first step takes no longer
        than others."""
        with (
            torch.random.fork_rng([self.device] if self.device.type == "cuda" else []),
            self._enough_memory(),
        ):
            inputs = torch.zeros(
                self.config.lm.bptt, self.columns.columns, dtype=torch.int64, device=self.device
            )
            with working_precision(self.config.lm.precision, self.device):
                rows, _ = self.model.hidden(inputs, self.model.start(self.columns.columns))
            rows.sum().backward()
            gathered(self.model.named_parameters())

    @property
    def where(self) -> str:
        """What it trains with, for people."""
        if self.device.type == "cpu":
            return f"{self.config.training.threads} threads"
        return str(self.device)

    def bounds(self) -> np.ndarray:
        """Bounds [blocks + 1] of an epoch's blocks, in tokens."""
        return self.columns.bounds(self.config.lm.bptt, self.config.lm.accumulate)

    @property
    def vectors(self) -> np.ndarray:
        """[V, dim] float32, the input embeddings."""
        return self.model.input.weight.detach().cpu().numpy()

    def train(self, block: Block, lr: float, thread: int = 0) -> Tally:
        """Trains on the rows of one block at the learning rate `lr`.

        Raises:
            RunError: the GPU's memory does not suffice, or `compile` finds no compiler.
        """
        own = int(block_seeds(self.config.training.seed, block)[1]) >> 1
        self._generator.manual_seed(own)
        columns = self.columns.columns
        start, stop = block.start // columns, block.stop // columns
        with (
            torch.random.fork_rng([self.device] if self.device.type == "cuda" else []),
            self._enough_memory(),
        ):
            torch.manual_seed(own)
            if block.index == 0 or not self._state:
                self._state = self.model.start(columns)
            loss = torch.zeros((), dtype=torch.float64, device=self.device)
            step = self.config.lm.bptt * self.config.lm.accumulate
            for begin in range(start, stop, step):
                loss += self._step(begin, min(begin + step, stop), lr)
            tokens = block.stop - block.start
            self.columns.release(start, stop)
            return Tally(loss.item(), tokens, tokens, 0, 0, tokens)

    def state(self) -> dict[str, np.ndarray]:
        """Parameters by their names, optimizer.*: what the optimizers remember, carry.*: the body's
        state, as float32; views of them on the CPU."""
        tensors = {name: tensor.detach() for name, tensor in self._tensors().items()}
        tensors |= {f"{CARRY}{place}": part.float() for place, part in enumerate(self._state)}
        return {name: tensor.cpu().numpy() for name, tensor in tensors.items()}

    def load_state(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Goes on from what `state` returned. ValueError: names or shapes are not this engine's."""
        carried = sorted(name for name in arrays if name.startswith(CARRY))
        kept = {name: array for name, array in arrays.items() if name not in carried}
        tensors = self._tensors()
        check_state(kept, {name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()})
        start = {
            f"{CARRY}{place}": part
            for place, part in enumerate(self.model.start(self.columns.columns))
        }
        if carried and carried != sorted(start):
            raise ValueError(
                f"the state carries {', '.join(carried)}, the model {', '.join(sorted(start))}"
            )
        for name in carried:
            # where it starts from nothing, it may have grown
            shape, fits = (arrays[name].shape, start[name].shape)
            if (
                len(shape) != len(fits)
                or arrays[name].dtype != np.float32
                or any(length != other for length, other in zip(shape, fits, strict=True) if other)
            ):
                raise ValueError(
                    f"{name} is {arrays[name].dtype} {list(shape)}, the model starts from"
                    f" {list(fits)}"
                )
        with torch.no_grad():
            for name, tensor in tensors.items():
                tensor.copy_(torch.from_numpy(np.array(kept[name])))
        self._state = tuple(
            torch.from_numpy(np.array(arrays[name])).to(self.device) for name in carried
        )

    def _tensors(self) -> dict[str, Tensor]:
        tensors: dict[str, Tensor] = dict(self.model.named_parameters())
        for name, optimizer in self._optimizers.items():
            tensors |= {
                f"optimizer.{name}.{part}": tensor for part, tensor in optimizer.state().items()
            }
        return tensors

    def _optimizer(self, name: str, table: Tensor) -> RowOptimizer:
        table = table.detach()
        if self.config.training.optimizer == "adamw":
            # the rows of words, biases and norms keep their lengths
            decays = name.startswith("body.") and table.dim() == 2
            return AdamW(table, self.config.lm.weight_decay if decays else 0.0)
        return OPTIMIZERS[self.config.training.optimizer](table)

    def _step(self, start: int, stop: int, lr: float) -> Tensor:
        """One step on the rows start … stop - 1; the sum of their losses, float64."""
        total = torch.zeros((), dtype=torch.float64, device=self.device)
        for begin in range(start, stop, self.config.lm.bptt):
            inputs, targets = self.columns.read(begin, min(begin + self.config.lm.bptt, stop))
            inputs, targets = inputs.to(self.device), targets.to(self.device)
            with working_precision(self.config.lm.precision, self.device):
                rows, state = self.model.hidden(inputs, self._state)
                losses = self.model.output(rows.flatten(0, 1), targets.flatten())
            self._state = self.model.detach(state)
            losses.sum().backward()
            total += losses.detach().sum(dtype=torch.float64)
        self._update(lr, (stop - start) * self.columns.columns)
        return total

    @torch.no_grad()
    def _update(self, lr: float, tokens: int) -> None:
        """Updates by the gradients of a sum over `tokens` losses, of whose mean the norm is
        limited."""
        gradients = gathered(self.model.named_parameters())
        scale = 1 / tokens
        if clip := self.config.lm.clip:
            length = norm(gradients).item() / tokens
            # a norm that is no number shows in the next loss
            scale *= min(1.0, clip / length) if length > 0 else 1.0
        for gradient in gradients:
            optimizer = self._optimizers[gradient.name]
            if isinstance(optimizer, Sgd):
                optimizer.update(gradient.values, lr * scale, gradient.rows)
            else:
                optimizer.update(gradient.values.mul_(scale), lr, gradient.rows)

    @contextmanager
    def _enough_memory(self) -> Iterator[None]:
        """A GPU's full memory, and a missing compiler, become RunErrors that say what helps."""
        try:
            yield
        except torch.cuda.OutOfMemoryError as error:
            raise RunError(
                f"the memory of {self.device} does not suffice; try a smaller `batch_size` (now"
                f" {self.columns.columns:,}) with `accumulate`, a smaller `bptt`, `hidden` or `dim`"
            ) from error
        except Exception as error:
            if self.config.lm.compile and type(error).__module__.startswith(
                ("torch._dynamo", "torch._inductor")
            ):
                raise RunError(
                    f"`compile` failed ({str(error).splitlines()[0][:120]}): leave it out, or"
                    " install a C++ compiler"
                ) from error
            raise
