"""Question and similarity sets on disk, told apart by their content, and the two that come with the
package.

Analogies: `: section` headers and lines of four words (questions-words.txt), or only lines of four
words (Microsoft's set). Similarity: lines of two words and a score, separated by tabs, spaces or
commas, or rows of a wider table (SimLex-999); lines that are no such pair (column names) are
skipped. In both, empty lines and lines that start with "#" and a space are left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from w2v.errors import InputError
from w2v.evaluation.analogies import Section

# The kind of a set is decided by its first so many lines.
DECIDING_LINES = 100


@dataclass(frozen=True)
class AnalogySet:
    """A set of analogy questions; `name` is the file's name without its extension."""

    name: str
    sections: tuple[Section, ...]


@dataclass(frozen=True)
class SimilaritySet:
    """A set of word pairs (word, word, score); `skipped` lines of the file were no pair."""

    name: str
    pairs: tuple[tuple[str, str, float], ...]
    skipped: int


def load_set(path: str | Path) -> AnalogySet | SimilaritySet:
    """Reads the set at `path`, "-" being standard input.

    Raises:
        InputError: the file cannot be read, is neither kind of set, or has a malformed question.
    """
    name, path = ("stdin", Path("/dev/stdin")) if path == "-" else (Path(path).stem, Path(path))
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read the set {path}: {error.strerror}; check the path") from None
    return parse_set(data, name, str(path))


def default_sets() -> list[AnalogySet | SimilaritySet]:
    """The sets that come with the package, in the order of their names."""
    folder = resources.files("w2v.evaluation").joinpath("sets")
    files = sorted(
        (file for file in folder.iterdir() if file.name.endswith((".txt", ".tsv"))),
        key=lambda file: file.name,
    )
    return [parse_set(file.read_bytes(), Path(file.name).stem, file.name) for file in files]


def parse_set(data: bytes, name: str, source: str) -> AnalogySet | SimilaritySet:
    """The set in `data`; `source` is what error messages call it.

    Raises:
        InputError: it is neither kind of set, or has a malformed question.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{source}: byte {error.start} is not valid UTF-8; save the set as UTF-8"
        ) from None
    if _is_analogies(text, source):
        return AnalogySet(name, _parse_sections(text, name, source))
    lines = list(_lines(text))
    pairs = [pair for _, line in lines if (pair := parse_pair(line))]
    pairs = pairs or [pair for _, line in lines if (pair := parse_row(line))]
    return SimilaritySet(name, tuple(pairs), len(lines) - len(pairs))


def parse_pair(line: str) -> tuple[str, str, float] | None:
    """(word, word, score) of one line, or None when it is no such line."""
    for mark in ["\t"] if "\t" in line else [",", " "]:
        fields = [field for each in line.split(mark) if (field := each.strip(" "))]
        if len(fields) == 3 and (score := _score(fields[2])) is not None:
            return fields[0], fields[1], score
    return None


def parse_row(line: str) -> tuple[str, str, float] | None:
    """(word, word, score) of a row of a wider table: two words, perhaps a part of speech, the
    score, more columns.

    SimLex-999 as distributed is one: word1, word2, POS, SimLex999, ...
    """
    fields = [field.strip(" ") for field in line.split("\t")]
    if len(fields) < 4 or not fields[0] or not fields[1]:
        return None
    score = next((score for field in fields[2:4] if (score := _score(field)) is not None), None)
    return None if score is None else (fields[0], fields[1], score)


def _score(field: str) -> float | None:
    try:
        score = float(field)
    except ValueError:
        return None
    return score if math.isfinite(score) else None


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Number and content of every line that holds something."""
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip(" \t\r")
        if line and not line.startswith("# "):
            yield number, line


def _words(line: str) -> list[str]:
    return [word for word in line.replace("\t", " ").split(" ") if word]


def _is_analogies(text: str, source: str) -> bool:
    questions = pairs = 0
    for i, (_, line) in enumerate(_lines(text)):
        if line.startswith(": ") or line == ":":
            return True
        pair = parse_pair(line) or parse_row(line)
        pairs += pair is not None
        questions += pair is None and len(_words(line)) == 4
        if i >= DECIDING_LINES:
            break
    if not questions and not pairs:
        raise InputError(
            f"{source} is neither a set of analogies (lines of four words, sections headed by ':"
            " name') nor of similarities (lines of two words and a score)"
        )
    return questions > pairs


def _parse_sections(text: str, name: str, source: str) -> tuple[Section, ...]:
    found: list[tuple[str, bool, list[tuple[str, str, str, str]]]] = []
    for number, line in _lines(text):
        if line.startswith(":"):
            found.append((line[1:].strip(" \t") or f"line {number}", True, []))
            continue
        words = _words(line)
        if len(words) != 4:
            raise InputError(
                f"{source}: line {number} has {len(words)} words, but a question has four;"
                " correct it"
            )
        if not found:
            found.append((name, False, []))
        found[-1][2].append((words[0], words[1], words[2], words[3]))
    return tuple(Section(section, tuple(questions), headed) for section, headed, questions in found)
