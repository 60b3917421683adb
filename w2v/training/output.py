"""Where a run's result goes: a run directory, or just a vector file.

Chosen and checked before the long part, written whole at the end. A run directory holds config.yaml, vocab.tsv
(word, count), vectors.npy [V, D] float32, metrics.jsonl, summary.json and format_version; that of a language model also
model.safetensors, and tokenizer.json if it has subwords.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from w2v.config import Config
from w2v.corpus import Vocabulary
from w2v.errors import InputError, RunError
from w2v.files import atomic_directory, check_writable, is_special
from w2v.vectors import check_format, save_vectors
from w2v.vectors.saving import write_matrix

FORMAT_VERSION = 1
WRITE_ROWS = 8192  # rows of the matrix handled at a time
RUN_FILES = (
    "checkpoints", "config.yaml", "format_version", "metrics.jsonl", "model.safetensors", "summary.json",
    "tokenizer.json", "vectors.npy", "vocab.tsv",
)  # fmt: skip
VECTOR_SUFFIXES = (".txt", ".vec", ".bin", ".npy", ".glove")
COMPRESSIONS = (".gz", ".bz2", ".xz", ".zst")
STEM_BYTES = 160  # of a corpus name: file systems take names of 255 bytes, temporary ones included


@dataclass(frozen=True)
class Output:
    """`path` is a run directory or a vector file."""

    path: Path
    is_file: bool
    overwrite: bool

    @classmethod
    def prepare(cls, config: Config) -> Output:
        """Finds the place for a run's result and checks that it can be written.

        Raises:
            InputError: the output exists, its folder is missing or not writable, or its extension names no format.
        """
        given, overwrite = config.output.output, config.output.overwrite
        if given is None:
            path = free_path(default_name(config))
            check_writable(path, overwrite=False)
            return cls(path, False, False)
        if given in ("", "-"):
            suffixes = " ".join(VECTOR_SUFFIXES)
            raise InputError(f"--output {given or repr(given)}: name a run directory, or a file ending in {suffixes}")
        path = Path(given)
        if path.name in ("", "..") or os.path.ismount(path):
            raise InputError(f"--output {given} cannot be replaced as a whole: name a run directory inside it")
        if any(_within(entry, path) for entry in config.corpus.corpus):
            raise InputError(f"--output {given} would remove the corpus: name another one")
        is_file = path.suffix.lower() in VECTOR_SUFFIXES
        if is_file and config.model.model == "lm":
            raise InputError(
                f"--output {given}: a language model is more than vectors; name a run directory, and write its"
                f" embeddings with w2v export DIRECTORY -o {given}"
            )
        if is_special(path):
            raise InputError(f"--output {given} is a device or a pipe: name a file, or - for vectors on stdout")
        check_writable(path, overwrite=overwrite)
        if is_file:
            kind = check_format(path)
            if path.is_dir():
                raise InputError(f"--output {given} is a folder, but its name asks for a vector file; name another one")
            if kind == "npy":  # its words stand in a second file
                check_writable(path.with_suffix(".vocab.tsv"), overwrite=overwrite)
        elif overwrite and os.path.lexists(path):
            check_removable(path)
        return cls(path, is_file, overwrite)

    def write(
        self, config: Config, vocabulary: Vocabulary, vectors: np.ndarray, metrics: Sequence[dict[str, Any]],
        summary: dict[str, Any], more: Callable[[Path], None] = lambda folder: None,
    ) -> Path:  # fmt: skip
        """Writes the result; returns its path, which has moved on by a number if another run took it meanwhile.

        more: writes further files of a run directory.

        Raises:
            RunError: it cannot be written, or holds NaN.
        """
        if not all(
            np.isfinite(vectors[start : start + WRITE_ROWS]).all() for start in range(0, len(vectors), WRITE_ROWS)
        ):
            raise RunError("the vectors hold NaN or infinity; nothing was written. Try a smaller --lr")
        path = self.path
        while True:
            if not self.overwrite:
                path = free_path(self.path, self.path.suffix if self.is_file else "")
            if self.is_file:
                save_vectors(path, vocabulary.words, vectors, vocabulary.counts)
                return path
            try:
                with atomic_directory(path, replace=self.overwrite) as folder:
                    (folder / "format_version").write_text(f"{FORMAT_VERSION}\n")
                    (folder / "config.yaml").write_text(config.to_yaml(), encoding="utf-8")
                    vocabulary.save(folder / "vocab.tsv")
                    with open(folder / "vectors.npy", "wb") as file:
                        write_matrix(file, vectors)
                    more(folder)
                    lines = "".join(json.dumps(line) + "\n" for line in metrics)
                    (folder / "metrics.jsonl").write_text(lines, encoding="utf-8")
                    document = json.dumps({**summary, "output": str(path)}, indent=2, ensure_ascii=False)
                    # a path that is not UTF-8 comes as lone surrogates, which JSON can hold as \\u escapes
                    (folder / "summary.json").write_text(document + "\n", encoding="utf-8", errors="backslashreplace")
                return path
            except RunError:
                if self.overwrite or not path.exists():  # else another run was faster by a moment
                    raise


def default_name(config: Config) -> Path:
    """CORPUS-STEM-MODEL-LOSS in the working directory."""
    first = config.corpus.corpus[0]
    name = "stdin" if first == "-" else Path(first).resolve().name
    while Path(name).suffix.lower() in COMPRESSIONS:
        name = Path(name).stem
    stem = re.sub(r"[^\w.-]+", "-", Path(name).stem).strip("-.") or "corpus"
    stem = stem.encode()[:STEM_BYTES].decode(errors="ignore")
    return Path(f"{stem}-{config.model.model}-{config.training.loss}")


def free_path(path: Path, suffix: str = "") -> Path:
    """`path`, or the first free one of `path-2`, `path-3`, …; the number stands before `suffix`."""
    candidate, number = path, 1
    while os.path.lexists(candidate):
        number += 1
        candidate = path.with_name(f"{path.name.removesuffix(suffix)}-{number}{suffix}")
    return candidate


def check_removable(path: Path) -> None:
    """Refuses to remove anything but a run directory that holds nothing else, or an empty folder.

    Raises:
        InputError: `path` is something else.
    """
    names = {entry.name for entry in path.iterdir()} if path.is_dir() else {""}
    if names and "format_version" not in names:
        raise InputError(
            f"--output {path} exists and is no run directory, so --overwrite will not remove it; name another one"
        )
    if foreign := sorted(names - set(RUN_FILES)):
        raise InputError(
            f"--output {path} holds {foreign[0]!r}, which no run wrote, so --overwrite will not remove it;"
            " move that away, or name another one"
        )


def _within(entry: str, path: Path) -> bool:
    """Whether the corpus `entry` is `path` or lies inside it."""
    source, target = os.path.realpath(entry), os.path.realpath(path)
    return entry != "-" and (source == target or source.startswith(os.path.join(target, "")))
