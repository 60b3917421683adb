"""The rows of the training table: a system on a case, its runs by round, and the figures that come
out of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.spread import Spread, as_dict, paired_ratio, spread
from harness.systems import Case, Peer


@dataclass(frozen=True)
class Run:
    """One training."""

    seconds: float  # start to vectors on disk
    training_seconds: float | None  # None: the program does not tell
    words_per_second: float
    peak_bytes: int
    accuracy: float | None
    predictions: int | None = None  # of w2v

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "seconds": self.seconds,
            "training_seconds": self.training_seconds,
            "words_per_second": self.words_per_second,
            "peak_bytes": self.peak_bytes,
            "accuracy": self.accuracy,
        }


@dataclass
class Entry:
    """One row of the table: a system on a case, and its runs by round."""

    system: str
    case: Case
    peer: Peer | None = None  # None: w2v
    options: tuple[str, ...] = ()  # of w2v, further ones
    first: bool = False  # w2v's very first run
    runs: dict[int, Run] = field(default_factory=dict)
    failed: bool = False


def entries_of(
    cases: Iterable[Case],
    variants: Sequence[tuple[str, ...]],
    peers: Sequence[Peer],
    say: Callable[[str], None],
) -> Iterable[Entry]:
    """The table's rows, which is also the order of a round: for every case w2v, its variants, then
    the peers."""
    for case in cases:
        yield Entry("w2v", case)
        for options in variants:
            yield Entry(" ".join(("w2v", *options)), case, options=options)
        for peer in peers:
            if reason := peer.cannot(case):
                say(f"{peer.kind} {reason} and is left out there")
            else:
                yield Entry(peer.kind, case, peer)


def describe(entry: Entry) -> str:
    """One system on one case, for messages."""
    case = entry.case
    return (
        f"{entry.system} ({case.model}, {case.loss}, {case.threads}"
        f" thread{'s' * (case.threads > 1)})"
    )


def as_row(entry: Entry, ours: Entry, share: Spread | None) -> dict[str, Any]:
    """An entry's figures as plain values: medians with their spread, ratios to `ours`, w2v's entry
    on the same case."""
    runs = entry.runs
    threads = entry.case.threads
    speed = {number: run.words_per_second for number, run in runs.items()}
    seconds = {number: run.seconds for number, run in runs.items()}
    speed_ratio = time_ratio = None
    if entry is not ours:
        speed_ratio = paired_ratio(
            {number: run.words_per_second for number, run in ours.runs.items()}, speed
        )
        time_ratio = paired_ratio(
            seconds, {number: run.seconds for number, run in ours.runs.items()}
        )
    return {
        "system": entry.system,
        "model": entry.case.model,
        "loss": entry.case.loss,
        "threads": threads,
        "first_run": entry.first,
        "training_timed": all(run.training_seconds is not None for run in runs.values()),
        "words_per_second": as_dict(spread(speed.values())),
        "words_per_second_per_thread": as_dict(spread(value / threads for value in speed.values())),
        "seconds": as_dict(spread(seconds.values())),
        "peak_megabytes": as_dict(spread(run.peak_bytes / 1e6 for run in runs.values())),
        "accuracy": as_dict(spread(run.accuracy for run in runs.values())),
        "speed_ratio": as_dict(speed_ratio),
        "time_ratio": as_dict(time_ratio),
        "matrix_share": as_dict(share),
        "runs": [run.as_dict() for run in runs.values()],
    }


def matrix_share(
    entry: Entry, output_rows: float | None, rates: Mapping[int, float]
) -> Spread | None:
    """Share of the matrix rate: 6 D * predictions * output rows per prediction / seconds / the
    round's rate."""
    if output_rows is None:
        return None
    done = {
        number: 6 * entry.case.dim * output_rows * run.predictions / run.training_seconds
        for number, run in entry.runs.items()
        if run.predictions and run.training_seconds
    }
    return paired_ratio(done, rates)
