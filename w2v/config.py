"""All settings of a training run, declared once: command line, YAML files and the saved config.yaml derive from them.

Precedence: command line, then the YAML file, then the defaults (word2vec.c's). All that is wrong is reported at once.

    config = build_config({"corpus": ("corpus.txt",), "dim": "50"}, "recipe.yaml")
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from w2v import __version__
from w2v.cores import available_cores
from w2v.errors import InputError, shown
from w2v.interval import parse_interval
from w2v.limits import MAX_DIM
from w2v.losses import LOSSES
from w2v.losses.options import SampledOptions
from w2v.models import options as language_model
from w2v.models.options import LanguageModelSettings
from w2v.settings import BadValue, Setting, nearest, setting, settings_of

# By optimizer and model. word2vec.c's for sgd; the others from the demo corpus, where all losses learn well at them.
MAX_PROBLEMS = 20  # told at once
DEFAULT_LR = {
    "sgd": {"skip-gram": 0.025, "cbow": 0.05},
    "adagrad": {"skip-gram": 0.1, "cbow": 0.1},
    "sparse-adam": {"skip-gram": 0.01, "cbow": 0.01},
}


WORD_VECTORS_ONLY = ("window", "sample", "max_sentence")  # what a language model has no use for


@dataclass(frozen=True)
class CorpusSettings:
    """What is read, and which of its words are kept."""

    corpus: tuple[str, ...] = setting((), "files, folders, globs or - for standard input", flag=False)
    column: str | None = setting(None, "the column that holds the text of .jsonl, .csv and .parquet", metavar="NAME")
    lowercase: bool = setting(False, "read all words in lower case")
    encoding_errors: str = setting("replace", "what happens to bytes that are not UTF-8", choices=("replace", "strict"))
    min_count: int = setting(5, "leave out words that occur less often", low=1, default_text="5; lm 1")
    max_vocab: int = setting(0, "keep only this many of the most frequent words; 0 keeps all", low=0)
    max_sentence: int = setting(1000, "split lines of more words than this; 0 never splits", low=0)


@dataclass(frozen=True)
class ModelSettings:
    """What is learnt."""

    model: str = setting(
        "skip-gram", "how a word and its context predict each other; lm: a language model, every token from all before",
        choices=("skip-gram", "cbow", "lm"),
    )  # fmt: skip
    dim: int = setting(100, "length of the vectors", low=1, high=MAX_DIM, default_text="100; lm 200")
    window: int = setting(
        5, "farthest context word; a window is drawn from 1 to this, and ends at the line's end", low=1
    )
    cbow_hidden: str = setting("mean", "cbow: what context words' vectors become together", choices=("mean", "sum"))
    cbow_grad: str = setting(
        "word2vec", "cbow, mean: each context word learns the whole gradient of the mean, or its own share of it",
        choices=("word2vec", "mean"),
    )  # fmt: skip


@dataclass(frozen=True)
class TrainingSettings:
    """How it is learnt."""

    loss: str = setting(
        "neg", "the output layer; `w2v losses` describes them", choices=tuple(LOSSES), default_text="neg; lm softmax"
    )
    sample: float = setting(1e-3, "leave out words above this frequency at random; 0 turns it off", low=0)
    lr: float | None = setting(
        None, "learning rate at the start; falls linearly, for lm by --schedule", low=0, low_exclusive=True,
        default_text="0.025 for skip-gram, 0.05 for cbow; adagrad 0.1, sparse-adam 0.01;"
        " lm: sgd 20, adagrad 0.1, adamw 0.002",
    )  # fmt: skip
    epochs: int = setting(5, "passes over the corpus", low=1)
    threads: int | None = setting(
        None, "worker threads; 1 makes runs repeatable", low=1, high=1024,
        default_text="the cores this process may use",
    )  # fmt: skip
    seed: int = setting(1, "seed of all random numbers", low=0, high=2**63 - 1)
    deterministic: bool = setting(False, "the same vectors every time with several threads too; takes more memory")
    engine: str = setting(
        "auto", "fused CPU kernels for the losses that score few words, or PyTorch for everything",
        choices=("auto", "hogwild", "autograd"),
    )  # fmt: skip
    device: str = setting(
        "auto", "where autograd works; auto is the first GPU if there is one", metavar="auto|cpu|cuda[:N]"
    )
    batch_size: int | None = setting(
        None, "autograd: words of the text per step; lm: columns read side by side", low=1,
        default_text="16384; 256 for sgd; lm 20",
    )  # fmt: skip
    optimizer: str | None = setting(
        None, "how gradients become updates; adamw: lm only", choices=("sgd", "adagrad", "sparse-adam", "adamw"),
        default_text="adagrad for autograd; hogwild has sgd only; lm: sgd for lstm and gru with a loss that scores"
        " all V rows, adamw for transformer, else adagrad",
    )  # fmt: skip


@dataclass(frozen=True)
class ValidationSettings:
    """Another text, which is measured and not learnt."""

    valid: str | None = setting(
        None, "text that is measured after every epoch: its loss, with the same windows and noise words every time;"
        " lm: its perplexity, and the best model is kept",
        metavar="FILE",
    )  # fmt: skip
    patience: int = setting(
        0, "stop after this many epochs without a better --valid, and keep the best; 0: never", low=0
    )


@dataclass(frozen=True)
class StartSettings:
    """Where training starts from, if not from random vectors."""

    init: str | None = setting(
        None, "start from the vectors of a run, whose vocabulary stays, or of a file", metavar="RUN|FILE",
    )  # fmt: skip
    freeze: bool = setting(False, "leave the vectors of --init as they are (autograd engine)")
    extend_vocab: bool = setting(False, "give new words rows beside those of the run that --init names")


@dataclass(frozen=True)
class CheckpointSettings:
    """How the run is saved on its way."""

    checkpoint_every: str | None = setting(
        None, "save the run's state in the run directory so often, and at every epoch's end",
        metavar="30s|5m|2M", default_text="never; s, m, h are time, k, M, G words",
    )  # fmt: skip
    keep: int = setting(2, "checkpoints to keep, the latest", low=1)


@dataclass(frozen=True)
class OutputSettings:
    """Where the result goes. Not part of a saved configuration: it says nothing about the vectors."""

    output: str | None = setting(
        None, "a run directory, or just vectors by extension: .txt .vec .bin .glove .npy", metavar="PATH",
        default_text="CORPUS-MODEL-LOSS in the working directory",
    )  # fmt: skip
    overwrite: bool = setting(False, "replace an output that exists")


GROUPS: dict[str, type] = {
    "corpus": CorpusSettings, "model": ModelSettings, "training": TrainingSettings, "lm": LanguageModelSettings,
    "validation": ValidationSettings, "start": StartSettings, "checkpoints": CheckpointSettings,
    "output": OutputSettings,
}  # fmt: skip


@dataclass(frozen=True)
class Config:
    """One run, completely described. `loss` is the options dataclass of the loss that `training.loss` names."""

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
    why_engine: str = dataclasses.field(default="", compare=False)  # for the user: how `engine` came about

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
            return ["--model lm"]
        return [
            text
            for text, beyond in (
                (f"--loss {training.loss}", "hogwild" not in LOSSES[training.loss].engines),
                (f"--optimizer {training.optimizer}", training.optimizer not in (None, "sgd")),
                (f"--device {training.device}", training.device.startswith("cuda")),
                ("--freeze", self.start.freeze),
            )
            if beyond
        ]

    @property
    def optimizer(self) -> str:
        """How gradients become updates: as given, else what the engine or the language model does best."""
        if self.training.optimizer is None and self.model.model == "lm":
            return language_model.default_optimizer(self.lm.arch, LOSSES[self.training.loss].scores_all)
        return self.training.optimizer or ("adagrad" if self.engine == "autograd" else "sgd")

    @property
    def default_batch_size(self) -> int:
        """Words of the text per step of the autograd engine, where the user does not say.

        With sgd all predictions of a batch move a row by the sum of what each alone would: large batches diverge.
        """
        words = 256 if self.optimizer == "sgd" else 16384
        # for wide windows fewer words: they make as many predictions
        return words if self.model.model == "cbow" else max(1, min(words, words * 6 // (self.model.window + 1)))

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
        validation = () if self.validation.valid is not None else tuple(settings_of(ValidationSettings))
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
        """What config.yaml holds: the values without those about the output, with paths that hold anywhere."""
        values = {name: value for name, value in self.as_dict().items() if name not in settings_of(OutputSettings)}
        values["corpus"] = [entry if entry == "-" else os.path.abspath(entry) for entry in self.corpus.corpus]
        if self.start.init is not None:
            values["init"] = os.path.abspath(self.start.init)
        return values

    def to_yaml(self) -> str:
        """The text of config.yaml: given back through --config it repeats the run."""
        import yaml

        values = self.saved_values()
        body = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
        if yaml.safe_load(body) != values:  # PyYAML does not escape U+0085 and the like among readable letters
            body = yaml.safe_dump(values, sort_keys=False)
        return f"# w2v train --config config.yaml     (repeats the run; written by w2v {__version__})\n{body}"

    def save_yaml(self, path: str | os.PathLike[str]) -> None:
        """Writes `to_yaml()`.

        Raises:
            RunError: the file cannot be written.
        """
        from w2v.files import atomic_file

        with atomic_file(path) as file:
            file.write(self.to_yaml().encode())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Config:
        """The configuration in a YAML file alone.

        Raises:
            InputError: see `build_config`.
        """
        return build_config({}, path)


def loss_settings() -> dict[str, Setting]:
    """The settings of all losses by name; a name that several losses share means the same in each."""
    return {name: found for entry in LOSSES.values() for name, found in settings_of(entry.options).items()}


def losses_with(name: str) -> list[str]:
    """The names of the losses that have this setting."""
    return [entry.name for entry in LOSSES.values() if name in settings_of(entry.options)]


def all_settings() -> dict[str, Setting]:
    """Every setting by name, in the order in which people should read them."""
    found: dict[str, Setting] = {}
    for name, group in GROUPS.items():
        found |= settings_of(group)
        if name == "training":
            found |= loss_settings()
    return found


def build_config(cli: Mapping[str, Any], yaml_path: str | os.PathLike[str] | None = None) -> Config:
    """The configuration from the command line (texts by setting name, None = not given) and a YAML file.

    Raises:
        InputError: the file cannot be used, or names, types or values are wrong; one message tells all of them.
    """
    from_file: list[tuple[str, Any]] = []
    problems: list[str] = []
    if yaml_path is not None:
        from_file, problems = _read_yaml(yaml_path)
    given = [(name, value, f"{name} in {yaml_path}") for name, value in from_file]
    given += [(name, value, _option(name)) for name, value in cli.items() if value is not None]
    return _assemble(given, problems)


def config_of(given: Iterable[tuple[str, Any, str]]) -> Config:
    """The configuration of (setting, value, how the user named it) triples; later ones win over earlier ones.

    Raises:
        InputError: names, types or values are wrong; one message tells all of them.
    """
    return _assemble(given, [])


def _assemble(given: Iterable[tuple[str, Any, str]], problems: list[str]) -> Config:
    """Converts and sorts (name, value, place) triples into a Config; later ones win over earlier ones."""
    known = all_settings()
    values: dict[str, Any] = {}
    places: dict[str, str] = {}
    refused: set[str] = set()
    for name, value, place in given:
        if name not in known:
            problems.append(_unknown(f"unknown setting {shown(name)}", name, known))
            continue
        try:
            values[name] = known[name].convert(value, place)
            places[name] = place
        except BadValue as error:
            problems.append(str(error))
            refused.add(name)
    if not values.get("corpus") and "corpus" not in refused:
        problems.append("no corpus: name a text file, a folder, or - for standard input")
    if "device" in values and not re.fullmatch(r"auto|cpu|cuda(:[0-9]{1,4})?", str(values["device"])):
        problems.append(f"{places['device']} {values['device']} is not one of auto, cpu, cuda, or cuda: and a number")
    problems += [
        f"{places[name]} needs --init: name the run or the vectors to start from"
        for name in ("freeze", "extend_vocab")
        if values.get(name) and values.get("init") is None
    ]
    if values.get("checkpoint_every") is not None:
        try:
            parse_interval(str(values["checkpoint_every"]))
        except ValueError as error:
            problems.append(f"{places['checkpoint_every']} {error}")
    _refuse(problems)

    if values.get("valid") not in (None, "-"):
        values["valid"] = os.path.abspath(str(values["valid"]))
    is_lm = values.get("model") == "lm"
    if is_lm:
        values = language_model.DEFAULTS | values
    groups = {
        group: cls(**{name: values[name] for name in settings_of(cls) if name in values})
        for group, cls in GROUPS.items()
    }
    training = groups["training"]
    options = LOSSES[training.loss].options
    chosen = settings_of(options)
    notes = [
        f"{place} is not used by --loss {training.loss} (only by {_listed(losses_with(name))})"
        for name, place in places.items()
        if losses_with(name) and name not in chosen
    ]
    if is_lm and issubclass(options, SampledOptions):
        values.setdefault("negatives", language_model.NEGATIVES)
    config = Config(**groups, loss=options(**{name: values[name] for name in chosen if name in values}))
    problems = []
    if config.validation.patience and config.validation.valid is None:
        problems.append(f"{places['patience']} {config.validation.patience} needs --valid FILE, the text it watches")
    if config.training.engine == "hogwild" and config.beyond_hogwild:
        problems += [f"--engine hogwild cannot do {_listed(config.beyond_hogwild)}: use --engine autograd or auto"]
    if is_lm:
        entry = LOSSES[training.loss]
        validated = config.validation.valid is not None
        problems += language_model.problems(
            config.lm, config.model.dim, training.loss, entry.tied, entry.bias, validated
        )
        if config.start.init is not None:
            problems.append(f"{places['init']} is for word vectors: leave it away, --model lm starts by itself")
        notes += language_model.notes(config.lm, places)
        config = dataclasses.replace(
            config,
            lm=language_model.resolved(config.lm, config.model.dim, config.optimizer, entry.bias, validated),
        )
    elif training.optimizer == "adamw":
        problems.append(f"--optimizer adamw is for --model lm only: use {_listed([*DEFAULT_LR])}")
    _refuse(problems)
    notes += [
        f"{place} is not used by --model {config.model.model}{'' if is_lm else ' (only by lm)'}"
        for name, place in places.items()
        if name in (WORD_VECTORS_ONLY if is_lm else settings_of(LanguageModelSettings))
    ]
    if training.engine != "auto":
        why = f"as {places['engine']} says"
    elif config.beyond_hogwild:
        why = f"{_listed(config.beyond_hogwild)} {'needs' if len(config.beyond_hogwild) == 1 else 'need'} it"
    else:
        why = f"the fused CPU kernels have --loss {training.loss}"
    resolved = {name: getattr(config, name) for name in ("lr", "threads", "engine", "optimizer")}
    if config.engine == "hogwild" and training.batch_size is not None:
        resolved["batch_size"] = None
        notes.append(f"{places['batch_size']} is not used by the hogwild engine (add --engine autograd)")
    if config.engine == "autograd" and training.deterministic:
        notes.append(f"{places['deterministic']} is not used by the autograd engine")
    notes += _idle_cbow(config.model, places)
    training = dataclasses.replace(training, **resolved)
    return dataclasses.replace(config, training=training, notes=tuple(notes), why_engine=why)


def _idle_cbow(model: ModelSettings, places: Mapping[str, str]) -> list[str]:
    """Notes on CBOW's settings that were changed but have no effect."""
    notes = []
    if model.model != "cbow":
        changed = [
            name for name in ("cbow_hidden", "cbow_grad") if getattr(model, name) != getattr(ModelSettings, name)
        ]
        notes = [f"{places[name]} is not used by --model {model.model}" for name in changed]
    elif model.cbow_hidden == "sum" and model.cbow_grad != ModelSettings.cbow_grad:
        notes = [f"{places['cbow_grad']} is not used by --cbow-hidden sum"]
    return notes


