"""What every engine has in common: its face to the trainer, the tally of a block, starting vectors,
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
# of what is random in a measurement, whatever `seed`: figures of several runs can be compared
MEASURED_SEED = 0


@dataclass
class Tally:
    """What happened in one or more blocks: loss (nats, summed over the predictions), predictions
    (pairs of a context word and a target), words by fate."""

    loss: float = 0.0
    predictions: int = 0
    read: int = 0
    rare: int = 0
    dropped: int = 0
    trained: int = 0

    def add(self, other: Tally) -> None:
        """Adds another tally to this one."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Tally:
        """Returns the tally whose fields a checkpoint holds; ValueError, KeyError or TypeError if
        they are others, or no numbers."""
        names = [field.name for field in fields(cls) if field.name != "loss"]
        found = cls(real_number(state["loss"]), *(whole_number(state[name]) for name in names))
        if found.read != found.rare + found.dropped + found.trained:
            what = "words read are not those left out, subsampled and trained"
            raise ValueError(f"{found.read:,} {what}")
        return found

    @property
    def mean_loss(self) -> float:
        """Nats per prediction; nan without a prediction."""
        return self.loss / self.predictions if self.predictions else math.nan


@dataclass(frozen=True)
class Part:
    """Rows low … high - 1 of some tensors."""

    low: int
    high: int
    tensors: Mapping[str, np.ndarray]


