"""What a training run reports: messages and progress while it runs, a plan before, a summary
after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol


@dataclass(frozen=True)
class Progress:
    """The progress of training at one moment."""

    fraction: float  # done, of all words of all epochs, 0 to 1
    words: int  # of the corpus processed so far, over all epochs
    words_per_second: float
    lr: float
    loss: float  # nats per prediction, mean since the last report; NaN if there were none
    seconds_left: float
    epoch: int  # the current one, from 1
    unit: str = "words"  # what is counted: words, or the tokens of a language model


@dataclass(frozen=True)
class Event:
    """An event that a run reports to callbacks. event["loss"] is a value of it; `kind` is one of:

    progress    fraction, words, words_per_second, lr, loss, seconds_left, epoch, unit
    epoch       epoch (from 1), loss (mean nats per prediction), predictions, words
    validation  epoch, and the figures of the measurement as in metrics.jsonl
    checkpoint  path, step
    """

    kind: str
    values: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.values[name]


class Reporter(Protocol):
    """Receives what a run reports to people; the command line shows it on stderr."""

    def note(self, text: str) -> None:
        """Reports something of interest, for example a setting chosen automatically."""

    def warn(self, text: str) -> None:
        """Reports something that the user may not have intended."""

    def stage(self, text: str) -> None:
        """Reports that a new part of the work begins."""

    def milestone(self, text: str) -> None:
        """Reports a finding during training, such as a perplexity."""

    def reading(self, done_bytes: int, total_bytes: int | None) -> None:
        """Reports progress in reading the corpus; `total_bytes` is None for a stream."""

    def training(self, progress: Progress) -> None:
        """Reports progress of training; may be called often."""

    def happened(self, event: Event) -> None:
        """Reports the end of an epoch, a measurement or a checkpoint. Called from any thread."""


class SilentReporter:
    """A Reporter that ignores everything."""

    def note(self, *text: Any, **named: Any) -> None:
        """Does nothing, like all other methods."""

    warn = stage = milestone = reading = training = happened = note


@dataclass(frozen=True)
class Words:
    """Word counts, which add up: read = in_vocabulary + left_out; passed = trained + subsampled +
    passed_left_out; and if the run is complete, passed = epochs * (read - remainder).

    For a language model they count tokens, including line ends (with `subwords`, parts of words);
    left_out are the tokens read as <unk>, which are trained as such.
    """

    read: int  # in the corpus, once
    in_vocabulary: int  # of those read
    left_out: int  # of those read: below `min_count` or beyond `max_vocab`
    passed: int  # over all epochs; fewer if interrupted
    trained: int  # of those passed
    subsampled: int  # of those passed: left out at random by `sample`
    passed_left_out: int  # of those passed: not in the vocabulary
    remainder: int = 0  # last tokens of a language model's text, which fill no row of its columns


@dataclass(frozen=True)
class Seconds:
    """Wall-clock times."""

    vocabulary: float  # reading the corpus, or finding it in the cache
    training: float
    total: float


@dataclass(frozen=True)
class RunSummary:
    """The summary of a run: summary.json and the output of `w2v train --json`."""

    output: str
    model: str
    loss: str
    engine: str
    words: Words
    vocabulary: int
    seconds: Seconds
    words_per_second: float
    final_loss: float | None  # nats per prediction over the last epoch
    # over all epochs: pairs of a context word and a target, or for cbow, of a window and a target
    predictions: int
    dim: int
    epochs: int  # asked for
    epochs_done: float  # 2.5: interrupted halfway through the third
    interrupted: bool
    seed: int
    threads: int
    checkpoint: str | None = None  # the latest, from which the run can be resumed
    validation: dict[str, Any] | None = None  # figures of the result on the text `valid`
    # of the files of a run directory, see `w2v.vectors.fingerprints`
    fingerprints: dict[str, str] = field(default_factory=dict)
    # the lines of metrics.jsonl, and one entry for each epoch
    history: list[dict[str, Any]] = field(default_factory=list, compare=False, repr=False)

    def as_dict(self) -> dict[str, Any]:
        """Returns nested plain values that JSON can hold, without the history."""
        values = asdict(replace(self, history=[]))
        del values["history"]
        for name in ("validation", "fingerprints"):
            if not values[name]:
                del values[name]
        return values


@dataclass(frozen=True)
class Plan:
    """What a run would do and need (`--dry-run`). Times are estimates in seconds, or None."""

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
        """Returns plain values that JSON can hold."""
        values = asdict(self)
        over_ranks: dict[str, Any] = values.pop("over_ranks")
        return values | over_ranks
