"""What all engines share: the interface to the trainer, the tally of a block, starting vectors,
random seeds."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from w2v.errors import InputError
from w2v.settings.config import Config
from w2v.system.json import real_number, whole_number
from w2v.system.memory import Demand
from w2v.training.schedule import Block
from w2v.training.world import World

if TYPE_CHECKING:
    from w2v.training.shared_rows import SharedTable

INIT_ROWS = 1024  # rows filled at a time
# seed of measurements; independent of `seed`, so that the figures of different runs are comparable
MEASURED_SEED = 0


@dataclass
class Tally:
    """Counts of one or more blocks: loss (nats, summed over the predictions), predictions (pairs of
    a context word and a target), words: read = rare (not in the vocabulary) + dropped + trained."""

    loss: float = 0.0
    predictions: int = 0
    read: int = 0
    rare: int = 0
    dropped: int = 0
    trained: int = 0

    def add(self, other: Tally) -> None:
        """Adds another tally to this one, in place."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Tally:
        """Returns the tally whose fields a checkpoint holds. Raises ValueError, KeyError or
        TypeError if fields are missing, are not numbers or do not add up."""
        names = [field.name for field in fields(cls) if field.name != "loss"]
        tally = cls(real_number(state["loss"]), *(whole_number(state[name]) for name in names))
        if tally.read != tally.rare + tally.dropped + tally.trained:
            problem = "words read are not the sum of those left out, subsampled and trained"
            raise ValueError(f"{tally.read:,} {problem}")
        return tally

    @property
    def mean_loss(self) -> float:
        """Nats per prediction; NaN without predictions."""
        return self.loss / self.predictions if self.predictions else math.nan


@dataclass(frozen=True)
class Part:
    """Rows low … high - 1 of tensors that are sharded over ranks."""

    low: int
    high: int
    tensors: Mapping[str, np.ndarray]


