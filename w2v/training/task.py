"""What a run trains, seen from `w2v.run`: a task says what is different between word vectors and
language models, and a run knows neither.

    task = WordsTask(context)                # or LanguageModelTask
    with closing(task.read(earlier)) as text:    # the texts, as ids
        job = task.job(text)                 # engine, blocks, schedule, validation
        ...                                  # the trainer works it off
        task.result(text, job)               # what is written
"""

from __future__ import annotations

import math
import pkgutil
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

import numpy as np

from w2v.corpus import TokenStore, Vocabulary
from w2v.settings.config import Config
from w2v.system.memory import Demand
from w2v.training.engine import Engine, Tally
from w2v.training.handout import Rest
from w2v.training.report import Reporter, SilentReporter, Words
from w2v.training.schedule import Blocks, Schedule
from w2v.training.validation import Validation
from w2v.training.world import World

if TYPE_CHECKING:
    from w2v.runs.checkpoint import Checkpoint

Files = Mapping[str, Callable[[IO[bytes]], Any]]  # by name, what writes the content
BASE_BYTES = 200 << 20  # interpreter, libraries, buffers for reading
COMPILE_SECONDS = 1.0  # after which a run says that it compiles


@dataclass(frozen=True)
class Context:
    """What travels together through a run: its settings, who hears of it, and what it may use.

    stop: set when the run should end at its next safe point, keeping what it has; its
    `signal_number`, if it has one, is the signal's. resume: the directory of a run to go on with.
    lines: a corpus from memory, see `w2v.corpus.memory`; None: the files that the settings name.
    keep_state: whether a run directory gets a checkpoint at its end, so that the run can be made
    longer. in_step: whether training waits at every epoch's end until the reporter has heard of it.
    world: the ranks that train. store: the corpus, if they have read it already.
    """

    config: Config
    reporter: Reporter = field(default_factory=SilentReporter)
    stop: threading.Event = field(default_factory=threading.Event)
    use_cache: bool = True
    resume: Path | None = None
    lines: Any = None
    keep_state: bool = False
    in_step: bool = False
    world: World = field(default_factory=World.alone)
    store: TokenStore | None = None


@dataclass
class Text:
    """The corpus of a run as ids, the words that it trains, and the text to validate on."""

    store: TokenStore
    vocabulary: Vocabulary
    valid: TokenStore | None

    def close(self) -> None:
        """Lets go of the ids."""
        self.store.close()
        if self.valid is not None:
            self.valid.close()


class Exchanging(Protocol):
    """How the ranks of a run, `world`, learn from each other.

    blocks: of a section, that every rank trains by itself; 0: all ranks train every block together,
    and are the same at its end.
    """

    @property
    def world(self) -> World: ...

    @property
    def blocks(self) -> int: ...

    def begin(self, blocks: Blocks, blocks_done: int) -> None:
        """All ranks hold the same, and training begins there; before anything else."""

    def __call__(self, rest: Rest, whole: bool) -> bool:
        """At a section's end, with all threads of all ranks at rest: gives and takes. Returns
        whether all ranks hold the same now, as they must at the end of an epoch, and where it is to
        be `whole`; only then it is saved, or measured."""

    def collect(self) -> None:
        """On all ranks, before rank 0 saves: gives it what only the others have."""


@dataclass(frozen=True)
class Together:
    """All ranks train every block together. gather: see `collect`."""

    world: World
    gather: Callable[[], None] = lambda: None
    blocks: int = 0

    def begin(self, blocks: Blocks, blocks_done: int) -> None:
        """Needs to know nothing."""

    def __call__(self, rest: Rest, whole: bool) -> bool:
        return True

    def collect(self) -> None:
        self.gather()


@dataclass
class Job:
    """What the trainer works off. release: told of the positions of every finished block, which
    are not needed again in this epoch. blind: a prediction's loss while nothing is learnt.
    exchange: None where one process trains alone."""

    engine: Engine
    blocks: Blocks
    schedule: Schedule
    validation: Validation[Any] | None = None
    release: Callable[[int, int], None] = lambda start, stop: None
    blind: float = math.inf
    exchange: Exchanging | None = None


@dataclass(frozen=True)
class Result:
    """What is written at the end: vectors [V, dim], and further files of a run directory."""

    vectors: np.ndarray
    files: Files = field(default_factory=dict)


class Task(ABC):
    """One kind of training, with its context."""

    unit: str  # what is counted: "words" or "tokens"

    def __init__(self, context: Context) -> None:
        self.context, self.config, self.reporter = context, context.config, context.reporter

    @property
    @abstractmethod
    def engine_name(self) -> str:
        """The class of the engine, module:name."""

    def engine_class(self) -> Any:
        """Returns the class of the engine; importing it takes a second or two."""
        return pkgutil.resolve_name(self.engine_name)

    def prepare(self) -> None:
        """Checks that a GPU that was asked for is there, and imports the engine while the corpus is
        being read."""
        if self.config.training.device.startswith("cuda"):
            from w2v.training.device import find_device  # imports PyTorch

            find_device(self.config.training.device)

        def import_it() -> None:
            with suppress(Exception):  # comes again, and is told, where the module is used
                self.engine_class()

        threading.Thread(target=import_it, daemon=True).start()

    @abstractmethod
    def read(self, earlier: Checkpoint | None) -> Text:
        """Returns the texts; `earlier` is the checkpoint to go on from. Raises InputError where
        they cannot be used."""

    def own_rows(self, name: str, shape: Sequence[int]) -> slice:
        """Returns which rows of a tensor of a checkpoint this rank needs, if not the first, which
        has it: all, or on each rank some."""
        return slice(None)

    @abstractmethod
    def demands(self, vocabulary: int) -> list[Demand]:
        """Returns what training V = vocabulary rows needs of which memory; the last one is where
        training happens."""

    @abstractmethod
    def remedy(self, where: int) -> str:
        """Returns what to change when the demand of that number is too large."""

    @abstractmethod
    def job(self, text: Text) -> Job:
        """Returns the work, ready to begin; says what it will be."""

    @abstractmethod
    def result(self, text: Text, job: Job) -> Result:
        """Returns what has been learnt."""

    @abstractmethod
    def counts(self, text: Text, total: Tally) -> Words:
        """Returns what became of the words of the corpus."""

    @abstractmethod
    def output_bytes(self, vocabulary: int) -> int:
        """Returns the size of the result on disk, roughly."""

    def faster(self, text: Text, job: Job, seconds: float) -> str | None:
        """Returns a sentence on what would make a run of so many seconds faster."""
        return None

    def check(self, total: Tally) -> None:  # noqa: B027  most texts teach something
        """Refuses with an InputError a text of which nothing could be learnt."""


@contextmanager
def told_if_slow(reporter: Reporter, sentence: str) -> Iterator[None]:
    """Says the sentence when the block takes longer than COMPILE_SECONDS."""
    timer = threading.Timer(COMPILE_SECONDS, reporter.stage, [sentence])
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
