"""Reads analogy and similarity sets from disk, distinguished by their content, and the two sets
included in the package.

Analogies: lines of four words, under `: section` headings (questions-words.txt) or without any
(Microsoft's set). The whole file has one separator: tabs, semicolons, commas or spaces; in all but
the last case, words may contain spaces. Several right answers are separated by slashes. A file of
pairs, each a word, a tab and its answers, gives a question for every two pairs (BATS); each file of
a folder is a section of one set. A heading is a colon, followed by a space, a letter or nothing.

Similarity: lines of two words and a score, or rows of a wider table, see `columns`. Lines that are
not such a pair (column names) are skipped and counted.

In both, empty lines and lines that start with "#" are left out (except for pairs with a word "#…"),
files may be compressed, and a set is rejected if fewer than half of its lines fit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import resources
from itertools import islice, permutations
from pathlib import Path
from typing import NamedTuple

from w2v.errors import InputError
from w2v.evaluation.analogies import Question, Section
from w2v.evaluation.columns import DECIDING_LINES, Columns, Pair, find_columns
from w2v.system.compression import SUFFIXES, Decompressed
from w2v.system.fields import is_number, quotes, split, without_mark
from w2v.system.files import named

MAX_SET_BYTES = 16 << 20
LONGEST_LINE = 1 << 16
MAX_PAIRS = 1000  # of a file whose pairs are combined into questions
SET_SUFFIXES = (".txt", ".tsv", ".csv")


class AnalogySet(NamedTuple):
    """A set of analogy questions; `name` is the file's name without its extension."""

    name: str
    sections: tuple[Section, ...]


class SimilaritySet(NamedTuple):
    """A set of word pairs (word, word, score). `skipped` is the number of lines that are not pairs;
    `headed` says that the first of these has the column names."""

    name: str
    pairs: tuple[Pair, ...]
    skipped: int
    headed: bool = False


Set = AnalogySet | SimilaritySet


class Line(NamedTuple):
    """A line that is not blank, and its number in the file."""

    number: int
    text: str


class Form(NamedTuple):
    """The form of the lines of questions or pairs."""

    mark: str  # the separator
    n_words: int  # words in a line
    quoted: bool  # whether words may be quoted

    def words(self, line: str) -> list[str]:
        """Returns the non-empty words of a line; none if its quotation marks do not match."""
        try:
            return [word for word in split(line, self.mark, self.quoted) if word]
        except ValueError:
            return []


def load_set(path: str | Path) -> Set:
    """Reads the set at `path`, or from standard input if that is "-". The files of a folder are the
    sections of one set of analogies. Raises InputError if it cannot be read or is not a set."""
    if path == "-":
        return parse_set(_read(Path("/dev/stdin")), "stdin", "/dev/stdin")
    path = named(path, "the set")
    if path.is_dir():
        return _load_folder(path)
    return parse_set(_read(path), _stem(path), str(path))


def load_sets(paths: Sequence[str | Path]) -> dict[str, Set]:
    """Reads the sets at `paths`, by a name of its own for each: a set's own, or the path if an
    earlier set is called so. Without paths, the sets included in the package. Raises InputError as
    `load_set` does."""
    loaded: dict[str, Set] = {}
    for path in paths:
        found = load_set(path)
        loaded[str(path) if found.name in loaded else found.name] = found
    return loaded or {found.name: found for found in default_sets()}


def default_sets() -> list[Set]:
    """Returns the sets included in the package, sorted by name."""
    folder = resources.files("w2v.evaluation").joinpath("sets")
    names = sorted(file.name for file in folder.iterdir() if file.name.endswith((".txt", ".tsv")))
    return [parse_set(folder.joinpath(name).read_bytes(), Path(name).stem, name) for name in names]


def _stem(path: Path) -> str:
    return Path(path.stem).stem if path.suffix in SUFFIXES else path.stem


def _load_folder(folder: Path) -> AnalogySet:
    sections: list[Section] = []
    size = 0
    for path in sorted([*folder.glob("*"), *folder.glob("*/*")]):
        name = path.stem if path.suffix in SUFFIXES else path.name
        if not name.endswith(SET_SUFFIXES) or not path.is_file():
            continue
        data = _read(path)
        size += len(data)
        if size > MAX_SET_BYTES:
            most = MAX_SET_BYTES >> 20
            raise InputError(f"{folder} is larger than {most} MiB, so it is not a set")
        parsed = parse_set(data, _stem(path), str(path), of_folder=True)
        if not isinstance(parsed, AnalogySet):
            raise InputError(f"{path} is not a set of analogies, as the files of a folder must be")
        sections += parsed.sections
    if not sections:
        raise InputError(f"cannot read the set {folder}: the folder has no .txt, .tsv or .csv file")
    return AnalogySet(folder.name, tuple(sections))


