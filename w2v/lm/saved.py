"""A trained language model on disk: model.safetensors and the vocabulary inside a run directory.
Never pickles."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch

from w2v.errors import InputError, RunError, shown
from w2v.lm.bodies.choose import make_body
from w2v.lm.model import LanguageModel, make_language_model
from w2v.lm.vocabulary import TokenVocabulary
from w2v.settings.build import load_config
from w2v.settings.config import Config
from w2v.system.files import atomic_file
from w2v.system.memory import available_memory

MODEL_FILE = "model.safetensors"
RUN_VERSION = "1"


@dataclass
class SavedModel:
    """A trained model, ready to predict (in eval mode), and how to write and read its tokens."""

    model: LanguageModel
    vocabulary: TokenVocabulary
    config: Config


def model_arrays(model: LanguageModel) -> dict[str, np.ndarray]:
    """float32 arrays of all parameters by state_dict name; tied ones once, as input.weight."""
    named = dict(model.named_parameters())
    return {name: parameter.detach().cpu().numpy() for name, parameter in named.items()}


def model_files(
    arrays: Mapping[str, np.ndarray], vocabulary: TokenVocabulary
) -> dict[str, Callable[[IO[bytes]], Any]]:
    """What writes the files of a model with these parameters into a run directory that has its
    vocab.tsv, by name."""
    from safetensors.numpy import save

    files: dict[str, Callable[[IO[bytes]], Any]] = {
        MODEL_FILE: lambda file: file.write(save(dict(arrays)))
    }
    if (subwords := vocabulary.subwords) is not None:
        files["tokenizer.json"] = lambda file: file.write(subwords.to_json().encode())
    return files


def save_language_model(folder: Path, model: LanguageModel, vocabulary: TokenVocabulary) -> None:
    """Writes model.safetensors and the vocabulary's files into `folder`.

    Raises:
        RunError: a file cannot be written.
    """
    for name, write in model_files(model_arrays(model), vocabulary).items():
        with atomic_file(folder / name) as file:
            write(file)
    vocabulary.vocabulary.save(folder / "vocab.tsv")


def load_language_model(run: str | Path, device: str = "cpu") -> SavedModel:
    """The language model that `w2v train `model` lm` wrote to the run directory `run`.

    Raises:
        InputError: there is none, or a file is missing, damaged, or does not fit the others.
        RunError: there is not enough memory for it.
    """
    folder = Path(run)
    if not folder.is_dir():
        raise InputError(f"{folder} is no run directory: name one that w2v train `model` lm wrote")
    if not (folder / MODEL_FILE).is_file():
        raise InputError(
            f"{folder} holds no language model ({MODEL_FILE} is missing): name a run of w2v train"
            " `model` lm"
        )
    version = folder / "format_version"
    if (
        version.is_file()
        and (found := version.read_text(errors="replace").strip()[:32]) != RUN_VERSION
    ):
        raise InputError(
            f"{folder} has format_version {found!r}, this w2v reads {RUN_VERSION}; use the w2v that"
            " wrote it"
        )
    if not (folder / "config.yaml").is_file():
        raise InputError(f"{folder} is incomplete: config.yaml is missing")
    config = load_config(folder / "config.yaml")
    if config.model.model != "lm":
        raise InputError(
            f"{folder}/config.yaml is of {config.model.model}, not of a language model (lm)"
        )
    vocabulary = TokenVocabulary.load(folder)
    shapes = _shapes(folder / MODEL_FILE)
    try:
        _check_size(config, len(vocabulary), shapes, folder / MODEL_FILE)
        model = make_language_model(config, torch.from_numpy(vocabulary.counts), sparse=False)
    except ValueError as error:
        raise InputError(f"{folder} is damaged: {error}") from None
    _check_shapes(shapes, dict[str, torch.Tensor](model.named_parameters()), folder / MODEL_FILE)
    _load_arrays(model, folder / MODEL_FILE)
    return SavedModel(model.to(device).eval(), vocabulary, config)


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """The shapes that the file's header gives, which need not be true."""
    from safetensors import SafetensorError, safe_open

    shapes = {}
    try:
        with safe_open(path, "np") as file:
            for name in file.keys():  # noqa: SIM118  it is no dict
                part = file.get_slice(name)
                if part.get_dtype() != "F32":
                    raise InputError(
                        f"{path}: {shown(name)} is {part.get_dtype()}, a model has F32"
                    )
                shapes[name] = tuple(part.get_shape())
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path} cannot be read: {error}") from None
    return shapes


def _check_size(
    config: Config, words: int, shapes: Mapping[str, tuple[int, ...]], path: Path
) -> None:
    """Before anything of config.yaml's size is allocated: are embeddings and body as large in the
    file, and is there memory for the output layer?"""
    try:
        with torch.device("meta"):
            body = make_body(config.lm, config.model.dim)
    except RuntimeError:  # more numbers than 64 bits count
        raise InputError(
            f"{path} does not fit config.yaml beside it: no model is as large as that"
        ) from None
    known: dict[str, torch.Tensor] = {
        f"body.{name}": part for name, part in body.named_parameters()
    }
    known["input.weight"] = torch.empty(words, config.model.dim, device="meta")
    _check_shapes({name: shapes[name] for name in set(shapes) & set(known)}, known, path)
    needed, available = 4 * words * (body.width + 1), available_memory()  # of the output layer
    if available is not None and needed > available:
        raise RunError(
            f"{path}: {words:,} output rows of {body.width:,} numbers need {needed / 1e9:.1f} GB of"
            f" memory, {available / 1e9:.1f} GB are free"
        )


def _check_shapes(
    shapes: Mapping[str, tuple[int, ...]], expected: Mapping[str, torch.Tensor], path: Path
) -> None:
    if set(shapes) != set(expected):
        odd = sorted(set(shapes) ^ set(expected))[0]
        raise InputError(
            f"{path} does not fit config.yaml beside it: {shown(odd)} is in one of them only"
        )
    for name, parameter in expected.items():
        if shapes[name] != tuple(parameter.shape):
            raise InputError(
                f"{path}: {name} is {list(shapes[name])}, config.yaml and vocab.tsv make it"
                f" {list(parameter.shape)}"
            )


def _load_arrays(model: LanguageModel, path: Path) -> None:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        arrays = load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path} cannot be read: {error}") from None
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(torch.from_numpy(arrays[name]))
