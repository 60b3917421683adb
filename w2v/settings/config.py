"""The complete configuration of a run, and how it is saved."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from w2v import __version__
from w2v.losses.options import LossOptions
from w2v.settings import groups, language_model
from w2v.settings.declare import settings_of
from w2v.settings.language_model import LanguageModelSettings
from w2v.system.files import absolute

IN_MEMORY = "(in memory)"  # the name of a corpus that is not a file
# May be given when a run is resumed. The first makes it longer; the others change only how it is
# computed.
MAY_CHANGE = (
    *("epochs", "threads", "device", "exchange_words"),
    *settings_of(groups.CheckpointSettings),
)
BY_THE_TEXT = 0  # a batch size chosen by the length of the text, once that is known


@dataclass(frozen=True)
class Config:
    """The configuration of a run, with a value for every setting, see `w2v.settings.build`.

    `loss` is an instance of the options dataclass of the loss that `training.loss` names.
    """

    corpus: groups.CorpusSettings
    model: groups.ModelSettings
    training: groups.TrainingSettings
    lm: LanguageModelSettings
    validation: groups.ValidationSettings
    start: groups.StartSettings
    checkpoints: groups.CheckpointSettings
    output: groups.OutputSettings
    loss: LossOptions
    notes: tuple[str, ...] = ()  # for the user: settings that were given but have no effect
    why_engine: str = field(default="", compare=False)  # for the user: why `engine` was chosen

    @property
    def only_vectors(self) -> bool:
        """Whether the run trains word vectors, rather than a language model."""
        return self.model.model != groups.LANGUAGE_MODEL

    @property
    def task_class(self) -> str:
        """The class that carries out such a run, as module:name."""
        return "w2v.words.task:WordsTask" if self.only_vectors else "w2v.lm.task:LanguageModelTask"

    @property
    def unused(self) -> tuple[str, ...]:
        """The names of the settings that have no effect in this run."""
        validation = settings_of(groups.ValidationSettings) if self.validation.valid is None else ()
        chosen = () if self.corpus.vocab is None else groups.CHOOSE_WORDS
        hogwild = self.training.engine == groups.HOGWILD
        fused = () if hogwild else groups.HOGWILD_ONLY
        if self.only_vectors:
            ngrams = () if self.model.ngram_lengths else ("buckets",)
            return (*settings_of(LanguageModelSettings), *validation, *chosen, *ngrams, *fused)
        unused = language_model.unused(self.lm, self.training.optimizer)
        return (*groups.WORD_VECTORS_ONLY, *fused, *unused, *validation, *chosen)

    def as_dict(self) -> dict[str, Any]:
        """Returns the values of all settings with an effect by name, for YAML and JSON."""
        parts = (self.corpus, self.model, self.training, self.lm, self.loss, self.validation)
        values: dict[str, Any] = {}
        for part in (*parts, self.start, self.checkpoints, self.output):
            values |= vars(part)
        values |= {"corpus": [*self.corpus.corpus], "batch_size": self.training.batch_size or None}
        return {name: value for name, value in values.items() if name not in self.unused}

    def saved_values(self) -> dict[str, Any]:
        """Returns the content of config.yaml: all values but the output's, with absolute paths."""
        left_out, known = settings_of(groups.OutputSettings), groups.all_settings()
        values = {name: value for name, value in self.as_dict().items() if name not in left_out}
        for name, value in values.items():
            if isinstance(value, str) and known[name].is_path(value):
                values[name] = absolute(value)
        values["corpus"] = [
            entry if entry == IN_MEMORY else absolute(entry) for entry in self.corpus.corpus
        ]
        return values

    def to_yaml(self) -> str:
        """Returns the text of config.yaml, a recipe that repeats the run."""
        import yaml  # takes 15 ms, and is only needed when a run is written

        values = self.saved_values()
        body = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
        # with allow_unicode, PyYAML fails to escape some characters, such as U+0085
        if yaml.safe_load(body) != values:
            body = yaml.safe_dump(values, sort_keys=False)
        command = "# w2v train --config config.yaml"
        return f"{command}     (repeats the run; written by w2v {__version__})\n{body}"