def _read(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            data = Decompressed(file, str(path)).read(MAX_SET_BYTES + 1)
    except OSError as error:
        raise InputError(f"cannot read the set {path}: {error.strerror}; check the path") from None
    if len(data) > MAX_SET_BYTES:
        raise InputError(f"{path} is larger than {MAX_SET_BYTES >> 20} MiB, so it is not a set")
    return data


def parse_set(data: bytes, name: str, source: str, of_folder: bool = False) -> Set:
    """Parses a set called `name`; error messages call it `source`. In a file of a folder
    (`of_folder`), pairs may also be separated by spaces. Raises InputError if it is not a set."""
    try:
        text = without_mark(data, source).decode("utf-8")
    except UnicodeDecodeError as error:
        problem = f"byte {error.start} is not valid UTF-8"
        raise InputError(f"{source}: {problem}; save the set as UTF-8") from None
    text = text.replace("\r\n", "\n")
    text = text if "\n" in text else text.replace("\r", "\n")
    first = [line.text for line in islice(_lines(text), DECIDING_LINES)]
    if max(map(len, first), default=0) > LONGEST_LINE:
        raise InputError(
            f"{source} is not a set: it has a line of more than {LONGEST_LINE:,} characters"
        )
    plain = [line for line in first if not line.startswith("#") and not _is_heading(line)]
    headed = any(map(_is_heading, first))
    form, questions = _form(plain, 4, "\t;, ")
    if (columns := find_columns(plain, source)) is not None:
        return _similarities(text, name, columns)
    if headed or 2 * questions > len(plain):
        return AnalogySet(name, _parse_sections(text, form, name, source))
    form, pairs = _form(plain, 2, "\t " if of_folder else "\t")
    if 2 * pairs > len(plain) and not all(is_number(form.words(line)[-1]) for line in plain):
        return AnalogySet(name, (_questions_of_pairs(text, form, name, source),))
    raise InputError(
        f"{source} is neither a set of analogies (lines of four words, sections headed by ': name')"
        " nor of similarities (lines of two words and a score, separated by tabs, semicolons,"
        " commas, colons or spaces, the same in all lines)"
    )


def _lines(text: str) -> Iterator[Line]:
    """Yields the lines that are neither blank nor comments."""
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip(" \r") if raw else ""
        if line and not line.startswith("# ") and line != "#" and not line.isspace():
            yield Line(number, line)


def _is_heading(line: str) -> bool:
    if not line.startswith(":"):
        return False
    if line == ":" or line[1] == " ":
        return True
    return line[1].isalnum() and len(split(line, " ")) != 4 and "\t" not in line


def _form(lines: Sequence[str], n_words: int, marks: str) -> tuple[Form, int]:
    """Returns the form with `n_words` words in most lines, and the number of these lines."""
    best, most = Form(" ", n_words, False), 0
    for mark in marks:
        form = Form(mark, n_words, mark != " " and quotes(lines, mark))
        fits = sum(len(form.words(line)) == n_words for line in lines)
        if fits > most:
            best, most = form, fits
    return best, most


def _similarities(text: str, name: str, columns: Columns) -> SimilaritySet:
    pairs, skipped, headed = [], 0, False
    for line in _lines(text):
        pair = columns.pair(line.text)
        if pair is not None:
            pairs.append(pair)
        elif not line.text.startswith("#"):
            headed = headed or (not (pairs or skipped) and columns.are_named(line.text))
            skipped += 1
    return SimilaritySet(name, tuple(pairs), skipped, headed)


def _parse_sections(text: str, form: Form, name: str, source: str) -> tuple[Section, ...]:
    sections: list[tuple[str, bool, list[Question]]] = []
    for number, line in _lines(text):
        if line.startswith("#"):
            continue
        if _is_heading(line):
            sections.append((line[1:].strip(" \t") or f"line {number}", True, []))
            continue
        words = form.words(line)
        if len(words) != 4:
            problem = f"line {number} has {len(words)} words, but a question has four"
            raise InputError(f"{source}: {problem}; correct it")
        sections = sections or [(name, False, [])]
        sections[-1][2].append((words[0], words[1], words[2], words[3]))
    return tuple(Section(title, tuple(questions), headed) for title, headed, questions in sections)


def _questions_of_pairs(text: str, form: Form, name: str, source: str) -> Section:
    """Makes a section of a file of pairs: "a is to b as c is to d" for every two pairs."""
    pairs = []
    for number, line in _lines(text):
        if len(words := form.words(line)) != 2:
            problem = f"line {number} has {len(words)} fields, but a pair has two"
            raise InputError(f"{source}: {problem}; correct it")
        pairs.append(words)
    if len(pairs) > MAX_PAIRS:
        raise InputError(f"{source} has {len(pairs):,} pairs; at most {MAX_PAIRS:,} are allowed")
    questions = ((a, b, c, d) for (a, b), (c, d) in permutations(pairs, 2))
    return Section(name, tuple(questions), headed=False)
