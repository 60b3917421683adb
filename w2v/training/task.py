"""The interface between `w2v.run` and what it trains: a task implements what differs between word
vectors and language models.

    task = WordsTask(context)                # or LanguageModelTask
    with closing(task.read(earlier)) as text:    # the texts, as ids
        job = task.job(text)                 # engine, blocks, schedule, validation
        ...                                  # the trainer trains it
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
from w2v.training.handout import Pause
from w2v.training.report import Reporter, SilentReporter, Words
from w2v.training.schedule import Blocks, Schedule
from w2v.training.validation import Validation
from w2v.training.world import World

if TYPE_CHECKING:
    from w2v.runs.checkpoint import Checkpoint

Files = Mapping[str, Callable[[IO[bytes]], Any]]  # file name -> function that writes the content
BASE_BYTES = 200 << 20  # interpreter, libraries, buffers for reading
COMPILE_SECONDS = 1.0  # a longer compilation is reported


@dataclass(frozen=True)
class Context:
    """The settings of a run, its reporter and its resources.

    stop: set to end the run at its next safe point, keeping the result so far; its attribute
    `signal_number`, if it has one, is the signal's. resume: the directory of a run to resume.
    lines: an in-memory corpus, see `w2v.corpus.memory`; None: the files named by the settings.
    keep_state: whether a run directory gets a checkpoint at the end, so that the run can be
    extended. in_step: whether training pauses at the end of each epoch until the reporter has
    received it. world: the ranks that train. store: the corpus, if the ranks have already read it.
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
    """The corpus of a run as ids, the vocabulary to train, and the validation text."""

    store: TokenStore
    vocabulary: Vocabulary
    valid: TokenStore | None

    def close(self) -> None:
        """Releases the ids."""
        self.store.close()
        if self.valid is not None:
            self.valid.close()


class Exchanging(Protocol):
    """How the ranks of a run, `world`, share what they learn.

    blocks: number of blocks of a section that each rank trains on its own; 0: all ranks train each
    block together and hold the same rows at its end.
    """

    @property
    def world(self) -> World: ...

    @property
    def blocks(self) -> int: ...

    def begin(self, blocks: Blocks, blocks_done: int) -> None:
        """Starts training from here, where all ranks hold the same rows. Is called first."""

    def __call__(self, rest: Pause, whole: bool) -> bool:
        """Exchanges changes at the end of a section, with all threads of all ranks paused. Returns
        whether all ranks hold the same rows now, which is guaranteed at the end of an epoch and if
        `whole`; only then is the model saved or measured."""

    def collect(self) -> None:
        """Sends what only other ranks have to rank 0, before it saves; called on all ranks."""


@dataclass(frozen=True)
class Together:
    """All ranks train every block together. gather: implements `collect`."""

    world: World
    gather: Callable[[], None] = lambda: None
    blocks: int = 0

    def begin(self, blocks: Blocks, blocks_done: int) -> None:
        """Does nothing."""

    def __call__(self, rest: Pause, whole: bool) -> bool:
        return True

    def collect(self) -> None:
        self.gather()


@dataclass
class Job:
    """What the trainer needs. release: is called with the positions of every finished block, which
    are not needed again in this epoch. blind: the loss per prediction of an untrained model.
    exchange: None if a single process trains."""

    engine: Engine
    blocks: Blocks
    schedule: Schedule
    validation: Validation[Any] | None = None
    release: Callable[[int, int], None] = lambda start, stop: None
    blind: float = math.inf
    exchange: Exchanging | None = None


@dataclass(frozen=True)
class Result:
    """The result to write: vectors [V, dim], and further files of a run directory."""

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
        """The class of the engine, as module:name."""

    def engine_class(self) -> Any:
        """Returns the class of the engine; importing it takes a second or two."""
        return pkgutil.resolve_name(self.engine_name)

    def prepare(self) -> None:
        """Checks that the requested GPU exists, and imports the engine in the background while the
        corpus is read."""
        if self.config.training.device.startswith("cuda"):
            from w2v.training.device import find_device  # imports PyTorch

            find_device(self.config.training.device)

        def import_it() -> None:
            with suppress(Exception):  # recurs, and is reported, where the module is used
                self.engine_class()

        threading.Thread(target=import_it, daemon=True).start()

    @abstractmethod
    def read(self, earlier: Checkpoint | None) -> Text:
        """Reads the texts; `earlier` is the checkpoint to resume from. Raises InputError if they
        cannot be used."""

    def own_rows(self, name: str, shape: Sequence[int]) -> slice:
        """Returns which rows of a checkpoint's tensor this rank needs, if it is not rank 0, which
        holds the checkpoint: all rows or, of sharded tensors, some."""
        return slice(None)

    @abstractmethod
    def demands(self, vocabulary: int) -> list[Demand]:
        """Returns the memory needed for V = vocabulary; the last demand is that of the training
        device."""

    @abstractmethod
    def remedy(self, where: int) -> str:
        """Returns what to change if the demand with the index `where` is too large."""

    @abstractmethod
    def job(self, text: Text) -> Job:
        """Returns the job, ready to train, and reports what it will be."""

    @abstractmethod
    def result(self, text: Text, job: Job) -> Result:
        """Returns what was learnt."""

    @abstractmethod
    def counts(self, text: Text, total: Tally) -> Words:
        """Returns how the words of the corpus were used."""

    @abstractmethod
    def output_bytes(self, vocabulary: int) -> int:
        """Returns the approximate size of the result on disk, in bytes."""

    def faster(self, text: Text, job: Job, seconds: float) -> str | None:
        """Returns a sentence on what would speed up a run of so many seconds, or None."""
        return None

    def check(self, total: Tally) -> None:  # noqa: B027  most texts teach something
        """Raises InputError if nothing could be learnt from the text."""


@contextmanager
def report_if_slow(reporter: Reporter, sentence: str) -> Iterator[None]:
    """Reports the sentence if the block takes longer than COMPILE_SECONDS."""
    timer = threading.Timer(COMPILE_SECONDS, reporter.stage, [sentence])
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
