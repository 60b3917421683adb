"""The directory of one run. It exists from the start of training; one that replaces an earlier run
is written as a whole at the end, unless it has checkpoints.

config.yaml format_version vocab.tsv (word, count)   what is trained; written at the start
checkpoints/, owner.json (with several ranks)        see `w2v.runs.checkpoint`
vectors.npy [V, D] float32, metrics.jsonl            the result
ngrams.npy [buckets, D] float32                      with n-grams: their rows
model.safetensors, tokenizer.json (subwords)         of a language model
summary.json                                         written last: without it, the run was killed
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any, cast

from w2v.corpus import Vocabulary
from w2v.errors import InputError, RunError
from w2v.runs.checkpoint import FOLDER, METRICS_BYTES
from w2v.settings.config import Config
from w2v.system.files import atomic_directory, atomic_file, read_plain
from w2v.system.json import plain, read_object
from w2v.training.task import Files, Result
from w2v.vectors.fingerprints import KEY, fingerprints
from w2v.vectors.loading import NGRAMS, RUN_VERSION
from w2v.vectors.saving import write_matrix

CONFIG, VOCABULARY, VERSION, SUMMARY = "config.yaml", "vocab.tsv", "format_version", "summary.json"
METRICS, VECTORS = "metrics.jsonl", "vectors.npy"
OWNER = "owner.json"  # identifies, after a restart by torchrun, the run that its ranks have begun
MODEL_FILES = ("model.safetensors", "tokenizer.json")  # of language models
RUN_FILES = (
    *(FOLDER, CONFIG, VERSION, METRICS, SUMMARY, VECTORS, NGRAMS, VOCABULARY, OWNER),
    *MODEL_FILES,
)


@dataclass(frozen=True)
class RunDirectory:
    """A run's directory at `path`; `start` are the files that describe what is trained."""

    path: Path
    start: Files

    @property
    def checkpoints(self) -> Path:
        """The folder of the run's checkpoints."""
        return self.path / FOLDER

    def create(self, *, replace: bool, checkpoints: bool) -> None:
        """Creates the directory with its start files and, if wanted, the folder of checkpoints."""
        if not replace and self.path.exists():
            raise InputError(
                f"`output` {self.path} exists already: name another one, or add `overwrite`"
            )
        with atomic_directory(self.path, replace=replace) as folder:
            write_plainly(folder, self.start)
            if checkpoints:
                (folder / FOLDER).mkdir()

    def restore(self, *, checkpoints: bool = True) -> bool:
        """Creates the directory again (and its folder of `checkpoints`) if it or one of its start
        files has been removed; returns whether that was so."""
        folder = self.checkpoints if checkpoints else self.path
        if folder.is_dir() and all((self.path / name).is_file() for name in self.start):
            return False
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"cannot write {folder}: {error.strerror or error}") from error
        self.add(self.start)
        return True

    def check_vocabulary(self) -> None:
        """Raises InputError if vocab.tsv in the directory does not hold the words that are trained:
        the vectors would be assigned to other words."""
        path, digest = self.path / VOCABULARY, hashlib.sha256()
        self.start[VOCABULARY](cast(IO[bytes], SimpleNamespace(write=digest.update)))
        actual = hashlib.sha256()
        with open(path, "rb") as file:
            while chunk := file.read(1 << 20):
                actual.update(chunk)
        if actual.digest() != digest.digest():
            problem = "has been changed: it no longer holds the words of this run"
            raise InputError(f"{path} {problem}; restore it, or remove it to have it written again")

    def add(self, files: Files) -> None:
        """Writes or replaces files, each atomically."""
        for name, write in files.items():
            with atomic_file(self.path / name, follow=False) as file:
                write(file)


def check_places(run: Path) -> None:
    """Raises InputError if a file of a run directory, which may come from anywhere, is a link,
    which would lead elsewhere, or a pipe or a device, whose reading might never end."""
    for name in RUN_FILES:
        path, kind = run / name, "folder" if name == FOLDER else "file"
        if os.path.lexists(path):
            mode = path.lstat().st_mode
            # a file instead of the folder is harmless and reported where the folder is needed
            if not (stat.S_ISREG(mode) or (name == FOLDER and stat.S_ISDIR(mode))):
                is_now = "is a link" if stat.S_ISLNK(mode) else f"is not a {kind}"
                need = f"but a run needs its own {kind} there"
                raise InputError(f"{path} {is_now}, {need}: move it away, or put the {kind} there")


def summary_of(run: Path) -> dict[str, Any] | None:
    """Returns the content of a run's summary.json, or None if it has not ended."""
    try:
        return read_object(run / SUMMARY)
    except (OSError, ValueError):
        return None


def start_files(config: Config, vocabulary: Vocabulary, owner: str | None) -> Files:
    """Returns the files that describe what is trained, and by which ranks."""
    owner_json = json.dumps({"owner": owner}).encode()
    return {
        VERSION: lambda file: file.write(RUN_VERSION + b"\n"),
        CONFIG: lambda file: file.write(config.to_yaml().encode()),
        VOCABULARY: vocabulary.write,
        **({} if owner is None else {OWNER: lambda file: file.write(owner_json)}),
    }


def end_files(result: Result, metrics: Sequence[dict[str, Any]], summary: dict[str, Any]) -> Files:
    """Returns the files that hold the result."""

    def write_summary(file: IO[bytes]) -> None:
        summary[KEY] = fingerprints(Path(file.name).parent)  # this file is written last
        text = json.dumps(plain(summary), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        # a path that is not UTF-8 has lone surrogates, which JSON can represent as \u escapes
        file.write(text.encode("utf-8", errors="backslashreplace"))

    return {
        VECTORS: lambda file: write_matrix(file, result.vectors),
        METRICS: lambda file: file.write(metrics_lines(metrics)),
        **result.files,
        SUMMARY: write_summary,
    }


def metrics_lines(metrics: Sequence[dict[str, Any]]) -> bytes:
    """Returns the lines of metrics.jsonl."""
    lines = [json.dumps(plain(line), allow_nan=False) + "\n" for line in metrics]
    return "".join(lines).encode()


def metrics_of(run: Path) -> list[dict[str, Any]]:
    """Returns the complete lines of a run's metrics.jsonl, which may be missing, damaged or still
    growing."""
    entries: list[dict[str, Any]] = []
    with suppress(OSError):
        for line in read_plain(run / METRICS, METRICS_BYTES).splitlines():
            with suppress(ValueError, RecursionError):
                value = json.loads(line)
                entries += [value] if isinstance(value, dict) else []
    return entries


def write_plainly(folder: Path, files: Files) -> None:
    """Writes the files, not atomically, into a folder that will be renamed."""
    for name, write in files.items():
        with open(folder / name, "wb") as file:
            write(file)
