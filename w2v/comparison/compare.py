"""Trains the contenders one after another, each by `w2v train` in a process and a run directory of
its own.

The output folder holds a run directory by each contender's name, and the table of what is finished.
Finished runs of the same settings are kept, those that were stopped or killed go on from their last
checkpoint, and what failed is trained anew.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

from w2v.comparison.contenders import Contender
from w2v.comparison.process import Finished, run_verb
from w2v.comparison.table import TABLE_JSON, Row, load_table, save_table, with_speedups
from w2v.errors import InputError, RunError
from w2v.settings.config import Config


class Listener(Protocol):
    """Where a comparison sends what people should see."""

    def stage(self, text: str) -> None:
        """A new part of the work begins."""

    def note(self, text: str) -> None:
        """Something good to know."""


@dataclass
class Comparison:
    """A comparison in the folder `output`.

    questions: analogy set for word vectors; None: the sets that come with w2v. overwrite: train all
    anew. use_cache: whether the corpus is read from and kept in the cache. stopped: the number of
    the signal that asks for an end.
    """

    contenders: Sequence[Contender]
    output: Path
    questions: str | None
    overwrite: bool
    use_cache: bool
    listener: Listener
    stopped: Callable[[], int | None]

    def prepare(self) -> dict[str, Row]:
        """Makes the output folder and looks for earlier runs: their rows by name.

        Raises:
            InputError: the folder cannot be used, or a finished run has other settings.
        """
        check_comparable([each.config for each in self.contenders])
        if self.questions is not None:
            self._check_questions(self.questions)
        if self.output.exists() and not self.output.is_dir():
            raise InputError(f"`output` {self.output} is a file: name a folder for the runs")
        if (
            self.output.is_dir()
            and any(self.output.iterdir())
            and not (self.output / TABLE_JSON).is_file()
        ):
            raise InputError(
                f"`output` {self.output} holds other things than a comparison: name another folder"
            )
        try:
            self.output.mkdir(exist_ok=True)
        except OSError as error:
            raise InputError(
                f"`output` {self.output} cannot be made: {error.strerror}; name another folder"
            ) from None
        earlier = load_table(self.output)
        for each in self.contenders:
            row = earlier.get(each.name)
            if row is None:
                continue
            if self.overwrite or not (self.output / each.name).is_dir():
                del earlier[each.name]
            elif row.status == "done":
                check_same(each, row, self.output)
        return earlier

    def _check_questions(self, questions: str) -> None:
        """Raises InputError when the set of analogies could not be used after all the training."""
        if self.contenders[0].config.model.model == "lm":
            self.listener.note(
                "`questions` is for word vectors: language models are compared by perplexity"
            )
            return
        from w2v.evaluation.sets import AnalogySet, load_set

        if not isinstance(load_set(questions), AnalogySet):
            raise InputError(
                f"`questions` {questions} holds pairs of words with scores: name a set of analogies"
            )

    def run(self, earlier: dict[str, Row]) -> list[Row]:
        """Trains what is not done among the earlier rows; all rows. Saves the table after each run.

        Raises:
            RunError: the table cannot be written.
        """
        rows = [
            (
                row
                if (row := earlier.get(each.name)) and row.status == "done"
                else Row(each.name, each.loss)
            )
            for each in self.contenders
        ]
        names = {row.name for row in rows}
        others = [row for name, row in earlier.items() if name not in names]
        for place, each in enumerate(self.contenders):
            if rows[place].status == "done":
                self.listener.note(
                    f"{each.name}: kept from {self.output / each.name} (`overwrite` trains it anew)"
                )
            elif self.stopped() is None:
                self.listener.stage(f"{each.name} ({place + 1} of {len(self.contenders)})")
                rows[place] = replace(rows[place], status="training", settings=settings_asked(each))
                # a run that is killed can be gone on with
                save_table(self.output, with_speedups(rows), others)
                rows[place] = self._train(each, rows[place], earlier.get(each.name))
            save_table(self.output, with_speedups(rows), others)
        return with_speedups(rows)

    def _train(self, each: Contender, row: Row, before: Row | None) -> Row:
        """The row of one contender, trained now; goes on with what `before` left, if its settings
        were the same."""
        folder = self.output / each.name
        # Where this process alone was killed, the training went on without it: nobody saw its
        # memory.
        was_finished = False
        with tempfile.TemporaryDirectory(prefix="w2v-compare-") as place:
            recipe = Path(place) / "config.yaml"
            each.config.save_yaml(recipe)
            if (
                before is not None
                and before.settings == row.settings
                and _can_go_on(before, folder)
            ):
                arguments = ["train", "--resume", str(folder), "--json"]
                was_finished = before.status == "training" and (folder / "summary.json").is_file()
            else:
                arguments = ["train", "--config", str(recipe), "--output", str(folder), "--json"]
                arguments += ["--overwrite"] if folder.exists() else []
            arguments += [] if self.use_cache else ["--no-cache"]

            def plain(text: str) -> str:  # the file is ours: it means nothing to the user
                return text.replace(str(recipe), "its settings")

            done = run_verb(
                arguments,
                lambda line: self.listener.stage(f"{each.name}: {plain(line)}"),
                self.stopped,
            )
        row = replace(row, peak_memory_bytes=None if was_finished else done.peak_memory)
        summary = _object(done.output)
        if summary is None or (done.status != 0 and not summary.get("interrupted")):
            if self.stopped() is not None:
                return replace(
                    row, status="interrupted", problem="stopped before there was anything to keep"
                )
            return replace(
                row,
                status="failed",
                problem=plain(done.problem) if done.status else "printed no summary",
            )
        try:
            row = _filled(row, summary, folder)
        except RunError as error:
            return replace(row, status="failed", problem=str(error))
        if summary.get("interrupted"):
            return replace(row, status="interrupted", problem="stopped before its end")
        if each.config.model.model != "lm":
            return self._with_accuracy(row, folder)
        if row.perplexity is None:
            return replace(
                row, status="failed", problem="its summary holds no validation perplexity"
            )
        return row

    def _with_accuracy(self, row: Row, folder: Path) -> Row:
        """The row with the vectors' share of right answers to the analogy questions."""
        sets = [] if self.questions is None else [self.questions]
        done = run_verb(
            ["eval", str(folder), *sets, "--json", "--quiet"], lambda line: None, self.stopped
        )
        if self.stopped() is not None:
            return replace(row, status="interrupted", problem="stopped during the evaluation")
        answers = (_object(done.output) or {}).get("analogies", {})
        if done.status or not answers:
            return replace(row, status="failed", problem=f"evaluation: {_why(done)}")
        return replace(row, accuracy=next(iter(answers.values()))["accuracy"])


