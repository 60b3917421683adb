"""The vocabulary: distinct words and their counts, most frequent first, saved as TSV
("word\\tcount\\n").

Words are stored as one block of UTF-8 text with offsets (`PackedWords`), about 20 bytes per word
instead of 60 or more for Python strings: a corpus may have many millions of distinct words.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import IO, overload

import numpy as np

from w2v.errors import InputError, shown
from w2v.system.files import atomic_file, word_lines

# Lines written or words decoded at a time, which bounds the memory of the Python strings.
BLOCK = 1 << 16


class PackedWords(Sequence[str]):
    """An immutable sequence of words without newlines, stored as UTF-8 `text` with one newline
    after each word. The bytes of word i are text[ends[i] : ends[i + 1] - 1], with `ends` int64
    [V + 1]; by default, the sequence has all words of the text."""

    def __init__(self, text: bytes, ends: np.ndarray | None = None) -> None:
        if ends is None:
            newlines = np.flatnonzero(np.frombuffer(text, dtype=np.uint8) == 0x0A)
            ends = np.concatenate([[0], newlines + 1]).astype(np.int64)
        self._text = text
        self._ends = ends

    @classmethod
    def pack(cls, words: Sequence[str]) -> PackedWords:
        return cls("".join(f"{word}\n" for word in words).encode())

    @property
    def text(self) -> bytes:
        """The words as UTF-8, with a newline after each."""
        return self._text[self._ends[0] : self._ends[-1]]

    def longest(self) -> int:
        """Returns the index of the longest word, by bytes. The sequence must not be empty."""
        return int(np.diff(self._ends).argmax())

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> PackedWords: ...

    def __getitem__(self, index: int | slice) -> str | PackedWords:
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step != 1:
                return PackedWords.pack([self[i] for i in range(start, stop, step)])
            return PackedWords(self._text, self._ends[start : max(start, stop) + 1])
        position = range(len(self))[int(index)]  # raises IndexError
        return self._text[self._ends[position] : self._ends[position + 1] - 1].decode()

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), BLOCK):
            stop = min(start + BLOCK, len(self))
            yield from self._text[self._ends[start] : self._ends[stop] - 1].decode().split("\n")

    def __eq__(self, other: object) -> bool:
        if isinstance(other, PackedWords):
            return self.text == other.text
        if not isinstance(other, Sequence) or isinstance(other, str):
            return False
        return list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]


class Vocabulary:
    """Distinct `words` [V] with their `counts`, int64 [V], most frequent first. Immutable."""

    def __init__(self, words: Sequence[str], counts: np.ndarray) -> None:
        counts = np.asarray(counts, dtype=np.int64)
        if len(words) != len(counts):
            raise ValueError(f"{len(words)} words but {len(counts)} counts")
        if np.any(counts[1:] > counts[:-1]):
            raise ValueError("counts must never increase")
        self.words = words
        self.counts = counts
        self._index_of: dict[str, int] | None = None

    @property
    def packed(self) -> PackedWords:
        return self.words if isinstance(self.words, PackedWords) else PackedWords.pack(self.words)

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: str) -> bool:
        return self.index(word) is not None

    def index(self, word: str) -> int | None:
        """Returns the word's id (its rank by count, from 0), or None for an unknown word."""
        if self._index_of is None:
            self._index_of = {w: i for i, w in enumerate(self.words)}
        return self._index_of.get(word)

    def forget(self) -> None:
        """Frees the lookup table of `index`, 110 bytes per word; the next `index` rebuilds it."""
        self._index_of = None

    def truncated(self, min_count: int = 1, max_vocab: int = 0) -> Vocabulary:
        """Returns the words that occur at least `min_count` times, at most the `max_vocab` most
        frequent of them (0: no limit). Ids do not change, since words are cut off only at the end.
        """
        # The negated counts ascend, as searchsorted requires.
        size = int(np.searchsorted(-self.counts, -min_count, side="right"))
        if max_vocab:
            size = min(size, max_vocab)
        return Vocabulary(self.words[:size], self.counts[:size])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes "word\\tcount\\n" lines in UTF-8, atomically. Raises RunError if the file cannot
        be written, and ValueError if a word is empty or contains a tab or a line break."""
        with atomic_file(path) as file:
            self.write(file)

    def write(self, file: IO[bytes]) -> None:
        """Writes the same lines as `save` to an open file; raises ValueError as `save` does."""
        for start in range(0, len(self), BLOCK):
            words = list(self.words[start : start + BLOCK])
            joined = "".join(words)
            if not all(words) or "\t" in joined or "\n" in joined:
                broken = next(word for word in words if not word or "\t" in word or "\n" in word)
                raise ValueError(f"the word {broken!r} is empty or contains a tab or a line break")
            pairs = zip(words, self.counts[start : start + BLOCK].tolist(), strict=True)
            file.write("".join([f"{word}\t{count}\n" for word, count in pairs]).encode())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Vocabulary:
        """Reads a file written by `save`, or by word2vec.c's -save-vocab ("word count").

        word2vec.c writes its sentence mark `</s>` first, whatever its count. Words separated from
        their counts by a space are therefore sorted by count (ties keep their order), and words
        with count 0 are left out. Raises InputError if the file cannot be read or, with the line
        number, if a line is not a word and a count, repeats a word, or has a higher count than the
        line before.
        """
        words, counts, tabs = _parsed(path)
        if not tabs:
            order = np.argsort(-counts, kind="stable")
            order = order[counts[order] > 0]
            return cls([words[i] for i in order], counts[order])
        rises = np.flatnonzero(counts[1:] > counts[:-1])
        if len(rises):
            number = int(rises[0]) + 2
            problem = f"the count {counts[number - 1]} is higher than that of the line before"
            remedy = "sort the vocabulary by count, highest first"
            raise InputError(f"{path} line {number}: {problem}; {remedy}")
        return cls(words, counts)


def load_list(path: str | os.PathLike[str]) -> list[str] | None:
    """Returns the words of a file with one word per line, or None if it is empty, or its first line
    is or contains a space or tab. Raises InputError, with the line number, if a later line is or
    does, or repeats a word."""
    line_of: dict[str, int] = {}
    for number, word in word_lines(path, f"the vocabulary {path}"):
        if not word or " " in word or "\t" in word:
            if number == 1:
                return None
            problem = f"{shown(word)} is not one word, as line 1 is"
            raise InputError(f"{path} line {number}: {problem}")
        if line_of.setdefault(word, number) != number:
            problem = f"{shown(word)} is already on line {line_of[word]}"
            raise InputError(f"{path} line {number}: {problem}")
    return list(line_of) or None


def _parsed(path: str | os.PathLike[str]) -> tuple[list[str], np.ndarray, bool]:
    """Returns the words and counts of a vocabulary's lines, and whether a tab is between them. Only
    word2vec.c's files, which have a space there, may have counts of 0."""
    line_of: dict[str, int] = {}
    counts, tabs = [], False
    for number, line in word_lines(path, f"the vocabulary {path}"):
        tabs = tabs or (number == 1 and "\t" in line)
        word, _, count = line.rpartition("\t" if tabs else " ")
        problem = None
        if not word or "\t" in word or (not tabs and word.split() != [word]):
            expected = "word, tab, count" if tabs else "word, space or tab, count"
            problem = f"{shown(line)} is not a vocabulary line ({expected}; most frequent first)"
        # a number of more than 18 digits might not fit 64 bits
        elif not (count.isascii() and count.isdigit() and len(count) <= 18) or int(count) < tabs:
            problem = f"the count {shown(count)} is not a whole number of at least {int(tabs)}"
        elif line_of.setdefault(word, number) != number:
            problem = f"{shown(word)} is already on line {line_of[word]}"
        if problem is not None:
            raise InputError(f"{path} line {number}: {problem}")
        counts.append(int(count))
    if sum(counts) >= 1 << 63:
        raise InputError(f"the counts of the vocabulary {path} add up to more than 64 bits hold")
    return list(line_of), np.array(counts, dtype=np.int64), tabs
