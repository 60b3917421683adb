"""Readers of sentences in files, as in gensim, and the archives of saved models."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np

from w2v.errors import InputError
from w2v.system.compression import Decompressed
from w2v.system.files import atomic_file
from w2v.system.limits import MAX_WORD_BYTES

LINE_PIECE = 1 << 20
MAX_WORDS = 10000  # in a sentence; longer ones are split


class LineSentence:
    """The lines of a file, which may be compressed, as lists of words; it is a path or is open."""

    one_line = False  # whether line ends separate words only

    def __init__(
        self, source: Any, max_sentence_length: int = MAX_WORDS, limit: int | None = None
    ) -> None:
        self.source, self.max_sentence_length, self.limit = source, max_sentence_length, limit

    def files(self) -> list[str]:
        """Returns the paths of the text; none for an open file."""
        return [] if hasattr(self.source, "read") else [str(self.source)]

    def read_whole(self) -> list[str]:
        """Returns the paths if a run can read them itself, which is faster, otherwise none."""
        whole = self.limit is None and self.max_sentence_length == MAX_WORDS
        return self.files() if whole else []

    def __iter__(self) -> Iterator[list[str]]:
        for path in self.files():
            with _opened(path) as file:
                yield from self._sentences(file)
        if hasattr(self.source, "read"):
            self.source.seek(0)
            yield from self._sentences(self.source)

    def _sentences(self, file: Any) -> Iterator[list[str]]:
        words: list[str] = []
        for pieces in islice(_lines(file), self.limit):
            for piece in pieces:
                words += (piece if isinstance(piece, str) else piece.decode()).split()
                while len(words) > self.max_sentence_length:
                    yield words[: self.max_sentence_length]
                    words = words[self.max_sentence_length :]
            if words and not self.one_line:
                yield words
                words = []
        if words:
            yield words


def _opened(path: Any) -> io.BufferedReader:
    return io.BufferedReader(_RawText(path), LINE_PIECE)


class _RawText(io.RawIOBase):
    """The bytes of a file, decompressed."""

    def __init__(self, path: Any) -> None:
        self._file = open(path, "rb")  # noqa: SIM115
        self._text = Decompressed(self._file, str(path))

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._text.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


def _lines(file: Any) -> Iterator[Iterator[Any]]:
    """Yields the lines of an open file, each in pieces that end after a word, so that memory is
    bounded for lines of any length."""
    while piece := file.readline(LINE_PIECE):
        yield (rest := _pieces(file, piece))
        for _ in rest:  # skips the pieces of this line that the caller did not read
            pass


def _pieces(file: Any, piece: Any) -> Iterator[Any]:
    end, blanks = ("\n", (" ", "\t")) if isinstance(piece, str) else (b"\n", (b" ", b"\t"))
    while not piece.endswith(end) and (rest := file.readline(LINE_PIECE)):
        cut = max(map(piece.rfind, blanks)) + 1
        if len(piece) - cut > MAX_WORD_BYTES:
            raise InputError(f"a word is longer than {MAX_WORD_BYTES:,} bytes; split it")
        yield piece[:cut]
        piece = piece[cut:] + rest
    yield piece


class PathLineSentences(LineSentence):
    """The lines of all files in a folder, in the order of their names."""

    def files(self) -> list[str]:
        path = Path(self.source)
        return sorted(str(each) for each in path.iterdir()) if path.is_dir() else [str(path)]


class Text8Corpus(LineSentence):
    """The words of a file, such as text8, in sentences of `max_sentence_length` words."""

    one_line = True

    def __init__(self, fname: Any, max_sentence_length: int = MAX_WORDS) -> None:
        super().__init__(fname, max_sentence_length)
        self.fname = fname

    def read_whole(self) -> list[str]:
        """A run would end a sentence at the end of each line."""
        return super().read_whole() if self._has_one_line() else []

    def _has_one_line(self) -> bool:
        with _opened(self.source) as file:
            return not any(True for _ in islice(_lines(file), 1, None))


def write_archive(path: Any, facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Writes arrays and plain values as NumPy's .npz, with any file extension."""
    text = np.frombuffer(json.dumps(facts).encode(), np.uint8)
    with atomic_file(path) as file:
        np.savez(file, **{"facts": text, **arrays})  # type: ignore[arg-type]


def read_archive(path: Any, kind: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Reads an archive of `write_archive`. Raises AttributeError if it is of another kind."""
    try:
        with ZipFile(path) as archive:  # written uncompressed, so the content must not be larger
            if sum(each.file_size for each in archive.infolist()) > Path(path).stat().st_size:
                raise ValueError("its parts are larger than the whole")
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file}
        facts = json.loads(arrays.pop("facts").tobytes())
    except (ValueError, KeyError, AttributeError, BadZipFile, MemoryError) as error:
        raise InputError(
            f"{path} was not saved by this module (gensim's own files are pickles, which may run"
            " any code: write them with gensim's save_word2vec_format)"
        ) from error
    if facts.pop("kind") != kind:
        raise AttributeError(f"{path} does not hold a {kind}")
    return facts, arrays