def check_comparable(configs: Sequence[Config]) -> None:
    """Refuses what could not be compared, before anything is trained.

    Raises:
        InputError: stdin as corpus, no validation text for a language model, different models, or
            no such files.
    """
    from w2v.corpus.sources import resolve_sources

    if len({config.model.model for config in configs}) > 1:
        raise InputError(
            "w2v compare trains one model under several losses: give the same `model` to all of"
            " them"
        )
    if configs[0].model.model == "lm" and any(
        config.validation.valid is None for config in configs
    ):
        raise InputError(
            "w2v compare `model` lm needs `valid` FILE, the text whose perplexity is compared"
        )
    for config in configs:
        valid = config.validation.valid
        texts = [config.corpus.corpus, *([] if valid is None else [(valid,)])]
        for source in [
            source for text in texts for source in resolve_sources(text, config.corpus.column)[0]
        ]:
            if not source.lasting:
                raise InputError(
                    f"w2v compare reads its texts once per loss, {source.name} can be read once"
                    " only: save it to a file"
                )


def check_same(each: Contender, row: Row, output: Path) -> None:
    """Refuses a finished run that was trained with other settings than those asked for now.

    Raises:
        InputError: it was; the first such setting is named.
    """
    before, now = row.settings or {}, settings_asked(each)
    for name in [*now, *before]:
        if before.get(name) != now.get(name):
            raise InputError(
                f"{output / each.name} was trained with {name} {before.get(name)}, now it is"
                f" {now.get(name)}: add `overwrite` to train all anew, or name another `output`"
            )


def settings_asked(each: Contender) -> dict[str, Any]:
    """All settings of a contender by name, as they come back from a file."""
    import yaml

    found: dict[str, Any] = yaml.safe_load(each.config.to_yaml())
    return found


def _can_go_on(before: Row, folder: Path) -> bool:
    """Whether a run was stopped or killed and has left a checkpoint."""
    checkpoints = folder / "checkpoints"
    return (
        before.status in ("interrupted", "training")
        and checkpoints.is_dir()
        and any(checkpoints.iterdir())
    )


def _filled(row: Row, summary: dict[str, Any], folder: Path) -> Row:
    """The row with the figures of a run. All seconds are of training itself, without validation."""
    epochs, seconds = summary["epochs_done"], summary["seconds"]["training"]
    return replace(
        row,
        status="done",
        perplexity=(summary.get("validation") or {}).get("perplexity"),
        curve=read_curve(folder, summary["epochs"], epochs, seconds),
        epochs=epochs,
        seconds_per_epoch=seconds / epochs if epochs else None,
        tokens_per_second=summary["words_per_second"],
    )


def read_curve(
    folder: Path, epochs: int, epochs_done: float, seconds: float
) -> tuple[tuple[float, float], ...]:
    """(seconds of training, validation perplexity) of every validation in a run's metrics.jsonl.

    A validation says after which epoch it was; when that was, the lines about training around it
    tell.

    Args:
        epochs: asked for; epochs_done: trained, in these seconds.

    Raises:
        RunError: the file cannot be read.
    """
    times, values = [(0.0, 0.0)], []  # (epoch, seconds), (epoch, perplexity)
    try:
        for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            if "validation_perplexity" in entry:
                values.append((float(entry["epoch"]), float(entry["validation_perplexity"])))
            elif "fraction" in entry:
                times.append((entry["fraction"] * epochs, float(entry["seconds"])))
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise RunError(
            f"{folder / 'metrics.jsonl'} cannot be read: {' '.join(str(error).split())}"
        ) from None
    times = sorted({*times, (epochs_done, seconds)})
    return tuple((_at(epoch, times), value) for epoch, value in values)


def _at(epoch: float, times: Sequence[tuple[float, float]]) -> float:
    """When `epoch` was, between the times known, by straight lines."""
    for (before, start), (after, end) in pairwise(times):
        if before <= epoch <= after and after > before:
            return start + (end - start) * (epoch - before) / (after - before)
    return times[-1][1]


def _object(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _why(done: Finished) -> str:
    return done.problem if done.status else "no analogy questions in the set"
