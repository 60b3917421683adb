"""w2v and its peers train on one corpus, one after the other in rounds; what each needs and how
good its vectors are.

Words per second = words of the corpus * epochs / seconds of training, for every system the same
words (all that the corpus has, once per epoch). Seconds of training leave out reading the
vocabulary and writing the vectors: w2v says them in its summary, gensim's are between its
callbacks, those of the others come from their progress reports (`process`). Of a program that does
not tell, the whole time counts, and its row says so.

Share of the matrix rate = 6 D * predictions * output rows per prediction / seconds of training /
the rate of torch.mm with as many threads, measured in every round: a score, its gradient for the
output row and its gradient for the hidden vector are a product of D multiplications and additions
each.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.entries import Entry, Run, as_row, describe, entries_of, matrix_share
from harness.machine import machine, matrix_rates
from harness.process import Finished, how_it_ended, own_environment, run
from harness.spread import Spread, as_dict, spread
from harness.systems import Case, Peer, w2v_command
from harness.text import plain_text, rows_per_prediction
from w2v.errors import RunError, W2VError
from w2v.evaluation.analogies import evaluate_analogies
from w2v.evaluation.sets import AnalogySet, default_sets
from w2v.vectors import load_vectors

MATCHING = 0.5  # the set that comes with w2v is used if so much of it is covered


@dataclass(frozen=True)
class Setup:
    """What to measure, and how."""

    corpus: tuple[str, ...]
    cases: tuple[Case, ...]
    peers: tuple[Peer, ...]
    variants: tuple[tuple[str, ...], ...] = ()
    repeat: int = 3
    cache: bool = True
    questions: AnalogySet | None = None
    restrict_vocab: int = 30000


class TrainingBench:
    """Runs a setup. `say` gets one line about everything that begins, ends or fails.

    Raises (from `measure`):
        RunError: w2v itself fails.
        InputError: the corpus cannot be read as text.
    """

    def __init__(self, setup: Setup, say: Callable[[str], None]) -> None:
        self._setup = setup
        self._say = say
        packaged = next(each for each in default_sets() if isinstance(each, AnalogySet))
        self._questions: AnalogySet | None = setup.questions or packaged
        self._words = 0
        self._rates: dict[int, dict[int, float]] = {}  # by threads, then by round
        self._output_rows: dict[Case, float | None] = {}
        self.first_runs: list[Entry] = []
        self.entries = [*entries_of(setup.cases, setup.variants, setup.peers, say)]

    def measure(self) -> dict[str, Any]:
        """All results as plain values: what --json prints."""
        with tempfile.TemporaryDirectory(prefix="w2v-bench-") as name:
            folder = Path(name)
            corpus = plain_text(self._setup.corpus, folder, self._say)
            environment = {
                **own_environment(),
                "W2V_CACHE_DIR": str(folder / "cache"),
                "NUMBA_CACHE_DIR": str(folder / "kernels"),
            }
            self._first_runs(corpus, folder, environment)
            for case in self._setup.cases:
                self._output_rows[case] = rows_per_prediction(case, corpus)
            for number in range(1, self._setup.repeat + 1):
                self._rate(number)
                for entry in self.entries:
                    if not entry.failed:
                        self._take(entry, number, corpus, folder, environment)
        return self._results()

    def _first_runs(self, corpus: str, folder: Path, environment: dict[str, str]) -> None:
        """Every kernel's first run, which compiles it; it also finds out how long the corpus is."""
        seen = set()
        for entry in self.entries:
            kernel = (entry.case.model, entry.case.loss, entry.options)
            if entry.peer is None and kernel not in seen:
                seen.add(kernel)
                first = Entry(
                    f"{entry.system}, first run", entry.case, options=entry.options, first=True
                )
                self._take(first, 0, corpus, folder, environment)
                self.first_runs.append(first)

    def _rate(self, number: int) -> None:
        threads = sorted({1, *(case.threads for case in self._setup.cases)})
        for count, rate in matrix_rates(threads).items():
            self._rates.setdefault(count, {})[number] = rate
            self._say(
                f"round {number}: torch.mm with {count} thread{'s' * (count > 1)}: {rate / 1e9:.0f}"
                " GFLOP/s"
            )

    def _take(
        self, entry: Entry, number: int, corpus: str, folder: Path, environment: dict[str, str]
    ) -> None:
        """One run of one system, into its entry."""
        name = f"{f'round {number}: ' if number else ''}{describe(entry)}"
        self._say(f"{name} ...")
        output = folder / "vectors.bin"
        output.unlink(missing_ok=True)
        seed = max(1, number)
        if entry.peer is None:
            options = entry.options if self._setup.cache else (*entry.options, "--no-cache")
            done = run(w2v_command(entry.case, corpus, str(output), seed, options), environment)
        else:
            done = run(entry.peer.command(entry.case, corpus, str(output), seed))
        try:
            if done.status:
                raise RunError(how_it_ended(done))
            if not output.exists():
                raise RunError(f"it wrote no vectors: {done.output.last_line}")
            entry.runs[number] = found = self._judged(entry, done, output)
        except W2VError as error:
            if entry.peer is None:
                raise RunError(f"{describe(entry)} failed ({error})") from None
            entry.failed = True
            self._say(f"warning: {describe(entry)} failed and is left out from here on ({error})")
            return
        accuracy = (
            "" if found.accuracy is None else f", {100 * found.accuracy:.1f} % of the analogies"
        )
        self._say(f"{name}: {found.seconds:.1f} s, {found.words_per_second:,.0f} words/s{accuracy}")

    def _judged(self, entry: Entry, done: Finished, output: Path) -> Run:
        predictions = None
        training = done.output.training_seconds
        if entry.peer is None:
            summary = summary_of(done)
            training, predictions = summary["seconds"]["training"], summary["predictions"]
            self._words = summary["words"]["read"]
        words = self._words * entry.case.epochs
        return Run(
            done.seconds,
            training,
            words / max(training or done.seconds, 1e-9),
            done.peak_bytes,
            self._accuracy(output),
            predictions,
        )

    def _accuracy(self, output: Path) -> float | None:
        if self._questions is None:
            return None
        vectors = load_vectors(str(output), encoding_errors="replace")
        limit = self._setup.restrict_vocab
        tally = evaluate_analogies(vectors, self._questions.sections, restrict_vocab=limit).tally()
        if self._setup.questions is None and tally.covered < MATCHING * tally.total:
            self._questions = None
            return None
        return tally.accuracy

    def _results(self) -> dict[str, Any]:
        """Everything that was measured, in the order of the table."""
        plain = {
            entry.case: entry for entry in self.entries if entry.peer is None and not entry.options
        }
        rows = [
            as_row(entry, plain[entry.case], self._share(entry))
            for entry in (*self.first_runs, *self.entries)
            if entry.runs
        ]
        case = self._setup.cases[0]
        return {
            "bench": "training",
            "corpus": [Path(each).name for each in self._setup.corpus],
            "words": self._words,
            "settings": {
                "dim": case.dim,
                "window": case.window,
                "negatives": case.negatives,
                "sample": case.sample,
                "min_count": case.min_count,
                "epochs": case.epochs,
                "repeat": self._setup.repeat,
                "lr": {each.model: each.lr for each in self._setup.cases},
                "cache": self._setup.cache,
            },
            "questions": self._questions.name if self._questions else None,
            "restrict_vocab": self._setup.restrict_vocab,
            "machine": machine(),
            "matrix_rates": {
                str(count): as_dict(spread(by.values())) for count, by in self._rates.items()
            },
            "rows": rows,
        }

    def _share(self, entry: Entry) -> Spread | None:
        if entry.peer is not None or entry.first:
            return None
        return matrix_share(entry, self._output_rows[entry.case], self._rates[entry.case.threads])


def summary_of(done: Finished) -> dict[str, Any]:
    """The summary that `w2v train --json` printed.

    Raises:
        RunError: there is none.
    """
    for line in reversed(done.output.text.splitlines()):
        if line.startswith("{"):
            found: dict[str, Any] = json.loads(line)
            return found
    raise RunError(f"w2v train printed no summary ({done.output.last_line})")
