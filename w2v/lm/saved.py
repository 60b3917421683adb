"""A trained language model on disk: model.safetensors and the vocabulary, in a run directory. Files
are never pickles."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from w2v.errors import InputError, RunError, shown
from w2v.runs.checkpoint import MISFITS, map_tensors, tensor_chunks
from w2v.settings.build import build_config, build_group
from w2v.settings.config import Config
from w2v.settings.groups import TrainingSettings
from w2v.system.files import named
from w2v.system.memory import available_memory
from w2v.system.packages import reporting_missing
from w2v.vectors.fingerprints import strangers
from w2v.vectors.loading import check_version

# PyTorch is imported late, so that a folder without a model is reported two seconds sooner.
if TYPE_CHECKING:
    from torch import Tensor, nn

    from w2v.lm.language_model import LanguageModel
    from w2v.lm.vocabulary import TokenVocabulary

MODEL_FILE = "model.safetensors"
WANTED = "give the directory of a run with `model` lm"
MISFIT = "does not fit config.yaml beside it"
WORD_BYTES, MORE_BYTES = 256, 64 << 20  # limit on vocab.tsv: mean bytes per token, and an allowance

Arrays = Mapping[str, np.ndarray]


def model_arrays(network: nn.Module) -> dict[str, np.ndarray]:
    """Returns float32 arrays of all parameters by name; tied ones once, as input.weight."""
    named = network.named_parameters()
    return {name: parameter.detach().cpu().numpy() for name, parameter in named}


def model_files(
    arrays: Mapping[str, np.ndarray], vocabulary: TokenVocabulary
) -> dict[str, Callable[[IO[bytes]], Any]]:
    """Returns, by file name, functions that write the files of a model with these parameters to a
    run directory, which also has vocab.tsv."""
    files: dict[str, Callable[[IO[bytes]], Any]] = {
        MODEL_FILE: lambda file: file.writelines(tensor_chunks(arrays))
    }
    if (subwords := vocabulary.subwords) is not None:
        files["tokenizer.json"] = lambda file: file.write(subwords.to_json().encode())
    return files


def load_language_model(run: str | os.PathLike[str], device: str = "auto") -> LanguageModel:
    """Loads the language model in a run directory onto the named device. Raises InputError if there
    is none, a file is missing or damaged or does not fit the others, or the device does not exist,
    and RunError if there is not enough memory."""
    folder = named(run, "the run")
    build_group(TrainingSettings, {"device": device})
    _check_folder(folder)
    config = build_config({}, folder / "config.yaml")
    if config.only_vectors:
        kind = config.model.model
        raise InputError(f"{folder}/config.yaml is for {kind}, not for a language model (lm)")
    with reporting_missing():
        import torch

        from w2v.lm.language_model import LanguageModel
        from w2v.lm.model import Network
        from w2v.lm.vocabulary import TokenVocabulary
        from w2v.training.device import find_device, isolated_settings

    torch_device, path = find_device(device), folder / MODEL_FILE
    arrays = _arrays(path)
    _check_vocabulary(folder, arrays)
    vocabulary = TokenVocabulary.load(folder, config)
    try:
        _check_size(config, len(vocabulary), arrays, path)
        with isolated_settings(torch_device):
            network = Network(config, torch.from_numpy(vocabulary.counts), sparse=False)
    except ValueError as error:
        raise InputError(f"{folder} is damaged: {error}") from None
    parameters = dict[str, torch.Tensor](network.named_parameters())
    _check_shapes(arrays, parameters, path)
    for name, parameter in parameters.items():
        parameter.detach().copy_(torch.from_numpy(np.array(arrays[name])))
    model = LanguageModel(network.to(torch_device), vocabulary, config, os.fspath(run))
    model.warnings = tuple(filter(None, [strangers(folder)]))
    return model


def _check_folder(folder: Path) -> None:
    """Raises InputError unless the folder is a finished run of a language model."""
    if not folder.is_dir():
        raise InputError(f"{folder} is not a run directory: {WANTED}")
    if not (folder / MODEL_FILE).is_file():
        if (folder / "checkpoints").is_dir() and not (folder / "vectors.npy").exists():
            problem = f"{folder} is an unfinished run, which has no model yet"
            raise InputError(f"{problem}; resume it: `resume` {folder}")
        raise InputError(f"{folder} holds no language model: {WANTED}")
    check_version(folder)
    if not (folder / "config.yaml").is_file():
        raise InputError(f"{folder} is incomplete: config.yaml is missing")


def _arrays(path: Path) -> dict[str, np.ndarray]:
    """Returns the parameters in the file, memory-mapped."""
    try:
        arrays = map_tensors(path)
    except (OSError, *MISFITS) as error:
        raise InputError(f"{path} cannot be read: {error}") from None
    for name, array in arrays.items():
        if array.dtype != np.float32:
            raise InputError(f"{path}: {shown(name)} is {array.dtype}, it must be float32")
    return arrays


def _check_vocabulary(folder: Path, arrays: Arrays) -> None:
    """Checks, before it is read, that vocab.tsv is not too large for the number of tokens."""
    rows, path = arrays.get("input.weight"), folder / "vocab.tsv"
    most = WORD_BYTES * (0 if rows is None or not rows.ndim else len(rows)) + MORE_BYTES
    if path.is_file() and (size := path.stat().st_size) > most:
        problem = f"has {size:,} bytes, too many for the tokens of {MODEL_FILE} beside it"
        raise InputError(f"{path} {problem}")


def _check_size(config: Config, words: int, arrays: Arrays, path: Path) -> None:
    """Checks, before anything of the size in config.yaml is allocated, that embeddings and body
    have that size in the file, and that there is enough memory for the output layer."""
    import torch

    from w2v.lm.bodies import make_body

    try:
        with torch.device("meta"):
            body = make_body(config.lm, config.model.dim)
    except RuntimeError:  # the number of elements exceeds 64 bits
        raise InputError(f"{path} {MISFIT}: no model can be that large") from None
    expected: dict[str, Tensor] = {f"body.{name}": part for name, part in body.named_parameters()}
    expected["input.weight"] = torch.empty(words, config.model.dim, device="meta")
    _check_shapes({name: arrays[name] for name in set(arrays) & set(expected)}, expected, path)
    if len(getattr(config.loss, "cutoffs", ())) > len(arrays):
        raise InputError(f"{path} {MISFIT}: it has fewer parts than there are `cutoffs`")
    # for the output layer and the content of the file
    needed, available = 4 * words * (body.width + 1) + path.stat().st_size, available_memory()
    if available is not None and needed > available:
        rows = f"{words:,} output rows of {body.width:,} numbers"
        memory = f"{needed / 1e9:.1f} GB of memory, {available / 1e9:.1f} GB are free"
        raise RunError(f"{path}: {rows} need {memory}")


def _check_shapes(arrays: Arrays, expected: Mapping[str, Tensor], path: Path) -> None:
    if set(arrays) != set(expected):
        odd = min(set(arrays) ^ set(expected))
        raise InputError(f"{path} {MISFIT}: {shown(odd)} is in only one of them")
    for name, parameter in expected.items():
        shape = list(parameter.shape)
        if (actual := list(arrays[name].shape)) != shape:
            rule = f"config.yaml and vocab.tsv make it {shape}"
            raise InputError(f"{path}: {name} is {actual}, {rule}")