class Engine(ABC):
    """Trains blocks. `train` runs in `threads` threads at once, each with its own number.

    in_rounds: each thread trains one block, then `end_round` merges what they have learnt, so that
    the result does not depend on the speed of the threads.
    """

    name: str
    threads = 1
    in_rounds = False
    world = World.alone()  # or the ranks, if they train every block together

    @abstractmethod
    def bounds(self) -> np.ndarray:
        """Returns the bounds [blocks + 1] of an epoch's blocks in the stream of ids."""

    @abstractmethod
    def initialise(self) -> None:
        """Sets the starting values."""

    @abstractmethod
    def train(self, block: Block, lr: float, thread: int) -> Tally:
        """Trains on one block with learning rate `lr`."""

    def end_round(self, blocks: int) -> None:  # noqa: B027  most engines have one thread
        """In rounds, with all threads paused: merges what the first `blocks` threads have learnt
        since the last round."""

    def close(self) -> None:  # noqa: B027  most engines have no threads of their own
        """Ends the engine's own threads."""

    @property
    @abstractmethod
    def vectors(self) -> np.ndarray:
        """The input matrix [V, dim] float32."""

    @abstractmethod
    def state(self) -> Mapping[str, np.ndarray]:
        """Returns everything that training changes, by name and unpadded; views if possible. All
        threads must be paused.

        input [V, dim]; output.* as in the layer's state_dict; optimizer.* the optimizers' state.
        """

    def part(self) -> Part | None:
        """Returns the part of the state that only this rank has and `state` omits, or None. All
        threads must be paused."""
        return None

    @abstractmethod
    def load_state(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Restores what `state`, and `part` of all ranks, returned. Raises ValueError if names or
        shapes are not those of this engine."""


class WordEngine(Engine):
    """An engine of word vectors, which can also measure its loss on another text.

    Arguments: a configuration; the int32 stream of ids, with -1 at line ends (ids >= V are
    skipped); the counts [V] of the vocabulary, in descending order; and the n-grams of the words,
    see `w2v.words.inputs`.
    """

    config: Config

    @abstractmethod
    def __init__(
        self, config: Config, ids: np.ndarray, counts: np.ndarray, inputs: Any
    ) -> None: ...

    @abstractmethod
    def bounds(self, ranks: int = 1) -> np.ndarray:
        """As in Engine, for a run of `ranks` ranks."""

    def shared_tables(self) -> list[SharedTable] | None:
        """Returns the tables of which each rank trains its own copy, or None if ranks do not work
        that way."""
        return None

    @classmethod
    @abstractmethod
    def demands(cls, config: Config, vocabulary: int) -> list[Demand]:
        """Returns the memory needed for V = vocabulary; the last demand is that of the training
        device."""

    @classmethod
    @abstractmethod
    def describe(cls, config: Config) -> str:
        """Returns a description of the engine and its device or threads, for messages."""

    @classmethod
    def compile(cls, config: Config) -> None:
        """Compiles the kernels, if the engine has any; called before an engine is made."""

    @property
    @abstractmethod
    def ngrams(self) -> np.ndarray | None:
        """The n-gram rows [rows, dim] float32, or None if words have no n-grams."""

    def learnt(self) -> dict[str, np.ndarray]:
        """Returns the trained arrays: vectors, n-grams (if there are any) and the words' output
        rows (if `vectors` needs them); views if possible."""
        arrays, ngrams = {"vectors": self.vectors}, self.ngrams
        if ngrams is not None:
            arrays["ngrams"] = ngrams
        if self.config.model.vectors != "input":
            plan = self.config.loss.plan()
            arrays["output"] = self.state()[f"output.{plan.noise if plan else 'weight'}"]
        return arrays

    def warning(self) -> str | None:
        """Returns a sentence for the user if the run will be slow, else None."""
        return None

    @abstractmethod
    def measure(self, ids: np.ndarray, block: Block, thread: int) -> Tally:
        """Returns the tally that `train` would return for a block of the text `ids` (see
        `read_only`), which has the same vocabulary. Training must be paused.

        Windows, subsampling and noise words depend only on MEASURED_SEED and the block's index, so
        they are equal every time. The state of training is not changed. `threads` threads may
        measure at once, each with its own number.
        """

    def freeze(self, rows: np.ndarray) -> None:
        """Freezes the input rows whose entry in `rows` [V] uint8 is 1. Raises InputError if this
        engine does not support that."""
        raise InputError(f"`engine` {self.name} cannot do `freeze`: use `engine` autograd")


def blind_loss(config: Config, vocabulary: int) -> float:
    """Returns a rough estimate of an untrained model's loss in nats per prediction, for V =
    vocabulary. It is rather too high: the numbers among the loss's own settings (margins, scales,
    noise words) are all added to log V + 1."""
    nats = math.log(vocabulary) + 1
    for value in vars(config.loss).values():
        with suppress(TypeError, ValueError):  # a setting that is not a number
            nats += abs(float(value))
    return nats


def copied_rows(config: Config, vocabulary: int, ngrams: int, matrices: int) -> int:
    """Returns how many rows of `dim` numbers are held twice: copies for checkpoints (two matrices
    and that of the n-grams, with `matrices` - 1 rows of the optimizer each) and of the best epoch;
    n-grams taken over by `init`, and vectors composed of several rows."""
    saved = config.checkpoints.checkpoint_every is not None
    best = 1 + saved if config.validation.patience else 0
    composed = vocabulary * bool(ngrams) + ngrams * (config.start.init is not None)
    if config.model.vectors != "input" or config.model.centre:
        composed += vocabulary * (4 if config.model.vectors == "both" else 2)
    composed += vocabulary * config.model.components // config.model.dim
    return (
        (vocabulary + ngrams) * (matrices * saved + best) + vocabulary * matrices * saved + composed
    )


def check_state(arrays: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]) -> None:
    """Raises ValueError unless names, shapes and types of a state are those `expected`."""
    if differing := sorted(set(arrays) ^ set(expected)):
        verb = "lacks" if differing[0] in expected else "has an unknown"
        raise ValueError(f"the state {verb} {differing[0]!r}")
    for name, array in expected.items():
        saved = arrays[name]
        if (saved.shape, saved.dtype) != (array.shape, array.dtype):
            kind, right = (f"{a.dtype} {[*a.shape]}" for a in (saved, array))
            raise ValueError(f"{name} is {kind} in the state, but {right} in this model")


def fill_starting_rows(rows: np.ndarray, seed: int) -> None:
    """Fills input rows [V, dim] uniformly in ±0.25 / sqrt(dim); output rows start at 0.

    word2vec.c starts closer to 0, in ±0.5 / dim, where both gradients nearly vanish.
    """
    random = np.random.Generator(np.random.PCG64(seed))
    reach = np.float32(0.5 / math.sqrt(rows.shape[1]))
    for start in range(0, len(rows), INIT_ROWS):
        part = rows[start : start + INIT_ROWS]
        part[:] = (random.random(part.shape, np.float32) - np.float32(0.5)) * reach


def block_seeds(seed: int, block: Block) -> tuple[np.uint64, np.uint64]:
    """Returns the seed of subsampling, one per epoch, and the seed of all else in the block."""
    of_epoch = np.random.SeedSequence([seed, 0, block.epoch])
    of_block = np.random.SeedSequence([seed, 1, block.epoch, block.index])
    return of_epoch.generate_state(1, np.uint64)[0], of_block.generate_state(1, np.uint64)[0]


def read_only(ids: np.ndarray) -> np.ndarray:
    """Returns a plain read-only view of a stream of ids, so that the kernel sees a single type
    whether or not the stream is memory-mapped."""
    view = np.asarray(ids).view()
    view.flags.writeable = False
    return view
