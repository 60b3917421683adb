"""The options for reading text from any kind of source, and counts of what readers skipped or
replaced, for the user to know."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from w2v.corpus.tokenizer_file import FileTokenizer
    from w2v.settings.groups import CorpusSettings

DEFAULT_COLUMN, UTF_8 = "text", "utf-8"


@dataclass(frozen=True)
class Reading:
    """How to read a text, from the settings of a corpus."""

    column: str = DEFAULT_COLUMN  # to read from tables
    lowercase: bool = False
    strict: bool = False  # whether to reject invalid bytes instead of replacing them
    words: bool = False  # whether words are delimited by Unicode's word boundaries
    cutter: FileTokenizer | None = None  # splits lines into words, if a tokenizer file is given
    paragraphs: bool = False  # whether a sentence continues over line ends until a blank line
    encoding: str = UTF_8  # of text files, under Python's name

    @classmethod
    def of(cls, settings: CorpusSettings) -> Reading:
        return cls(
            column=settings.column or DEFAULT_COLUMN,
            lowercase=settings.lowercase,
            strict=settings.encoding_errors == "strict",
            words=settings.tokenizer == "words",
            cutter=cutter_of(settings),
            paragraphs=settings.sentences == "paragraph",
            encoding=codecs.lookup(settings.encoding).name,
        )

    @property
    def cuts(self) -> bool:
        """Whether text between spaces may be more than one word."""
        return self.words or self.cutter is not None

    def described(self) -> dict[str, Any]:
        """Returns plain values that differ whenever the options can give a text different words."""
        return {**vars(self), "cutter": self.cutter and self.cutter.digest}


def cutter_of(settings: CorpusSettings) -> FileTokenizer | None:
    """Returns the tokenizer of the file that the settings name, or None if they name none."""
    if settings.tokenizer_file is None:
        return None
    from w2v.corpus.tokenizer_file import load_tokenizer  # rarely needed

    return load_tokenizer(settings.tokenizer_file)


@dataclass
class Notices:
    """What was skipped or replaced while a text was read."""

    passed_over: list[str] = field(default_factory=list)  # one reason for each file skipped
    missing: int = 0  # rows of tables whose text is null
    nul: int = 0  # NUL bytes, read as spaces
    invalid: int = 0  # invalid UTF-8 sequences replaced
    foreign: int = 0  # characters replaced that are invalid in another `encoding`
    tags: int = 0  # tag lines around documents left out
    uncut: int = 0  # lists of tokens in memory, which `tokenizer` does not split further

    def add(self, later: Notices) -> None:
        """Adds the notices of a later part of the text."""
        for name, value in vars(later).items():
            setattr(self, name, getattr(self, name) + value)

    def sentences(self) -> list[str]:
        """Returns a sentence for the user about each kind that occurred."""
        first = f"in folders skipped, the first: {self.passed_over[0]}" if self.passed_over else ""
        replaced = "replaced by U+FFFD (`encoding_errors` strict rejects them)"
        sentences = (
            (len(self.passed_over), "file", first),
            (self.missing, "row", "without a text (null) left out"),
            (self.tags, "line", "of <doc> tags left out"),
            (self.uncut, "list", "of tokens left as they are by `tokenizer`"),
            (self.invalid, "invalid UTF-8 sequence", replaced),
            (self.foreign, "character", f"not valid in `encoding` {replaced}"),
            (self.nul, "NUL byte", "in the text read as spaces"),
        )
        return [f"{counted(number, noun)} {what}" for number, noun, what in sentences if number]


def no_word(names: Sequence[str], notices: Notices) -> str:
    """Returns the message for a corpus, with sources of these names, that has no words."""
    first, *more = names or ["it"]
    named = f"{first} and {len(more)} more are" if more else f"{first} is"
    return f"the corpus contains no words: {'; '.join(notices.sentences() or [f'{named} empty'])}"


def counted(number: int, noun: str) -> str:
    """Returns the number with its noun: "1 file", "2,000 files"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