def _refuse(problems: list[str]) -> None:
    if problems:
        told = problems[:MAX_PROBLEMS] + (["…"] if len(problems) > MAX_PROBLEMS else [])
        raise InputError(problems[0] if len(problems) == 1 else f"{len(problems)} problems: " + "; ".join(told))


def _listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _read_yaml(path: str | os.PathLike[str]) -> tuple[list[tuple[str, Any]], list[str]]:
    from w2v.configfile import read_settings

    pairs, problems = read_settings(path)
    known, of_losses = all_settings(), loss_settings()
    found = []
    for key, value in pairs:
        name = key.removeprefix("loss.")
        if key.partition(".")[0] == "losses":
            several = f"losses in {path} are several: w2v compare trains them, w2v train takes one `loss`"
            problems += [several] if several not in problems else []
        elif name not in (of_losses if key != name else known):
            # looking for the nearest name takes time, which a file of nothing but unknown keys shall not have
            near = (of_losses if key != name else known) if len(problems) < MAX_PROBLEMS else ()
            problems.append(_unknown(f"unknown key {shown(key)} in {path}", name, near))
        else:
            found.append((name, value))
    return found, problems


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    guess = nearest(name, known)
    return f"{what} (did you mean {guess!r}?)" if guess else f"{what} (w2v train --help lists the settings)"


def _option(name: str) -> str:
    return "CORPUS" if name == "corpus" else "--" + name.replace("_", "-")
