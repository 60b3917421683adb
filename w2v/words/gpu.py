"""The engine for losses that score few rows on a GPU, with Triton kernels. Windows are also formed
on the GPU.

The algorithm is that of `w2v.words.fused` with thousands of threads. Programs that run at the same
time read rows that others are changing. The changes are therefore damped as in the merge of
thread-own rows on the CPU, see `w2v.kernels.gpu.damping`. Subsampling keeps the same words, and
names and shapes of the state are the same, so each of the two engines can resume what the other has
saved.

If TRITON_INTERPRET=1 is set, Triton interprets the kernels on the CPU: slowly, and one program
after the other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from w2v.errors import InputError, RunError
from w2v.kernels.cpu.workspace import RowTables, whole_vectors
from w2v.kernels.gpu.damping import Damping, damping_by_rate
from w2v.kernels.gpu.launch import SCRATCH_BYTES, program_count, resident_programs, train_windows
from w2v.kernels.gpu.shape import variant_of
from w2v.kernels.gpu.tables import Parameters, RowSelection
from w2v.kernels.plan import LOG_Z_BIAS, NOISE, PATH, WORD_BIAS
from w2v.sampling.unigram import keep_probabilities, keep_thresholds
from w2v.settings.config import Config
from w2v.settings.groups import TRITON, WITHOUT_GPU
from w2v.system.memory import Demand, available_memory
from w2v.system.packages import interprets_triton
from w2v.training import engine
from w2v.training.device import (
    CUDA_LIBRARY_BYTES,
    LIBRARY_BYTES,
    enough_memory,
    find_device,
    free_memory,
    no_gpu,
)
from w2v.training.engine import MEASURED_SEED, Tally, WordEngine
from w2v.training.schedule import Block, Blocks, cut_blocks, sentence_limit
from w2v.words.fused import choice_bytes, plan_of
from w2v.words.inputs import Inputs
from w2v.words.windows import Reading, WindowReader, Windows

BLOCK_WORDS = 1 << 23  # stream positions per block; a large GPU takes 0.02-0.05 s for them
SHORTEST_BLOCK, INTERPRETED_BLOCK = 1000, 100  # fewest stream positions per block, in short runs
STEPS = 64  # fewest blocks of a longer run, so that the learning rate falls smoothly
POSITION_BYTES = 120  # device memory per stream position of a block; two blocks are held
HELD_BYTES = 8 << 30  # limit on the size of a text whose ids are all copied to the device
DAMPING_LEVELS = 100  # number of learning rates for which damping is computed
COPIED_ROWS = 1 << 16  # rows copied between machine and GPU at a time
LOG_Z = "output.log_z"  # name in the state; the kernel's table has -log Z
NOISE_SEED = 2**64 - 1  # flips the bits of a seed, so that noise words and windows are independent


def block_words(config: Config, length: int) -> int:
    """Returns the approximate number of stream positions in a block, for a text of `length`."""
    shortest = INTERPRETED_BLOCK if interprets_triton() else SHORTEST_BLOCK
    return max(shortest, min(BLOCK_WORDS, length * config.training.epochs // STEPS))


class TritonEngine(WordEngine):
    """Trains skip-gram and CBOW as `w2v.words.fused.HogwildEngine` does. Raises InputError if
    `device` names a missing GPU, and RunError if its memory is too small or the kernels cannot be
    compiled."""

    name = TRITON

    def __init__(
        self, config: Config, ids: np.ndarray, counts: np.ndarray, inputs: Inputs | None = None
    ) -> None:
        self.config, self.device = config, self.device_of(config)
        self._ids, self._counts, self._plan = engine.read_only(ids), counts, plan_of(config)
        self._limit = sentence_limit(config.corpus.max_sentence)
        self._variant = variant_of(config)
        keep = keep_probabilities(counts, config.training.sample)
        with self._on_device():
            self._parameters, self._selection = self._make_parameters(), self._make_selection()
            most = resident_programs(self._variant, self.device)
            sizes = self._variant, self.device, len(counts)
            in_flight = min(most, program_count(*sizes, block_words(config, len(ids))))
            noise = self._plan.negatives, self._plan.power
            words = self._variant, self._selection, counts, keep
            self._damping_at = damping_by_rate(*words, *noise, in_flight)
            self._damping: tuple[int, Damping] | None = None
            reading = config.model.window, self._limit, self.device
            thresholds = keep_thresholds(counts, config.training.sample)
            self._reader = WindowReader(self._ids, thresholds, *reading)
            if self.device.type == "cuda":
                self._reader.hold(min(HELD_BYTES, free_memory(self.device) // 2))
        self._blocks: Blocks | None = None
        # the block that is already being read, and the values of its reading's `numbers`
        self._ahead: tuple[Block, Reading, list[int]] | None = None

    def _make_parameters(self) -> Parameters:
        plan, words = self._plan, len(self._counts)
        stride = whole_vectors(self.config.model.dim)

        def zeros(*shape: int) -> Tensor:
            return torch.zeros(shape, device=self.device)

        return Parameters(
            input=zeros(words, stride),
            path=zeros(max(1, words - 1), stride) if plan.rows & PATH else None,
            noise=zeros(words, stride) if plan.rows & NOISE else None,
            bias=zeros(words) if plan.bias & WORD_BIAS else None,
            log_z=zeros(1) if plan.bias & LOG_Z_BIAS else None,
        )

    def _make_selection(self) -> RowSelection:
        noise, offsets, starts, steps = RowTables(self._plan, self._counts).arrays

        def on_device(array: np.ndarray) -> Tensor | None:
            return torch.from_numpy(array).to(self.device) if len(array) else None

        accept, alias = noise.astype(np.uint32), (noise.astype(np.int64) >> 32).astype(np.int32)
        return RowSelection(*map(on_device, (accept, alias, offsets, starts, steps)))

    @staticmethod
    def device_of(config: Config) -> torch.device:
        """Returns the device to train on. Raises InputError if PyTorch finds no GPU."""
        name = config.training.device
        if interprets_triton() and name in ("auto", "cpu"):
            return torch.device("cpu")
        device = find_device(name, WITHOUT_GPU)
        if device.type == "cpu":
            raise InputError(f"`engine` triton: {no_gpu()}; use `engine` hogwild")
        return device

    @classmethod
    def demands(cls, config: Config, vocabulary: int) -> list[Demand]:
        device, plan, dim = cls.device_of(config), plan_of(config), config.model.dim
        tables = 1 + bool(plan.rows & PATH) + bool(plan.rows & NOISE)
        choice = choice_bytes(plan, vocabulary)
        on_device = tables * vocabulary * 4 * (whole_vectors(dim) + 1) + choice
        on_device += POSITION_BYTES * block_words(config, 1 << 40)
        on_device += max(SCRATCH_BYTES, 4 * variant_of(config).scratch)  # at least one program's
        # copies for checkpoints, and the vectors at the start and when they are written
        copied = engine.copied_rows(config, vocabulary, 0, 1) + vocabulary
        # three times, because the damping factors are computed from these tables
        needed = 3 * choice + 4 * copied * dim
        if device.type == "cpu":
            return [Demand("memory", needed + LIBRARY_BYTES + on_device, available_memory())]
        return [
            Demand("memory", needed + CUDA_LIBRARY_BYTES, available_memory()),
            Demand(f"memory on {device}", on_device, free_memory(device)),
        ]

    @classmethod
    def describe(cls, config: Config) -> str:
        device = cls.device_of(config)
        return f"{device if device.type == 'cuda' else 'interpreted'}; engine {TRITON}"

    @classmethod
    def compile(cls, config: Config) -> None:
        """Compiles the kernels by training on a few words."""
        if interprets_triton():
            return
        config = replace(config, training=replace(config.training, sample=0.0))
        ids = np.array([0, 1, 0, 1, -1], np.int32)
        block = Block(0, 0, 0, len(ids), 0.0)
        try:
            small = cls(config, ids, np.ones(2, np.int64))
            small.train(block, config.training.lr)
            if config.validation.valid is not None:
                small.measure(ids, block)
        except (InputError, RunError):
            raise
        except Exception as error:  # Triton, its compilers and the driver raise many types
            why = (str(error).strip() or repr(error)).splitlines()[-1]
            problem = f"the kernels for {cls.device_of(config)} cannot be compiled ({why})"
            raise RunError(f"{problem}; use `engine` autograd, or {WITHOUT_GPU}") from error

    def warning(self) -> str | None:
        if self.device.type == "cuda":
            return None
        slow = "Triton's interpreter, which is for tests, takes seconds for a hundred words"
        return f"{slow}; to train without a GPU use `engine` hogwild"

    def bounds(self, ranks: int = 1) -> np.ndarray:
        """As in WordEngine; each block is trained by one launch of the kernel."""
        size = block_words(self.config, len(self._ids))
        bounds = cut_blocks(self._ids, size, self._limit)
        self._blocks = Blocks(bounds, self.config.training.epochs)
        return bounds

    def initialise(self) -> None:
        """As in WordEngine; the starting values are those of the CPU engine."""
        rows = np.empty((len(self._counts), self.config.model.dim), np.float32)
        engine.fill_starting_rows(rows, self.config.training.seed)
        self._fill(self._parameters.input, rows)
        if self._parameters.log_z is not None:
            self._parameters.log_z.fill_(-math.log(len(self._counts)))

    @property
    def vectors(self) -> np.ndarray:
        return self._array(self._parameters.input)

    @property
    def ngrams(self) -> np.ndarray | None:
        return None

    def train(self, block: Block, lr: float, thread: int = 0) -> Tally:
        """As in WordEngine. The next block is read by the GPU in the same call, so that the program
        waits for the GPU only once per block."""
        seed, ahead, self._ahead = self.config.training.seed, self._ahead, None
        with self._on_device():
            if ahead is None or ahead[0] != block:
                reading = self._begin(self._reader, block, seed)
                ahead = block, reading, reading.numbers.tolist()
            windows, next_block = ahead[1].windows(ahead[2]), self._next_block(block)
            sums = self._launch(windows, block, seed, lr)
            if next_block is None:
                return tally_of(windows, *sums.tolist())
            reading = self._begin(self._reader, next_block, seed)
            loss, predictions, *numbers = torch.cat([sums, reading.numbers]).tolist()
            self._ahead = next_block, reading, [int(number) for number in numbers]
            return tally_of(windows, loss, predictions)

    def measure(self, ids: np.ndarray, block: Block, thread: int = 0) -> Tally:
        with self._on_device():
            reading = self._begin(self._reader.over(ids), block, MEASURED_SEED)
            windows = reading.windows(reading.numbers.tolist())
            return tally_of(windows, *self._launch(windows, block, MEASURED_SEED, 0.0).tolist())

    def _begin(self, reader: WindowReader, block: Block, seed: int) -> Reading:
        key, block_seed = (int(number) for number in engine.block_seeds(seed, block))
        return reader.begin(block.start, block.stop, key, block_seed)

    def _launch(self, windows: Windows, block: Block, seed: int, lr: float) -> Tensor:
        """Starts the kernel and returns (loss, predictions) [2], without waiting for the GPU."""
        block_seed = int(engine.block_seeds(seed, block)[1])
        arguments = self._variant, self._parameters, self._selection, self._damped(lr), windows, lr
        return train_windows(*arguments, block_seed ^ NOISE_SEED)

    def _next_block(self, block: Block) -> Block | None:
        """Returns the block that follows in the run, or None if that is not known."""
        if self._blocks is None:
            return None
        number = block.epoch * self._blocks.per_epoch + block.index
        blocks = [self._blocks[i] for i in range(number, min(number + 2, len(self._blocks)))]
        return blocks[1] if len(blocks) == 2 and blocks[0] == block else None

    def _damped(self, lr: float) -> Damping:
        """Returns the damping factors for this learning rate, rounded up to one of DAMPING_LEVELS
        equal steps. They depend on nothing else, so that a resumed run has the same factors."""
        first = self.config.training.lr
        level = math.ceil(DAMPING_LEVELS * lr / first)
        if self._damping is None or self._damping[0] != level:
            self._damping = level, self._damping_at(first * level / DAMPING_LEVELS)
        return self._damping[1]

    def state(self) -> dict[str, np.ndarray]:
        arrays = {name: self._array(table) for name, table in self._named().items()}
        if LOG_Z in arrays:
            arrays[LOG_Z] = np.array(-arrays[LOG_Z][0])
        return arrays

    def load_state(self, arrays: Mapping[str, np.ndarray]) -> None:
        named, dim = self._named(), self.config.model.dim
        shapes = {name: (len(table), dim)[: table.dim()] for name, table in named.items()}
        if LOG_Z in shapes:
            shapes[LOG_Z] = ()
        zero = np.float32(0)
        engine.check_state(arrays, {name: np.broadcast_to(zero, s) for name, s in shapes.items()})
        for name, table in named.items():
            value = arrays[name]
            self._fill(table, -np.atleast_1d(value) if name == LOG_Z else value)

    def _named(self) -> dict[str, Tensor]:
        """Returns all tables, by their names in the state."""
        plan, rows = self._plan, self._parameters
        named = [
            ("input", rows.input),
            (f"output.{plan.path}", rows.path),
            (f"output.{plan.noise}", rows.noise),
            ("output.bias", rows.bias),
            (LOG_Z, rows.log_z),
        ]
        return {name: table for name, table in named if table is not None}

    def _array(self, table: Tensor) -> np.ndarray:
        """Returns a table without the padding of its rows; a view if it is in CPU memory."""
        rows = table[:, : self.config.model.dim] if table.dim() > 1 else table
        if self.device.type == "cpu":
            return rows.numpy()
        array = np.empty(rows.shape, np.float32)
        # in parts, because PyTorch would first copy all of it without padding on the GPU
        for start in range(0, len(array), COPIED_ROWS):
            part = slice(start, start + COPIED_ROWS)
            array[part] = rows[part].cpu().numpy()
        return array

    def _fill(self, table: Tensor, array: np.ndarray) -> None:
        """Copies an array without padding into a table on the device."""
        rows = table[:, : array.shape[1]] if table.dim() > 1 else table
        for start in range(0, len(array), COPIED_ROWS):
            part = slice(start, start + COPIED_ROWS)
            rows[part] = torch.from_numpy(np.array(array[part])).to(self.device)

    @contextmanager
    def _on_device(self) -> Iterator[None]:
        """Makes the engine's GPU the current one, which in a new thread is the first."""
        current = torch.cuda.device(self.device) if self.device.type == "cuda" else nullcontext()
        remedy = "a smaller `dim` or a larger `min_count`"
        with current, enough_memory(self.device, remedy, WITHOUT_GPU):
            yield


def tally_of(windows: Windows, loss: float, predictions: float) -> Tally:
    """Returns the tally of a block from its windows, loss and predictions."""
    words = windows.read, windows.rare, windows.dropped, windows.trained
    return Tally(loss, int(predictions), *words)
