"""Sentences from files, as gensim's readers give them, and the archives of saved models."""

from __future__ import annotations

import bz2
import gzip
import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from w2v.errors import InputError
from w2v.system.files import atomic_file

MAX_WORDS = 10000  # in a sentence; longer ones are split
OPENERS: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open}


class LineSentence:
    """The lines of a file (a path, also .gz or .bz2, or an open one) as lists of words."""

    def __init__(
        self, source: Any, max_sentence_length: int = MAX_WORDS, limit: int | None = None
    ) -> None:
        self.source, self.max_sentence_length, self.limit = source, max_sentence_length, limit

    def files(self) -> list[str]:
        """The paths of the text; none for an open file."""
        return [] if hasattr(self.source, "read") else [str(self.source)]

    def read_whole(self) -> list[str]:
        """The paths that a run can read by itself, faster than line by line; none if it cannot."""
        whole = self.limit is None and self.max_sentence_length == MAX_WORDS
        return self.files() if whole else []

    def __iter__(self) -> Iterator[list[str]]:
        for path in self.files():
            with OPENERS.get(Path(path).suffix, open)(path, "rb") as file:
                yield from self._sentences(file)
        if hasattr(self.source, "read"):
            self.source.seek(0)
            yield from self._sentences(self.source)

    def _sentences(self, file: Iterable[Any]) -> Iterator[list[str]]:
        for line in islice(file, self.limit):
            words = (line if isinstance(line, str) else line.decode()).split()
            for start in range(0, len(words), self.max_sentence_length):
                yield words[start : start + self.max_sentence_length]


class PathLineSentences(LineSentence):
    """The lines of every file of a folder, in the order of their names."""

    def files(self) -> list[str]:
        path = Path(self.source)
        return sorted(str(each) for each in path.iterdir()) if path.is_dir() else [str(path)]


class Text8Corpus(LineSentence):
    """A file of one long line, such as text8, in pieces of `max_sentence_length` words."""


def write_archive(
    path: Any, kind: str, facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> None:
    """Writes arrays and plain values as NumPy's .npz, whatever the name's extension."""
    text = np.frombuffer(json.dumps({"kind": kind, **facts}).encode(), np.uint8)
    with atomic_file(path) as file:
        np.savez(file, **{"facts": text, **arrays})  # type: ignore[arg-type]


def read_archive(path: Any, kind: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Reads what `write_archive` wrote; AttributeError where it is of another kind."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file}
        facts = json.loads(arrays.pop("facts").tobytes())
    except (ValueError, KeyError, AttributeError) as error:
        raise InputError(
            f"{path} was not saved by this module (gensim's own files are pickles, which may run"
            " any code: write them with gensim's save_word2vec_format)"
        ) from error
    if facts.pop("kind") != kind:
        raise AttributeError(f"{path} does not hold a {kind}")
    return facts, arrays
