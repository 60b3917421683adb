"""Reads the records of runs from their directories, also of runs that are unfinished."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from w2v.corpus import Vocabulary
from w2v.errors import InputError
from w2v.evaluation.analogies import AnalogyResult
from w2v.evaluation.sets import AnalogySet, Set
from w2v.evaluation.similarity import SimilarityResult
from w2v.runs.directory import CONFIG, VECTORS, VERSION, VOCABULARY, metrics_of, summary_of
from w2v.settings.groups import LANGUAGE_MODEL
from w2v.settings.yamlfile import read_settings
from w2v.system.files import named
from w2v.system.json import real_number
from w2v.vectors.loading import check_version, load_vectors

Point = tuple[float, float]
RUN = (CONFIG, VERSION)
SHORTEST = 0.5  # seconds over which a speed is computed, at least


@dataclass
class Record:
    """The record of a run."""

    path: Path
    name: str
    settings: dict[str, Any]  # in the order of config.yaml
    metrics: list[dict[str, Any]]  # the lines of metrics.jsonl
    summary: dict[str, Any] | None  # None for an unfinished run
    counts: np.ndarray  # of the vocabulary
    analogies: dict[str, AnalogyResult] = field(default_factory=dict)  # by the set's name
    similarity: dict[str, SimilarityResult] = field(default_factory=dict)  # by the set's name

    @property
    def unit(self) -> str:
        """The unit of training: "words", or "tokens" for a language model."""
        return "tokens" if self.is_language_model else "words"

    @property
    def is_language_model(self) -> bool:
        """Whether the run trains a language model rather than word vectors."""
        return self.settings.get("model") == LANGUAGE_MODEL

    @cached_property
    def progress(self) -> list[dict[str, Any]]:
        """The metrics about the progress of training."""
        return [line for line in self.metrics if "fraction" in line and _is_number(line, "words")]

    def curve(self, name: str) -> list[Point]:
        """Returns (words processed, value) for the metrics with a value of that name."""
        return [(line["words"], line[name]) for line in self.progress if _is_number(line, name)]

    def speed(self) -> list[Point]:
        """Returns (words processed, words per second since the previous point)."""
        points, words, seconds = [], 0.0, 0.0
        lines = [line for line in self.progress if _is_number(line, "seconds")]
        for line in lines:
            trained, passed = line["words"] - words, line["seconds"] - seconds
            # over a very short time, as between the last two lines, the speed is only noise
            if trained > 0 and passed > (SHORTEST if len(lines) > 1 else 0):
                points.append((line["words"], trained / passed))
                words, seconds = line["words"], line["seconds"]
        if not points and lines and lines[-1]["seconds"] > 0:  # a very short run
            points = [(lines[-1]["words"], lines[-1]["words"] / lines[-1]["seconds"])]
        return points

    def validation(self, name: str) -> list[Point]:
        """Returns (epoch, value) for the validation metrics of that name."""
        lines = [line for line in self.metrics if _is_number(line, name)]
        return [(line["epoch"], line[name]) for line in lines if _is_number(line, "epoch")]

    def figure(self, *names: str) -> float | None:
        """Returns a number in the summary, such as told("seconds", "training"), or None."""
        *parts, last = names
        inner: Any = self.summary or {}
        for name in parts:
            inner = inner.get(name)
            inner = inner if isinstance(inner, dict) else {}
        return inner[last] if _is_number(inner, last) else None

    def evaluate(self, sets: Mapping[str, Set]) -> None:
        """Asks word vectors the sets; the results get the names of these."""
        if self.is_language_model or not (self.path / VECTORS).is_file():
            return
        vectors: Any = load_vectors(self.path)
        for name, test_set in sets.items():
            if isinstance(test_set, AnalogySet):
                self.analogies[name] = vectors.evaluate(test_set)
            else:
                self.similarity[name] = vectors.evaluate(test_set, intervals=True)


def read_runs(folders: Sequence[str | Path]) -> list[Record]:
    """Returns the records of run directories, with distinct names."""
    paths = [named(path, "a run") for path in folders]
    names = _names([path.resolve() for path in paths])
    return [_read_run(path, name) for path, name in zip(paths, names, strict=True)]


def _read_run(path: Path, name: str) -> Record:
    if not path.is_dir() or not all((path / file).is_file() for file in RUN):
        problem = "does not exist" if not path.exists() else "is not a run directory"
        raise InputError(f"{path} {problem}; name a folder written by w2v train")
    check_version(path)
    pairs, _ = read_settings(path / CONFIG)
    counts = np.empty(0, np.int64)
    if (path / VOCABULARY).is_file():
        counts = Vocabulary.load(path / VOCABULARY).counts
    return Record(path, name, dict(pairs), metrics_of(path), summary_of(path), counts)


def _is_number(line: dict[str, Any], name: str) -> bool:
    with suppress(ValueError):
        real_number(line.get(name))
        return True
    return False


def _names(paths: Sequence[Path]) -> list[str]:
    """Returns the shortest suffixes of the paths, with equally many parts, that are distinct."""
    for parts in range(1, max(len(path.parts) for path in paths) + 1):
        names = ["/".join(path.parts[-parts:]) for path in paths]
        if len(set(names)) == len(names):
            return names
    raise InputError("the same run is named twice; name it once")
