"""What a training run tells its caller: messages and progress while it runs, a plan before, a
summary after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol


@dataclass(frozen=True)
class Progress:
    """The state of training at one moment."""

    fraction: float  # of all words of all epochs, 0 to 1
    words: int  # of the corpus worked off so far, over all epochs
    words_per_second: float
    lr: float
    loss: float  # nats per prediction, mean since the last report; nan before the first
    seconds_left: float
    epoch: int  # the one under way, from 1
    unit: str = "words"  # what is counted: words, or the tokens of a language model


@dataclass(frozen=True)
class Event:
    """Something that a run tells programs: event["loss"] of a kind that has one.

    progress    fraction, words, words_per_second, lr, loss, seconds_left, epoch
    epoch       epoch (from 1), loss (mean nats per prediction), predictions, words
    validation  epoch, and what metrics.jsonl says of the measurement
    checkpoint  path, step
    """

    kind: str
    values: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.values[name]


class Reporter(Protocol):
    """Where a run sends what people should see; the command line shows it on stderr."""

    def note(self, text: str) -> None:
        """Something good to know."""

    def warn(self, text: str) -> None:
        """Something that may not be what the user wanted."""

    def stage(self, text: str) -> None:
        """A new part of the work begins."""

    def milestone(self, text: str) -> None:
        """Something that was found out while training, such as a perplexity."""

    def reading(self, done_bytes: int, total_bytes: int | None) -> None:
        """The corpus is being read; `total_bytes` is None for a stream."""

    def training(self, progress: Progress) -> None:
        """Training goes on; may be called often."""

    def happened(self, event: Event) -> None:
        """An epoch, a measurement or a checkpoint is done. Called by any thread."""


class SilentReporter:
    """A Reporter for callers who want to hear nothing."""

    def note(self, *told: Any, **named: Any) -> None:
        """Does nothing, as all others."""

    warn = stage = milestone = reading = training = happened = note


@dataclass(frozen=True)
class Words:
    """Word counts that reconcile: read = in_vocabulary + left_out; passed = trained + subsampled +
    passed_left_out; and of a run that came to its end passed = epochs * (read - remainder).

    Of a language model: tokens, line ends among them (with `subwords` parts of words); left out are
    those that are read as <unk>, and trained as such.
    """

    read: int  # in the corpus, once
    in_vocabulary: int  # of those
    left_out: int  # of those: below `min_count` or beyond `max_vocab`
    passed: int  # over all epochs; less if interrupted
    trained: int  # of those
    subsampled: int  # of those: left out at random by `sample`
    passed_left_out: int  # of those: not in the vocabulary
    remainder: int = 0  # at the end of a language model's text: they fill no row of its columns


@dataclass(frozen=True)
class Seconds:
    """Wall-clock times."""

    vocabulary: float  # reading the corpus, or finding it in the cache
    training: float
    total: float


@dataclass(frozen=True)
class RunSummary:
    """What a run did: summary.json and `w2v train --json`."""

    output: str
    model: str
    loss: str
    engine: str
    words: Words
    vocabulary: int
    seconds: Seconds
    words_per_second: float
    final_loss: float | None  # nats per prediction over the last epoch
    # over all epochs: pairs of a context word and a target; of a window and a target in cbow
    predictions: int
    dim: int
    epochs: int  # asked for
    epochs_done: float  # 2.5 = interrupted half way through the third
    interrupted: bool
    seed: int
    threads: int
    checkpoint: str | None = None  # the latest, from which `resume` goes on
    validation: dict[str, Any] | None = None  # what `valid` says of the result
    # what metrics.jsonl says, and a line for each epoch
    history: list[dict[str, Any]] = field(default_factory=list, compare=False, repr=False)

    def as_dict(self) -> dict[str, Any]:
        """Returns nested plain values, ready for JSON; without the history."""
        values = asdict(replace(self, history=[]))
        del values["history"]
        if self.validation is None:
            del values["validation"]
        return values


@dataclass(frozen=True)
class Plan:
    """What a run would do and need (`--dry-run`). Times are estimates, in seconds; None when
    nothing is known."""

    output: str
    model: str
    loss: str
    words: int
    in_vocabulary: int
    distinct_words: int
    vocabulary: int
    dim: int
    epochs: int
    threads: int
    memory_bytes: int
    memory_available_bytes: int | None
    output_bytes: int
    training_seconds: float | None
    over_ranks: Mapping[str, Any] = field(default_factory=dict)  # see `w2v.training.forecast`

    def as_dict(self) -> dict[str, Any]:
        """Returns plain values, ready for JSON."""
        values = asdict(self)
        over_ranks: dict[str, Any] = values.pop("over_ranks")
        return values | over_ranks
