"""Trains the contenders one after another, each in its own process and run directory.

The output folder contains a run directory for each contender, with its name, and the table of
results. Finished runs with the same settings are kept, stopped or killed ones are resumed from
their last checkpoint, and failed ones are trained again from the start.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from w2v.comparison.child import Job, scored, train_apart
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
from w2v.evaluation.sets import AnalogySet, Set, load_sets
from w2v.runs.output import check_folder
from w2v.settings.declare import settings_of
from w2v.settings.groups import CorpusSettings, OutputSettings
from w2v.system.ranks import rank_or_single
from w2v.training.report import Reporter, SilentReporter

PathLike = str | os.PathLike[str]


@dataclass
class Comparison:
    """A comparison of the same model on the same corpus with several losses. Raises InputError if
    the settings are wrong."""

    corpus: PathLike | Sequence[PathLike] | None = None  # None: the one in `config`
    losses: Losses = None  # names, or name -> settings; None: those that `config` lists
    settings: Mapping[str, Any] = field(default_factory=dict)  # of all contenders
    config: PathLike | None = None  # a YAML file
    output: PathLike | None = None  # the folder; None: MODEL-compare
    questions: PathLike | Sequence[PathLike] = ()  # sets for word vectors; none: the demo's
    overwrite: bool = False  # whether to train all again
    use_cache: bool = True
    reporter: Reporter = field(default_factory=SilentReporter)
    stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        corpus = () if self.corpus is None else self.corpus
        entries = [corpus] if isinstance(corpus, (str, os.PathLike)) else corpus
        settings = {"corpus": tuple(os.fspath(entry) for entry in entries) or None, **self.settings}
        self.contenders, self.notes = read_contenders(self.losses, settings, self.config)
        model = self.contenders[0].config.model.model
        self.is_lm = not self.contenders[0].config.only_vectors
        self.folder = Path(self.output or f"{model}-compare")

    def run(self) -> Compared:
        """Trains the contenders that are not finished, and saves the table after each. Raises
        InputError if the texts or the folder cannot be used, or a finished run has other settings,
        and RunError if the table cannot be written."""
        if rank_or_single().size > 1:
            raise InputError("a comparison runs in one process: start it without torchrun")
        for note in self.notes:
            self.reporter.note(note)
        check_comparable(self.contenders)
        wanted = [Row(c.name, c.loss, settings=settings_asked(c)) for c in self.contenders]
        if unlike := with_differences(wanted)[0].differing:
            values = {row.name: row.settings or {} for row in wanted}
            parts = (
                f"`{name}` ({', '.join(f'{row} {values[row][name]}' for row in values)})"
                for name in unlike
            )
            why = "to compare only losses, give all the same values"
            self.reporter.note(f"the runs differ in {' and '.join(parts)}: {why}")
        sets = self._sets()
        earlier = self._earlier()
        rows = [earlier.get(c.name) or Row(c.name, c.loss) for c in self.contenders]
        others = [row for row in earlier.values() if row not in rows]
        for i, contender in enumerate(self.contenders):
            before = rows[i]
            if before.status == "done":
                where = self.folder / contender.name
                self.reporter.note(
                    f"{contender.name}: kept from {where} (`overwrite` trains it again)"
                )
                if sets:
                    rows[i] = self._asked(contender, before, sets)
            elif not self.stop.is_set():
                self.reporter.stage(f"{contender.name} ({i + 1} of {len(rows)})")
                job = self._job(contender, before, sets)
                rows[i] = job.row
                save_table(self.folder, rows, others)  # so that a killed run can be resumed
                rows[i] = train_apart(job, self.reporter, self.stop)
            save_table(self.folder, rows, others)
        return Compared(with_differences(with_speedups(rows)), self.is_lm, self.folder)

    def _sets(self) -> dict[str, Set]:
        """Returns what word vectors are asked, by name; nothing for language models."""
        given = self.questions
        paths = [given] if isinstance(given, (str, os.PathLike)) else given
        if self.is_lm:
            if paths:
                why = "language models are compared by perplexity"
                self.reporter.note(f"`questions` is ignored: {why}")
            return {}
        if not paths:
            why = "give sets about words of your text with `questions`"
            self.reporter.note(f"the questions are those of the demo corpus: {why}")
        sets = load_sets([os.fspath(path) for path in paths])
        for path, each in zip(paths, sets.values(), strict=False):
            if isinstance(each, AnalogySet) and not any(part.questions for part in each.sections):
                raise InputError(f"`questions` {path} has no questions: name another set")
        return sets

    def _earlier(self) -> dict[str, Row]:
        """Makes the output folder, or returns the rows of earlier runs in it by name."""
        folder, named = self.folder, f"`output` {self.folder}"
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{named} is a file: name a folder for the runs")
        if not folder.exists():
            check_folder(folder)
        if folder.is_dir() and any(folder.iterdir()) and not (folder / TABLE_JSON).is_file():
            raise InputError(f"{named} is not empty and has no comparison: name another folder")
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            why = f"{error.strerror}; name another folder"
            raise InputError(f"{named} cannot be made: {why}") from None
        earlier = load_table(folder)
        for contender in self.contenders:
            row = earlier.get(contender.name)
            if row is not None and (self.overwrite or not (folder / contender.name).is_dir()):
                del earlier[contender.name]
            elif row is not None and row.status == "done":
                check_same(contender, row, folder)
        return earlier

    def _asked(self, contender: Contender, done: Row, sets: Mapping[str, Set]) -> Row:
        """Returns the row of a run that is done with its scores on these sets, which may not be
        those that it was asked before."""
        unasked = replace(done, **scored(()))
        if self.stop.is_set():
            return unasked
        row = train_apart(self._job(contender, unasked, sets), self.reporter, self.stop)
        return unasked if row.status == "interrupted" else row

    def _job(self, contender: Contender, before: Row, sets: Mapping[str, Set]) -> Job:
        """Returns the job for a contender: ask the run of the row `before` if it is done, resume it
        if it was stopped or killed and had the same settings; else train from the start."""
        row = Row(contender.name, contender.loss, "training", settings=settings_asked(contender))
        folder = self.folder / contender.name
        begun = before.status in ("interrupted", "training") and before.settings == row.settings
        resume = begun and any((folder / "checkpoints").glob("*"))
        if before.status == "done":
            row, resume = replace(before, status="training"), True
        output = OutputSettings(output=str(folder), overwrite=True)
        config = replace(contender.config, output=output)
        return Job(row, config, resume, self.use_cache, sets, not self.questions)


def check_comparable(contenders: Sequence[Contender]) -> None:
    """Raises InputError for contenders that cannot be compared: different models, language models
    without a validation text or with different tokens, missing files, or a corpus that can be read
    only once."""
    configs = [contender.config for contender in contenders]
    if len({config.model.model for config in configs}) > 1:
        raise InputError("losses are compared with one model: give all the same `model`")
    if not configs[0].only_vectors:
        check_same_tokens(contenders)
    for config in configs:
        texts, valid = list(config.corpus.corpus), config.validation.valid
        if valid is not None:
            texts.append(valid)
        elif not config.only_vectors:
            raise InputError("`model` lm needs `valid`, the text whose perplexity is compared")
        for source in resolve_sources(texts, config.corpus.column)[0]:
            if not source.lasting:
                problem = f"but {source.name} can be read only once: save it to a file"
                raise InputError(f"texts are read once per loss, {problem}")


def check_same_tokens(contenders: Sequence[Contender]) -> None:
    """Raises InputError for language models that read different texts, or as different tokens: the
    more of them are <unk> or parts of words, the lower is the perplexity."""
    for name in ("valid", "subwords", *settings_of(CorpusSettings)):
        values = {c.name: settings_asked(c).get(name) for c in contenders}
        if len(set(map(repr, values.values()))) > 1:
            given = ", ".join(f"{contender} {value}" for contender, value in values.items())
            why = "perplexities of different tokens cannot be compared"
            raise InputError(f"{why}: give all language models the same `{name}` (now {given})")


def check_same(contender: Contender, row: Row, output: Path) -> None:
    """Raises InputError for the first setting that differs from that of a finished run."""
    before, after = row.settings or {}, settings_asked(contender)
    for name in [*after, *before]:
        if before.get(name) != after.get(name):
            changed = f"was trained with {name} {before.get(name)}, not {after.get(name)}"
            remedy = "add `overwrite` to train all again, or name another `output`"
            raise InputError(f"{output / contender.name} {changed}: {remedy}")


def settings_asked(contender: Contender) -> Any:
    """Returns all settings of a contender by name, as they would be read back from compare.json."""
    return json.loads(json.dumps(contender.config.saved_values()))