class Engine(ABC):
    """What trains blocks; `train` runs in `threads` threads at once, each with its own number.

    in_rounds: every thread trains one block, then `end_round` puts together what they learnt; so
    the outcome does not depend on how fast the threads are.
    """

    name: str
    threads = 1
    in_rounds = False
    world = World.alone()  # where all ranks train every block together: those

    @abstractmethod
    def bounds(self) -> np.ndarray:
        """Returns the bounds [blocks + 1] of an epoch's blocks in the stream of ids."""

    @abstractmethod
    def initialise(self) -> None:
        """Sets the starting values."""

    @abstractmethod
    def train(self, block: Block, lr: float, thread: int) -> Tally:
        """Trains on one block at the learning rate `lr`."""

    def end_round(self, blocks: int) -> None:  # noqa: B027  most engines have one thread
        """In rounds, with all threads at rest: puts together what the first `blocks` threads learnt
        since the last."""

    def close(self) -> None:  # noqa: B027  most engines have no threads of their own
        """Ends the threads of its own."""

    @property
    @abstractmethod
    def vectors(self) -> np.ndarray:
        """[V, dim] float32, the input matrix."""

    @abstractmethod
    def state(self) -> Mapping[str, np.ndarray]:
        """With all threads at rest: returns everything that training changes, by name, unpadded;
        views where possible.

        input [V, dim]; output.* as in the layer's state_dict; optimizer.* what the optimizers
        remember.
        """

    def part(self) -> Part | None:
        """With all threads at rest: returns what of the state this rank alone has, which `state`
        leaves out."""
        return None

    @abstractmethod
    def load_state(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Goes on from what `state` returned, and `part` of all ranks. ValueError: names or shapes
        are not this engine's."""


class WordEngine(Engine):
    """An engine of word vectors, which can also look at another text.

    Made of a configuration, the int32 stream of ids, -1 at line ends (ids >= V are skipped), the
    counts [V] of the vocabulary, never increasing, and what words consist of, see
    `w2v.words.inputs`.
    """

    config: Config

    @abstractmethod
    def __init__(
        self, config: Config, ids: np.ndarray, counts: np.ndarray, inputs: Any
    ) -> None: ...

    @abstractmethod
    def bounds(self, ranks: int = 1) -> np.ndarray:
        """Returns the same for a run of so many ranks."""

    def shared_tables(self) -> list[SharedTable] | None:
        """Returns what every rank has its own copy of and trains by itself, if that is how several
        of them work."""
        return None

    @classmethod
    @abstractmethod
    def demands(cls, config: Config, vocabulary: int) -> list[Demand]:
        """Returns what it will allocate for V = vocabulary, where; the last is where training
        happens."""

    @classmethod
    @abstractmethod
    def how(cls, config: Config) -> str:
        """Returns what it trains with, for people."""

    @classmethod
    def compile(cls, config: Config) -> None:
        """Compiles what can be compiled before there is an engine."""

    @property
    @abstractmethod
    def ngrams(self) -> np.ndarray | None:
        """[rows, dim] float32, what n-grams have, where words are made of such."""

    def learnt(self) -> dict[str, np.ndarray]:
        """Returns what comes out: vectors, n-grams where there are such, and the words' output
        rows where `vectors` asks for them; views where possible."""
        found, ngrams = {"vectors": self.vectors}, self.ngrams
        if ngrams is not None:
            found["ngrams"] = ngrams
        if self.config.model.vectors != "input":
            plan = self.config.loss.plan()
            found["output"] = self.state()[f"output.{plan.noise if plan else 'weight'}"]
        return found

    def warning(self) -> str | None:
        """Returns a sentence about what the run will cost, if that is a lot."""
        return None

    @abstractmethod
    def measure(self, ids: np.ndarray, block: Block, thread: int) -> Tally:
        """With training at rest: returns what `train` would find in a block of the text `ids` (see
        `read_only`), whose ids are those of the engine's own text.

        Windows, sub-sampling and noise words come from MEASURED_SEED and the block's index: the
        same ones every time. Nothing that training goes on from is changed. `threads` threads may
        measure at once, each with its own number.
        """

    def freeze(self, rows: np.ndarray) -> None:
        """Leaves input rows as they are from now on: those where `rows` [V] uint8 is 1. Raises
        InputError if this engine cannot: a configuration that asks it for that is refused."""
        raise InputError(f"`engine` {self.name} cannot do `freeze`: use `engine` autograd")


def blind_loss(config: Config, vocabulary: int) -> float:
    """Returns about what a prediction among V = vocabulary words costs, in nats, while nothing is
    learnt; more rather than less, for margins, scales and noise words all add to it."""
    nats = math.log(vocabulary) + 1
    for value in vars(config.loss).values():
        with suppress(TypeError, ValueError):  # a setting that is no number
            nats += abs(float(value))
    return nats


def copied_rows(config: Config, vocabulary: int, ngrams: int, matrices: int) -> int:
    """Returns how many rows of `dim` numbers are held twice: copied for checkpoints, two matrices
    and that of the n-grams with `matrices` - 1 rows of their optimizers each, and those of the best
    epoch; n-grams that `init` brings along, and vectors that are made of several rows."""
    saved = config.checkpoints.checkpoint_every is not None
    kept = 1 + saved if config.validation.patience else 0
    composed = vocabulary * bool(ngrams) + ngrams * (config.start.init is not None)
    if config.model.vectors != "input" or config.model.centre:
        composed += vocabulary * (4 if config.model.vectors == "both" else 2)
    return (
        (vocabulary + ngrams) * (matrices * saved + kept) + vocabulary * matrices * saved + composed
    )


def check_state(arrays: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]) -> None:
    """Refuses with a ValueError a state whose names, shapes or types are not those `expected`."""
    if odd := sorted(set(arrays) ^ set(expected)):
        what = "lacks" if odd[0] in expected else "has an unknown"
        raise ValueError(f"the state {what} {odd[0]!r}")
    for name, array in expected.items():
        found = arrays[name]
        if (found.shape, found.dtype) != (array.shape, array.dtype):
            there, here = (f"{each.dtype} {[*each.shape]}" for each in (found, array))
            raise ValueError(f"{name} is {there} in the state, here {here}")


def fill_starting_rows(rows: np.ndarray, seed: int) -> None:
    """Fills input rows [V, dim] uniformly in ±0.25 / sqrt(dim); output rows start at 0.

    word2vec.c starts nearer to 0, ±0.5 / dim, where both matrices' gradients almost vanish.
    """
    random = np.random.Generator(np.random.PCG64(seed))
    reach = np.float32(0.5 / math.sqrt(rows.shape[1]))
    for start in range(0, len(rows), INIT_ROWS):
        part = rows[start : start + INIT_ROWS]
        part[:] = (random.random(part.shape, np.float32) - np.float32(0.5)) * reach


def block_seeds(seed: int, block: Block) -> tuple[np.uint64, np.uint64]:
    """Returns the seed of sub-sampling, one for an epoch, and that of all else in the block."""
    epoch = np.random.SeedSequence([seed, 0, block.epoch])
    own = np.random.SeedSequence([seed, 1, block.epoch, block.index])
    return epoch.generate_state(1, np.uint64)[0], own.generate_state(1, np.uint64)[0]


def read_only(ids: np.ndarray) -> np.ndarray:
    """Returns a plain view of a stream of ids: one type for the kernel, memory-mapped or not."""
    view = np.asarray(ids).view()
    view.flags.writeable = False
    return view
