"""The directory of one run. Written whole at the end, or, with checkpoints, there from the start of
training on.

config.yaml format_version vocab.tsv (word, count)   what is trained: there from the start on
checkpoints/                                         see `w2v.runs.checkpoint`
vectors.npy [V, D] float32, metrics.jsonl            what came out; of a language model also
model.safetensors, tokenizer.json (subwords)
summary.json                                         the last to be written: a run without it was
killed
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from w2v.corpus import Vocabulary
from w2v.errors import InputError, RunError
from w2v.runs.checkpoint import FOLDER
from w2v.settings.config import Config
from w2v.system.files import atomic_directory, atomic_file
from w2v.system.json import read_object
from w2v.vectors.saving import write_matrix

FORMAT_VERSION = 1
RUN_FILES = (
    FOLDER,
    "config.yaml",
    "format_version",
    "metrics.jsonl",
    "model.safetensors",
    "summary.json",
    "tokenizer.json",
    "vectors.npy",
    "vocab.tsv",
)
Files = Mapping[str, Callable[[IO[bytes]], Any]]  # by name, what writes the content


@dataclass(frozen=True)
class RunDirectory:
    """A run's directory at `path`."""

    path: Path

    @property
    def checkpoints(self) -> Path:
        """The folder of its checkpoints."""
        return self.path / FOLDER

    def create(self, config: Config, vocabulary: Vocabulary, *, replace: bool) -> None:
        """Makes it, with what is known before training.

        Raises:
            InputError: it exists, and `replace` is off.
            RunError: it cannot be written.
        """
        if not replace and self.path.exists():
            raise InputError(
                f"`output` {self.path} exists already: name another one, or add `overwrite`"
            )
        with atomic_directory(self.path, replace=replace) as folder:
            write_plainly(folder, start_files(config, vocabulary))
            (folder / FOLDER).mkdir()

    def restore(self, config: Config, vocabulary: Vocabulary, *, checkpoints: bool = True) -> bool:
        """Makes it again where somebody has removed it or a file that it begins with, with the
        folder of `checkpoints` or without; whether that was so.

        Raises:
            RunError: it cannot be written.
        """
        folder = self.checkpoints if checkpoints else self.path
        files = start_files(config, vocabulary)
        if folder.is_dir() and all((self.path / name).is_file() for name in files):
            return False
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"cannot write {folder}: {error.strerror or error}") from error
        write_atomically(self.path, files)
        return True

    def finish(self, files: Files) -> None:
        """Adds what came out, or puts it in the place of what a stopped run left.

        Raises:
            RunError: it cannot be written.
        """
        write_atomically(self.path, files)

    def summary(self) -> dict[str, Any] | None:
        """What the run wrote at its end; None if it has not come to one."""
        try:
            return read_object(self.path / "summary.json")
        except (OSError, ValueError):
            return None


def start_files(config: Config, vocabulary: Vocabulary) -> Files:
    """The files that say what is trained."""
    return {
        "format_version": lambda file: file.write(f"{FORMAT_VERSION}\n".encode()),
        "config.yaml": lambda file: file.write(config.to_yaml().encode()),
        "vocab.tsv": vocabulary.write,
    }


def end_files(
    vectors: np.ndarray, metrics: Sequence[dict[str, Any]], summary: dict[str, Any], more: Files
) -> Files:
    """The files that say what came out, `more` among them."""
    lines = "".join(json.dumps(_plain(line), allow_nan=False) + "\n" for line in metrics)
    # a path that is not UTF-8 comes as lone surrogates, which JSON can hold as \\u escapes
    document = (
        json.dumps(_plain(summary), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    ).encode("utf-8", errors="backslashreplace")
    return {
        "vectors.npy": lambda file: write_matrix(file, vectors),
        "metrics.jsonl": lambda file: file.write(lines.encode()),
        **more,
        "summary.json": lambda file: file.write(document),
    }


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """The values with null for NaN and infinity (a perplexity beyond all floats), which JSON does
    not have."""
    found = {
        name: _plain(value) if isinstance(value, dict) else value for name, value in values.items()
    }
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in found.items()
    }


def write_plainly(folder: Path, files: Files) -> None:
    """Writes the files into a folder that is not yet where it will be."""
    for name, write in files.items():
        with open(folder / name, "wb") as file:
            write(file)


def write_atomically(folder: Path, files: Files) -> None:
    """Writes the files one after another, each whole.

    Raises:
        RunError: one cannot be written.
    """
    for name, write in files.items():
        with atomic_file(folder / name) as file:
            write(file)
