"""The phrases found in a text, their file, and how they are joined in a line."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from w2v.errors import InputError, shown
from w2v.system.arguments import items
from w2v.system.files import atomic_file, word_lines

MAX_PARTS = 64
MAX_PASSES = 16


class Phrase(NamedTuple):
    """A phrase: `parts` are replaced by `word`; a part may be a phrase of an earlier pass."""

    word: str
    parts: tuple[str, ...]
    occurrences: int
    score: float
    level: int = 1  # the pass that found it


@dataclass(frozen=True)
class Phrases:
    """The phrases of a text, ordered by pass and, within a pass, from the highest score."""

    entries: tuple[Phrase, ...]

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Phrase]:
        return iter(self.entries)

    def __repr__(self) -> str:
        return f"Phrases({len(self):,})"

    @functools.cached_property
    def passes(self) -> list[dict[tuple[str, ...], str]]:
        """For each pass, a mapping parts -> word."""
        levels = sorted({phrase.level for phrase in self})
        return [{p.parts: p.word for p in self if p.level == level} for level in levels]

    def join(self, tokens: Iterable[str]) -> list[str]:
        """Returns the words of one line with all phrases in it joined. Raises InputError for a
        string, which is no list of words."""
        line = items("tokens", tokens, "list of words")
        for mapping, firsts in zip(self.passes, self._firsts, strict=True):
            line = _join(line, mapping, firsts)
        return line

    @functools.cached_property
    def _firsts(self) -> list[dict[str, int]]:
        """For each pass, a mapping of the first part of phrases -> the parts of the longest."""
        return [
            {parts[0]: len(parts) for parts in sorted(mapping, key=len)} for mapping in self.passes
        ]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes a line per phrase with tab-separated fields: word, parts (separated by spaces),
        count, score, pass. Raises RunError if the file cannot be written."""
        with atomic_file(path) as file:
            for row in self.rows():
                file.write(("\t".join(map(str, row)) + "\n").encode())

    def rows(self) -> Iterator[tuple[str, str, int, float, int]]:
        for word, parts, count, score, level in self:
            yield word, " ".join(parts), count, float(f"{score:.9g}"), level

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Phrases:
        """Reads what `save` wrote. Raises InputError if the file cannot be read, or, naming the
        line, if a line is not a phrase or repeats one."""
        lines = word_lines(path, f"the phrases {path}")
        phrases = [_parsed(line, f"{path} line {number}") for number, line in lines]
        first_lines: dict[tuple[int, tuple[str, ...]], int] = {}
        for number, phrase in enumerate(phrases, 1):
            if (first := first_lines.setdefault((phrase.level, phrase.parts), number)) != number:
                problem = f"{shown(' '.join(phrase.parts))} is already on line {first}"
                raise InputError(f"{path} line {number}: {problem}")
        return cls(tuple(phrases))


def _parsed(line: str, where: str) -> Phrase:
    fields = line.split("\t")
    try:
        word, joined_parts, count, score, level = fields
        parts = tuple(joined_parts.split(" "))
        phrase = Phrase(word, parts, int(count), float(score), int(level))
        sound = word.split() == [word] and all(part.split() == [part] for part in parts)
        sound = sound and 2 <= len(parts) <= MAX_PARTS and 1 <= phrase.level <= MAX_PASSES
    except ValueError:
        sound = False
    if not sound:
        expected = "word, parts separated by spaces, count, score, pass"
        raise InputError(f"{where}: {shown(line)} is not a phrase ({expected}, separated by tabs)")
    return phrase


def load_phrases(path: str) -> Phrases:
    """As `Phrases.load`; an unchanged file is read only once."""
    try:
        status = os.stat(path)
    except OSError:
        return Phrases.load(path)  # raises the error
    return _loaded(path, status.st_ino, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=4)
def _loaded(path: str, *_: int) -> Phrases:
    return Phrases.load(path)


def _join(
    line: list[str], mapping: dict[tuple[str, ...], str], firsts: dict[str, int]
) -> list[str]:
    """Returns a line with the phrases of one pass joined, by the rules of `joined`."""
    words, i = [], 0
    while i < len(line):
        sizes = range(min(firsts.get(line[i], 1), len(line) - i), 1, -1)
        size = next((n for n in sizes if tuple(line[i : i + n]) in mapping), 1)
        words.append(line[i] if size == 1 else mapping[tuple(line[i : i + size])])
        i += size
    return words
