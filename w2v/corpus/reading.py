"""How text is read, whatever it comes from, and what readers come across that the user should
know."""

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
    """What the settings say. column: of tables. strict: whether bytes that are not UTF-8 are
    refused. words: whether words are found by Unicode's boundaries. cutter: what cuts lines into
    words, if a file says how. paragraphs: whether lines go on
    until a blank one. encoding: what the text is written in, by Python's name."""

    column: str = DEFAULT_COLUMN
    lowercase: bool = False
    strict: bool = False
    words: bool = False
    cutter: FileTokenizer | None = None
    paragraphs: bool = False
    encoding: str = UTF_8

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
        """Whether what stands between blanks need not be one word."""
        return self.words or self.cutter is not None

    def described(self) -> dict[str, Any]:
        """Returns plain values that differ where a text has other words."""
        return {**vars(self), "cutter": self.cutter and self.cutter.digest}


def cutter_of(settings: CorpusSettings) -> FileTokenizer | None:
    """Returns what cuts lines into words, if the settings name a file that says how."""
    if settings.tokenizer_file is None:
        return None
    from w2v.corpus.tokenizer_file import load_tokenizer  # for few corpora

    return load_tokenizer(settings.tokenizer_file)


@dataclass
class Notices:
    """passed_over: why files were, a sentence each. missing: rows of tables without a text. nul,
    invalid: NUL bytes taken as blanks, and UTF-8 sequences replaced. foreign: characters of another
    encoding replaced. tags: lines that are tags around a document."""

    passed_over: list[str] = field(default_factory=list)
    missing: int = 0
    nul: int = 0
    invalid: int = 0
    foreign: int = 0
    tags: int = 0

    def add(self, other: Notices) -> None:
        """Adds what was come across later in the text."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)

    def sentences(self) -> list[str]:
        """Returns what to tell of them."""
        first = (
            f"in folders passed over, the first: {self.passed_over[0]}" if self.passed_over else ""
        )
        replaced = "replaced by U+FFFD (`encoding_errors` strict refuses them)"
        told = (
            (len(self.passed_over), "file", first),
            (self.missing, "row", "without a text (null) left out"),
            (self.tags, "line", "of <doc> tags left out"),
            (self.invalid, "invalid UTF-8 sequence", replaced),
            (self.foreign, "character", f"not valid in `encoding` {replaced}"),
            (self.nul, "NUL byte", "in the text taken as blanks"),
        )
        return [f"{counted(number, noun)} {what}" for number, noun, what in told if number]


def no_word(names: Sequence[str], notices: Notices) -> str:
    """Returns what to say of sources that hold no word."""
    first, *more = names or ["it"]
    named = f"{first} and {len(more)} more are" if more else f"{first} is"
    return f"the corpus holds no word: {'; '.join(notices.sentences() or [f'{named} empty'])}"


def counted(number: int, noun: str) -> str:
    """Returns the number with its noun: "1 file", "2,000 files"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
