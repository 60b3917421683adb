"""One run, completely described: what the settings come to together, and how they are saved."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from typing import Any

from w2v import __version__
from w2v.losses.table import LOSSES
from w2v.settings import language_model as language_model
from w2v.settings.declare import settings_of
from w2v.settings.groups import (
    WORD_VECTORS_ONLY,
    CheckpointSettings,
    CorpusSettings,
    ModelSettings,
    OutputSettings,
    StartSettings,
    TrainingSettings,
    ValidationSettings,
)
from w2v.settings.language_model import LanguageModelSettings
from w2v.system.cores import available_cores

# By optimizer and model. word2vec.c's for sgd; the others from the demo corpus, where all losses
# learn well at them.
DEFAULT_LR = {
    "sgd": {"skip-gram": 0.025, "cbow": 0.05},
    "adagrad": {"skip-gram": 0.1, "cbow": 0.1},
    "sparse-adam": {"skip-gram": 0.01, "cbow": 0.01},
}


@dataclass(frozen=True)
class Config:
    """One run, completely described. `loss` is the options dataclass of the loss that
    `training.loss` names."""

    corpus: CorpusSettings
    model: ModelSettings
    training: TrainingSettings
    lm: LanguageModelSettings
    validation: ValidationSettings
    start: StartSettings
    checkpoints: CheckpointSettings
    output: OutputSettings
    loss: Any
    notes: tuple[str, ...] = ()  # for the user: settings that were given but have no effect
    # for the user: how `engine` came about
    why_engine: str = dataclasses.field(default="", compare=False)

    @property
    def engine(self) -> str:
        """What trains, hogwild or autograd: as given, else hogwild where it can."""
        if self.training.engine != "auto":
            return self.training.engine
        return "autograd" if self.beyond_hogwild else "hogwild"

    @property
    def beyond_hogwild(self) -> list[str]:
        """The options that ask for what only the autograd engine can do."""
        training = self.training
        if self.model.model == "lm":
            return ["`model` lm"]
        return [
            text
            for text, beyond in (
                (f"`loss` {training.loss}", LOSSES[training.loss].fused is None),
                (f"`optimizer` {training.optimizer}", training.optimizer not in (None, "sgd")),
                (f"`device` {training.device}", training.device.startswith("cuda")),
                ("`freeze`", self.start.freeze),
            )
            if beyond
        ]

    @property
    def optimizer(self) -> str:
        """How gradients become updates: as given, else what the engine or the language model does
        best."""
        if self.training.optimizer is None and self.model.model == "lm":
            return language_model.default_optimizer(
                self.lm.arch, LOSSES[self.training.loss].scores_all
            )
        return self.training.optimizer or ("adagrad" if self.engine == "autograd" else "sgd")

    @property
    def default_batch_size(self) -> int:
        """Words of the text per step of the autograd engine, where the user does not say.

        With sgd all predictions of a batch move a row by the sum of what each alone would: large
        batches diverge.
        """
        words = 256 if self.optimizer == "sgd" else 16384
        # for wide windows fewer words: they make as many predictions
        return (
            words
            if self.model.model == "cbow"
            else max(1, min(words, words * 6 // (self.model.window + 1)))
        )

    @property
    def lr(self) -> float:
        """Learning rate at the start: as given, else the default of optimizer and model."""
        if self.training.lr is not None:
            return self.training.lr
        if self.model.model == "lm":
            return language_model.LR[self.optimizer]
        return DEFAULT_LR[self.optimizer][self.model.model]

    @property
    def unused(self) -> tuple[str, ...]:
        """The settings that do nothing in this run."""
        validation = (
            () if self.validation.valid is not None else tuple(settings_of(ValidationSettings))
        )
        if self.model.model != "lm":
            return (*settings_of(LanguageModelSettings), *validation)
        unset = (name for name in language_model.OPTIONAL if getattr(self.lm, name) is None)
        return (*WORD_VECTORS_ONLY, *unset, *validation)

    @property
    def threads(self) -> int:
        """Worker threads: as given, else the cores this process may use."""
        return self.training.threads if self.training.threads is not None else available_cores()

    def as_dict(self) -> dict[str, Any]:
        """Every resolved value by the name of its setting, ready for YAML and JSON."""
        values: dict[str, Any] = {}
        groups = (self.corpus, self.model, self.training, self.lm, self.loss, self.validation)
        for part in (*groups, self.start, self.checkpoints, self.output):
            values |= {name: getattr(part, name) for name in settings_of(type(part))}
        for name in self.unused:
            del values[name]
        values |= {"corpus": list(self.corpus.corpus), "lr": self.lr, "threads": self.threads}
        values |= {"engine": self.engine, "optimizer": self.optimizer}
        return values

    def saved_values(self) -> dict[str, Any]:
        """What config.yaml holds: the values without those about the output, with paths that hold
        anywhere."""
        values = {
            name: value
            for name, value in self.as_dict().items()
            if name not in settings_of(OutputSettings)
        }
        values["corpus"] = [
            entry if entry == "-" else os.path.abspath(entry) for entry in self.corpus.corpus
        ]
        if self.start.init is not None:
            values["init"] = os.path.abspath(self.start.init)
        return values

    def to_yaml(self) -> str:
        """The text of config.yaml: given back through `config` it repeats the run."""
        import yaml

        values = self.saved_values()
        body = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
        # PyYAML does not escape U+0085 and the like among readable letters
        if yaml.safe_load(body) != values:
            body = yaml.safe_dump(values, sort_keys=False)
        return (
            "# w2v train --config config.yaml     (repeats the run; written by w2v"
            f" {__version__})\n{body}"
        )

    def save_yaml(self, path: str | os.PathLike[str]) -> None:
        """Writes `to_yaml()`.

        Raises:
            RunError: the file cannot be written.
        """
        from w2v.system.files import atomic_file

        with atomic_file(path) as file:
            file.write(self.to_yaml().encode())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Config:
        """The configuration in a YAML file alone.

        Raises:
            InputError: see `build_config`.
        """
        from w2v.settings.build import build_config  # which needs this class

        return build_config({}, path)
