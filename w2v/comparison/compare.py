"""Trains the contenders one after another, each in a process and a run directory of its own.

The output folder holds a run directory by each contender's name, and the table of what is finished.
Finished runs of the same settings are kept, those that were stopped or killed go on from their last
checkpoint, and what failed is trained anew.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from w2v.comparison.child import Job, train_apart
from w2v.comparison.contenders import Contender, Losses, read_contenders
from w2v.comparison.table import (
    TABLE_JSON,
    Compared,
    Row,
    load_table,
    save_table,
    with_differences,
    with_speedups,
)
from w2v.corpus.sources import resolve_sources
from w2v.errors import InputError
from w2v.evaluation.sets import AnalogySet, default_sets, load_set
from w2v.runs.output import check_folder
from w2v.settings.groups import OutputSettings
from w2v.system.ranks import place_or_alone
from w2v.training.report import Reporter, SilentReporter

PathLike = str | os.PathLike[str]


@dataclass
class Comparison:
    """The same model on the same corpus under several losses. Raises InputError if the settings are
    wrong."""

    corpus: PathLike | Sequence[PathLike] | None = None  # None: the one in `config`
    losses: Losses = None  # names, or settings by name; None: those that `config` lists
    settings: Mapping[str, Any] = field(default_factory=dict)  # of all of them
    config: PathLike | None = None  # a YAML file
    output: PathLike | None = None  # the folder; None: MODEL-compare
    questions: PathLike | None = None  # analogies for word vectors; None: the demo's
    overwrite: bool = False  # train all anew
    use_cache: bool = True
    reporter: Reporter = field(default_factory=SilentReporter)
    stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        corpus = () if self.corpus is None else self.corpus
        entries = [corpus] if isinstance(corpus, (str, os.PathLike)) else corpus
        given = {"corpus": tuple(os.fspath(entry) for entry in entries) or None, **self.settings}
        self.contenders, self.notes = read_contenders(self.losses, given, self.config)
        model = self.contenders[0].config.model.model
        self.is_lm = not self.contenders[0].config.only_vectors
        self.folder = Path(self.output or f"{model}-compare")

    def run(self) -> Compared:
        """Trains what is not done yet. The table is saved after each run. Raises InputError if the
        texts or the folder cannot be used, or a finished run has other settings, and RunError if
        the table cannot be written."""
        if place_or_alone().size > 1:
            raise InputError("a comparison works in one process: start it without torchrun")
        for note in self.notes:
            self.reporter.note(note)
        check_comparable(self.contenders)
        asked = [
            Row(each.name, each.loss, settings=settings_asked(each)) for each in self.contenders
        ]
        if unlike := with_differences(asked)[0].differing:
            values = {row.name: row.settings or {} for row in asked}
            parts = (
                f"`{name}` ({', '.join(f'{row} {values[row][name]}' for row in values)})"
                for name in unlike
            )
            why = "give all the same to compare losses alone"
            self.reporter.note(f"they differ in {' and '.join(parts)}: {why}")
        questions = self._questions()
        earlier = self._earlier()
        rows = [earlier.get(each.name) or Row(each.name, each.loss) for each in self.contenders]
        others = [row for row in earlier.values() if row not in rows]
        for place, each in enumerate(self.contenders):
            before = rows[place]
            if before.status == "done":
                where = self.folder / each.name
                self.reporter.note(f"{each.name}: kept from {where} (`overwrite` trains it anew)")
            elif not self.stop.is_set():
                self.reporter.stage(f"{each.name} ({place + 1} of {len(rows)})")
                job = self._job(each, before, questions)
                rows[place] = job.row
                save_table(self.folder, rows, others)  # a run that is killed can be gone on with
                rows[place] = train_apart(job, self.reporter, self.stop)
            save_table(self.folder, rows, others)
        return Compared(with_differences(with_speedups(rows)), self.is_lm, self.folder)

    def _questions(self) -> AnalogySet | None:
        if self.is_lm:
            if self.questions is not None:
                why = "language models are compared by perplexity"
                self.reporter.note(f"`questions` is for word vectors: {why}")
            return None
        if self.questions is None:
            why = "name a set on words of your text with `questions`"
            self.reporter.note(f"the questions are those of the demo corpus: {why}")
            return next(each for each in default_sets() if isinstance(each, AnalogySet))
        found = load_set(os.fspath(self.questions))
        if not isinstance(found, AnalogySet):
            problem = f"`questions` {self.questions} holds pairs of words with scores"
            raise InputError(f"{problem}: name a set of analogies")
        if not any(section.questions for section in found.sections):
            raise InputError(f"`questions` {self.questions} holds no question: name another set")
        return found

    def _earlier(self) -> dict[str, Row]:
        """Makes the output folder and looks for earlier runs: their rows by name."""
        folder, named = self.folder, f"`output` {self.folder}"
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{named} is a file: name a folder for the runs")
        if not folder.exists():
            check_folder(folder)
        if folder.is_dir() and any(folder.iterdir()) and not (folder / TABLE_JSON).is_file():
            raise InputError(f"{named} holds other things than a comparison: name another folder")
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            why = f"{error.strerror}; name another folder"
            raise InputError(f"{named} cannot be made: {why}") from None
        earlier = load_table(folder)
        for each in self.contenders:
            row = earlier.get(each.name)
            if row is not None and (self.overwrite or not (folder / each.name).is_dir()):
                del earlier[each.name]
            elif row is not None and row.status == "done":
                check_same(each, row, folder)
        return earlier

    def _job(self, each: Contender, before: Row, questions: AnalogySet | None) -> Job:
        """What is to be trained; goes on with the run that `before` is of, if it was stopped or
        killed and its settings were the same."""
        row = Row(each.name, each.loss, "training", settings=settings_asked(each))
        folder = self.folder / each.name
        begun = before.status in ("interrupted", "training") and before.settings == row.settings
        resume = begun and any((folder / "checkpoints").glob("*"))
        output = OutputSettings(output=str(folder), overwrite=True)
        config, demo = replace(each.config, output=output), self.questions is None
        return Job(row, config, resume, self.use_cache, questions, demo)


def check_comparable(contenders: Sequence[Contender]) -> None:
    """Raises InputError for what could not be compared: different models, language models without a
    validation text, files that are not there, or a corpus that can be read once only."""
    configs = [each.config for each in contenders]
    if len({config.model.model for config in configs}) > 1:
        raise InputError("one model is compared under several losses: give all the same `model`")
    for config in configs:
        texts, valid = list(config.corpus.corpus), config.validation.valid
        if valid is not None:
            texts.append(valid)
        elif not config.only_vectors:
            raise InputError("`model` lm needs `valid`, the text whose perplexity is compared")
        for source in resolve_sources(texts, config.corpus.column)[0]:
            if not source.lasting:
                problem = f"{source.name} can be read once only: save it to a file"
                raise InputError(f"texts are read once per loss, {problem}")


def check_same(each: Contender, row: Row, output: Path) -> None:
    """Raises InputError for the first setting of a finished run that is another one now."""
    before, now = row.settings or {}, settings_asked(each)
    for name in [*now, *before]:
        if before.get(name) != now.get(name):
            changed = f"was trained with {name} {before.get(name)}, now it is {now.get(name)}"
            remedy = "add `overwrite` to train all anew, or name another `output`"
            raise InputError(f"{output / each.name} {changed}: {remedy}")


def settings_asked(each: Contender) -> Any:
    """All settings of a contender by name, as they come back from compare.json."""
    return json.loads(json.dumps(each.config.saved_values()))
